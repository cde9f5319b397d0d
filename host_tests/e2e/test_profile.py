"""Do frames get smaller by a profile that the device learns, and can every receiver read them?"""

from host_tests.e2e.proofs import SOON_S, prove_sound, prove_values, quick
from host_tests.harness import data

LEARNT = r"learnt a profile of (\d+) bytes, which saves (\d+) bytes in 3 frames: in use once"
MODE = {0xE: "self", 0xF: "ref"}


def framed(port, batch=20, **changes):
    """A config that takes a thousand readings a second."""
    changes = {"payload": {"format": "frame", "batch": batch}, **changes}
    return quick(port, sensor={"speed": 5000}, queue={"limit_kb": 256}, **changes)


def modes(receiver):
    """The first payload byte of each data message as a word, "profile" for a profile."""
    kinds = []
    for message in receiver.messages("d1"):
        kind = message.topic.rpartition("/")[2]
        if kind == "data":
            kinds.append(MODE[message.payload[0] >> 4])
        elif kind == "profile":
            kinds.append(kind)
    return kinds


def test_a_profile_is_learnt_published_and_used(mosquitto, receiver, device):
    started = device(framed(mosquitto.port))
    started.wait_log(LEARNT, 30)
    receiver.wait_for(lambda: modes(receiver).count("ref") > 5, SOON_S, "frames by reference")
    assert started.stop() == 0
    kinds = modes(receiver)
    assert kinds.index("profile") < kinds.index("ref")
    assert "ref" not in kinds[: kinds.index("profile")]
    readings = receiver.readings("d1")
    assert [reading.seq for reading in readings] == list(range(1, len(readings) + 1))
    prove_values(readings, data.rows(data.MOTE, data.MOTE_CHANNELS))
    prove_sound(started)
