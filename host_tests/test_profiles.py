"""tools/petrel/profiles.py: does every frame find its profile, in whatever order they come?"""

import json

import pytest

from frame.encoder import Encoder
from frame.renew import renewed
from frame.schema import Schema, channel
from host_tests.frame.samples import train
from petrel import profiles
from petrel.errors import Failure
from petrel.profiles import Decoder, Waiting
from petrel.readings import Undecodable

DATA, PROFILE = "devices/d1/data", "devices/d1/profile"
SCHEMA = Schema((channel("t", "Cel", 1), channel("n", "count", kind="count")), 10_000)
START_MS, STREAM = 1_732_265_000_000, 77
TIMES = [START_MS + 10_000 * i for i in range(200)]
ROWS = [(200 + i * 7 % 5, 3 * i) for i in range(200)]


@pytest.fixture(scope="module")
def blob():
    return train(SCHEMA, TIMES[:100], ROWS[:100])


def framed(blob, first, last, stream=STREAM):
    encoder = Encoder(SCHEMA, 60)
    encoder.begin(stream)
    encoder.use(blob)
    for i in range(first - 1, last):
        assert encoder.add(TIMES[i], ROWS[i])
    out = bytearray(1000)
    return bytes(out[:encoder.encode_into(out, first)])


def numbers(readings):
    return [reading.seq for reading in readings]


def test_a_frame_is_read_by_a_profile_that_came_before(blob):
    decoder = Decoder()
    assert decoder.learn(PROFILE, blob) == []
    readings = decoder.decode(DATA, framed(blob, 101, 120))
    assert numbers(readings) == list(range(101, 121))
    assert readings[0].values == {"t": ROWS[100][0] / 10, "n": 300}
    assert {reading.stream for reading in readings} == {STREAM}


def test_frames_wait_for_their_profile_and_others_do_not(blob):
    decoder = Decoder()
    other = renewed(blob, STREAM, 150, TIMES[149])
    for number, (by, first) in enumerate([(blob, 1), (blob, 21), (other, 41), (None, 61)]):
        frame = framed(by, first, first + 19)
        if by is None:
            assert numbers(decoder.decode(DATA, frame)) == list(range(61, 81))
            continue
        with pytest.raises(Waiting, match=r"frames wait for profile [0-9a-f]{4}") as waiting:
            decoder.decode(DATA, frame)
        assert waiting.value.first == (number != 1), "one line a profile"
    with pytest.raises(Waiting):
        decoder.decode("devices/d2/data", framed(blob, 1, 20))
    assert numbers(decoder.learn(PROFILE, blob)) == list(range(1, 41))
    assert numbers(decoder.learn(PROFILE, other)) == list(range(41, 61))
    assert decoder.learn(PROFILE, blob) == []


def test_a_frame_of_another_stream_by_the_same_profile(blob):
    """After a reset the device sends readings of the life before."""
    decoder = Decoder()
    decoder.learn(PROFILE, blob)
    readings = decoder.decode(DATA, framed(blob, 5, 9, stream=4711))
    assert [(reading.stream, reading.seq) for reading in readings] == [
        (4711, n) for n in range(5, 10)
    ]


def test_what_waits_is_bounded_and_drops_are_counted(blob, monkeypatch):
    monkeypatch.setattr(profiles, "MOST_WAITING", 3)
    decoder = Decoder()
    for first in (1, 21, 41, 61, 81):
        with pytest.raises(Waiting):
            decoder.decode(DATA, framed(blob, first, first + 19))
    assert decoder.dropped == 2
    assert numbers(decoder.learn(PROFILE, blob)) == list(range(41, 101))


def test_profiles_are_bounded(blob, monkeypatch):
    monkeypatch.setattr(profiles, "MOST_PROFILES", 2)
    decoder = Decoder()
    many = [renewed(blob, STREAM, n, TIMES[n]) for n in range(3)]
    for profile in many:
        decoder.learn(PROFILE, profile)
    with pytest.raises(Waiting):
        decoder.decode(DATA, framed(many[0], 1, 20))
    assert len(decoder.decode(DATA, framed(many[2], 1, 20))) == 20


def test_a_damaged_frame_never_becomes_readings(blob):
    frame = bytearray(framed(blob, 1, 20))
    frame[-1] ^= 1
    decoder = Decoder()
    with pytest.raises(Waiting):
        decoder.decode(DATA, frame)
    assert decoder.learn(PROFILE, blob) == []
    assert decoder.dropped == 1
    with pytest.raises(Undecodable, match="checksum"):
        decoder.decode(DATA, frame)


def test_what_is_no_profile_is_refused_and_an_empty_one_means_nothing(blob):
    decoder = Decoder()
    assert decoder.learn(PROFILE, b"") == []
    for payload in (b"{}", blob[:-1], bytes([blob[0] ^ 1]) + blob[1:]):
        with pytest.raises(Undecodable, match="no frame profile"):
            decoder.learn(PROFILE, payload)


def test_a_file_keeps_profiles_and_waiting_frames(blob, tmp_path):
    path = tmp_path / "ledger.profiles"
    other = renewed(blob, STREAM, 150, TIMES[149])
    decoder = Decoder(path)
    decoder.learn(PROFILE, blob)
    decoder.keep()
    with pytest.raises(Waiting):
        decoder.decode(DATA, framed(other, 1, 20))
    decoder = Decoder(path)
    assert len(decoder.decode(DATA, framed(blob, 1, 20))) == 20
    assert numbers(decoder.learn(PROFILE, other)) == list(range(1, 21))
    assert numbers(Decoder(path).learn(PROFILE, other)) == list(range(1, 21)), "nobody kept it yet"
    decoder.keep()
    assert Decoder(path).learn(PROFILE, other) == []


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"profiles": {"d": ["e1"]}})])
def test_a_file_that_is_none_is_named(content, tmp_path):
    path = tmp_path / "ledger.profiles"
    path.write_text(content)
    with pytest.raises(Failure, match=r"ledger\.profiles keeps no profiles"):
        Decoder(path)
