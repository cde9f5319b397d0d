"""Do frames get smaller by a profile that the device learns, and can every receiver read them?"""

import itertools

from frame.decoder import decode, mark_of
from host_tests.e2e.proofs import SOON_S, prove_sound, prove_values, quick
from host_tests.harness import data

LEARNT = r"learnt a profile of (\d+) bytes, which saves (\d+) bytes in 3 frames: in use once"
MODE = {0xE: "self", 0xF: "ref"}


def framed(port, batch=20, **changes):
    """A config that takes a thousand readings a second."""
    usual = {"payload": {"format": "frame", "batch": batch}, "queue": {"limit_kb": 256}}
    return quick(port, sensor={"speed": 5000}, **{**usual, **changes})


def modes(receiver):
    """What came, in order, but not what was retained: "self" and "ref" for frames, "profile",
    "online" for a birth.
    """
    kinds = []
    for message in receiver.messages("d1"):
        kind = message.topic.rpartition("/")[2]
        if kind == "data":
            kinds.append(MODE[message.payload[0] >> 4])
        elif message.retained:
            continue
        elif kind == "profile":
            kinds.append(kind)
        elif kind == "status" and message.json()["status"] == "online":
            kinds.append("online")
    return kinds


def prove_announced(receiver, lives):
    """After each birth no frame is by reference before the profile has come, and each is by the
    one that came last.
    """
    mark = None
    for message in receiver.messages("d1"):
        if message.topic.endswith("/profile") and not message.retained:
            mark = int.from_bytes(message.payload[-2:], "big")
        elif message.topic.endswith("/data"):
            assert mark_of(message.payload) in (None, mark)
    kinds = modes(receiver)
    births = [place for place, kind in enumerate(kinds) if kind == "online"]
    assert len(births) == lives
    for start, end in itertools.pairwise([*births, len(kinds)]):
        life = kinds[start:end]
        assert "ref" in life, "there is nothing to see"
        assert "ref" not in life[: life.index("profile")]


def seen(receiver, births, frames):
    """Wait for the n-th birth, and for frames by reference after it."""

    def come():
        kinds = modes(receiver)
        places = [place for place, kind in enumerate(kinds) if kind == "online"]
        return len(places) >= births and kinds[places[births - 1]:].count("ref") >= frames

    receiver.wait_for(come, 30, f"frames by reference after birth {births}")


def test_a_profile_is_learnt_published_and_used(mosquitto, receiver, device):
    started = device(framed(mosquitto.port))
    started.wait_log(LEARNT, 30)
    seen(receiver, 1, 5)
    assert started.stop() == 0
    prove_announced(receiver, 1)
    readings = receiver.readings("d1")
    assert [reading.seq for reading in readings] == list(range(1, len(readings) + 1))
    prove_values(readings, data.rows(data.MOTE, data.MOTE_CHANNELS))
    prove_sound(started)


def test_after_a_reset_the_profile_is_used_at_once(mosquitto, receiver, device):
    """Also by readings of the life before, which a power cut left in flash."""
    started = device(framed(mosquitto.port, queue={"durability": "always", "limit_kb": 256}))
    started.wait_log(LEARNT, 60)
    seen(receiver, 1, 3)
    mosquitto.stop()
    started.wait_log("uplink: (lost|tcp)", SOON_S)
    started.kill()
    mosquitto.start()
    mark = started.mark()
    started.start()
    seen(receiver, 2, 5)
    assert started.stop() == 0
    assert "learnt" not in " ".join(started.logs()[mark:]), "it began anew"
    prove_announced(receiver, 2)
    streams = receiver.sequence_report("d1")
    assert len(streams) == 2
    assert not any(report.missing for report in streams.values())
    prove_values(receiver.readings("d1"), data.rows(data.MOTE, data.MOTE_CHANNELS))


def test_a_broker_that_was_away_gets_the_profile_before_frames_need_it(
    mosquitto, receiver, device
):
    started = device(framed(mosquitto.port))
    started.wait_log(LEARNT, 60)
    seen(receiver, 1, 3)
    mosquitto.stop()
    mosquitto.start()
    seen(receiver, 2, 3)
    assert started.stop() == 0
    prove_announced(receiver, 2)
    prove_values(receiver.readings("d1"), data.rows(data.MOTE, data.MOTE_CHANNELS))


def test_other_channels_begin_without_a_profile(mosquitto, receiver, device):
    """Another schema, another interval: each begins anew, and never in a frame of the old."""
    started = device(framed(mosquitto.port))
    started.wait_log(LEARNT, 60)
    seen(receiver, 1, 1)
    assert started.stop() == 0
    channels = {"t": data.MOTE_CHANNELS["t"]}
    config = framed(mosquitto.port)
    config["sensors"][0].update(channels=channels, every_s=10)
    started.configure(config)
    started.start()
    receiver.wait_for(lambda: len(second_life(receiver)) > 3, SOON_S, "frames")
    assert started.stop() == 0
    for payload in second_life(receiver)[:4]:
        schema = decode(payload).schema
        assert [channel.key for channel in schema.channels] == ["t"]
        assert schema.interval_ms == 2


def second_life(receiver):
    """The payloads of the stream that came second."""
    streams = list(receiver.sequence_report("d1"))
    payloads = [message.payload for message in receiver.messages("d1", "data")]
    return [p for p in payloads if p[0] >> 4 == 0xE and decode(p).stream in streams[1:]]
