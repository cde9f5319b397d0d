"""firmware/profile.py: are frames by reference only while the peer has the profile?"""

import pytest

from frame.encoder import Encoder as FrameEncoder
from host_tests.frame.samples import train
from host_tests.on_cpython import load
from host_tests.test_profiles import ROWS, SCHEMA, TIMES

Profile = load("profile").Profile



class Board:
    def __init__(self, kept):
        self.kept = kept

    def load(self, name):
        return self.kept


class Message:
    def __init__(self, payload):
        self.payload = payload


class Encoder:
    """What a profile needs of payloads/frame.py; nothing is ever sent."""

    def __init__(self):
        self.frame = FrameEncoder(SCHEMA, 60)


def profile(kept, monkeypatch):
    """A Profile and what it posts; its task is never run."""
    monkeypatch.setattr("asyncio.create_task", lambda coroutine: coroutine.close() or True)
    posts = []

    def post(kind, payload):
        posts.append((kind, payload))

    made = Profile(Board(kept), Encoder(), 5, None, post, lambda: post("birth", b""), 1000)
    return made, posts


@pytest.fixture(scope="module")
def blob():
    return train(SCHEMA, TIMES[:100], ROWS[:100])


def test_a_profile_is_used_from_its_acknowledgement_to_the_next_connection(blob, monkeypatch):
    made, posts = profile(blob, monkeypatch)
    frame = made._encoder.frame
    made._due = 17, TIMES[16]
    for _ in range(2):
        made.on_online()
        assert frame.profile is None, "a new connection may be to another broker"
        assert made.revision() == 0
        (_, _), (kind, offered) = posts[-2:]
        assert kind == "profile"
        made.on_posted(Message(b"health"))
        made.on_posted(Message(bytes(bytearray(blob))))
        assert frame.profile is None, "that was another message"
        made.on_posted(Message(offered))
        assert frame.profile == offered
        assert made.revision() == 1
    assert [kind for kind, _ in posts] == ["birth", "profile"] * 2


def test_it_counts_from_where_the_readings_are(blob, monkeypatch):
    made, posts = profile(blob, monkeypatch)
    made._due = 17, TIMES[16] + 250
    made.on_online()
    offered = posts[-1][1]
    assert int.from_bytes(offered[3:7], "big") == 5
    assert int.from_bytes(offered[7:11], "big") == 17
    assert int.from_bytes(offered[11:16], "big") * 1000 + 250 == TIMES[16] + 250
    assert offered[18:-3] == blob[18:-3]


def test_before_the_first_frame_there_is_nothing_to_count_from(blob, monkeypatch):
    made, posts = profile(blob, monkeypatch)
    made.on_online()
    assert [kind for kind, _ in posts] == ["birth"]
    assert made._encoder.frame.profile is None


@pytest.mark.parametrize("kept", [None, b"", b"junk", b"\xe1" * 60])
def test_what_is_kept_and_is_no_profile_of_these_channels_is_not_used(kept, monkeypatch):
    made, posts = profile(kept, monkeypatch)
    made._due = 17, TIMES[16]
    made.on_online()
    assert [kind for kind, _ in posts] == ["birth"]
