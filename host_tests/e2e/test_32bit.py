"""Does all of it run in 64 KB, on a port whose words are as short as a microcontroller's?"""

import shlex
import sys

import pytest

from host_tests.e2e.proofs import (
    SOON_S,
    acknowledged,
    health_of,
    prove_backoff,
    prove_schedule_kept,
    prove_sound,
    prove_values,
    quick,
    unsure,
    wait_failures,
)
from host_tests.harness import data
from petrel.runtime import runtime32

COUNT = 500
ROMFS = [sys.executable, "-m", "petrel.romfs"]


@pytest.fixture
def small(device, tmp_path):
    """Starts devices with words of 32 bits and a heap of 64 KB, on the first rows of the mote."""
    if runtime32() is None:
        pytest.skip("set-up found no 32-bit MicroPython for this system")
    file = str(data.take(data.MOTE, tmp_path, COUNT))

    def start(port, *more_flags, heap="64k", runtime=None, queue=None, **changes):
        sensor = {"file": file, "speed": 1000, **changes.pop("sensor", {})}
        settings = quick(port, sensor=sensor, queue=queue or {"durability": "ram"}, **changes)
        flags = ["--runtime", shlex.join(runtime or runtime32()), "--heap", heap]
        return device(settings, flags=[*flags, *more_flags])

    return start


def prove_all_arrived(started, receiver, may_repeat=(), in_order=True):
    assert started.wait_exit(SOON_S) == 0
    assert "drained" in started.logs()[-1]
    report = receiver.wait_for(
        lambda: [r for r in receiver.sequence_report("d1").values() if r.last == COUNT],
        SOON_S,
        "the last reading",
    )[0]
    assert not report.missing
    assert report.in_order or not in_order
    assert set(report.duplicates) <= set(may_repeat)
    prove_values(receiver.readings("d1"), data.rows(data.MOTE, data.MOTE_CHANNELS))
    prove_schedule_kept(receiver)
    prove_sound(started)


@pytest.mark.alone  # 64 KB leave 3: a slow machine does at once what a device does in turn
@pytest.mark.parametrize(("batch", "times"), [(1, "recorded"), (5, "device")])
def test_delivery_through_an_outage(proxy, receiver, small, umqtt, figure, batch, times):
    started = small(
        proxy.port, "--until-drained", "--umqtt", umqtt,
        payload={"batch": batch}, sensor={"times": times},
    )
    receiver.wait_readings("d1", 100, SOON_S)
    assert receiver.command("d1", {"cmd": "ping"})["ok"]
    proxy.refuse()
    proxy.drop_connections()
    wait_failures(started, 3)
    proxy.accept()
    prove_all_arrived(started, receiver, unsure(proxy))
    prove_backoff(started)
    if times == "recorded":
        rows = data.rows(data.MOTE, data.MOTE_CHANNELS)
        assert {r.ts == rows[r.seq - 1].time for r in receiver.readings("d1")} == {True}
    figure("heap free after the outage", health_of(receiver, 2)["free"], "bytes")


@pytest.mark.alone
def test_large_and_many_commands(mosquitto, receiver, small):
    started = small(mosquitto.port, "--until-drained")
    receiver.wait_readings("d1", 20, SOON_S)
    receiver.publish("devices/d1/commands", bytes(100_000))
    for n in range(10):
        assert receiver.command("d1", {"cmd": "info", "id": n})["channels"]["t"] == ["Cel", 2]
    refused = receiver.messages("d1", "responses")[0].json()["error"]
    assert refused.startswith("a command of 100027 bytes")
    prove_all_arrived(started, receiver)


# With all modules copied to the heap, and where a board has them in ROMFS.
@pytest.mark.alone
@pytest.mark.parametrize(("runtime", "heap"), [(None, "116k"), (ROMFS, "80k")], ids=["ram", "rom"])
def test_frames_and_journal_through_an_outage(proxy, receiver, small, figure, runtime, heap):
    started = small(
        proxy.port, "--until-drained", runtime=runtime, heap=heap, sensor={"speed": 500},
        payload={"format": "frame", "batch": 5, "max_age_s": 1},
        queue={"durability": "spill", "spill_after_s": 1},
    )
    receiver.wait_readings("d1", 100, SOON_S)
    assert receiver.command("d1", {"cmd": "ping"})["ok"]
    proxy.refuse()
    proxy.drop_connections()
    wait_failures(started, 8)
    proxy.accept()
    # The backlog and what is fresh take turns.
    prove_all_arrived(started, receiver, unsure(proxy), in_order=False)
    prove_backoff(started)
    assert {number for _, number in acknowledged(proxy)} == set(range(1, COUNT + 1))
    back = health_of(receiver, 2)
    assert back["flash"]["queued"] > 50
    figure("heap free after the outage", back["free"], "bytes")


@pytest.mark.parametrize(
    ("durability", "format_", "runtime", "heap"),
    [
        ("always", "json", None, "112k"), ("spill", "json", None, "112k"),
        ("always", "frame", None, "128k"), ("spill", "frame", None, "128k"),
        ("spill", "frame", ROMFS, "80k"),
    ],
    ids=["json-always", "json-spill", "frame-always", "frame-spill", "rom-frame-spill"],
)
def test_readings_in_flash(proxy, receiver, small, figure, durability, format_, runtime, heap):
    """A life in an outage, and the next one that delivers its readings."""
    proxy.refuse()
    payload = {"format": format_, "batch": 5, "max_age_s": 1}
    started = small(
        proxy.port, runtime=runtime, heap=heap, queue={"durability": durability},
        payload=payload, sensor={"speed": 500},
    )
    wait_failures(started, 8)
    assert started.stop() == 0
    kept = int(started.wait_log(r"(\d+) readings were not delivered; flash keeps", SOON_S)[1])
    proxy.accept()
    started.start()

    def both():
        found = list(receiver.sequence_report("d1").values())
        return found if {sequence.last for sequence in found} == {kept, COUNT} else None

    old, new = receiver.wait_for(both, 30, "both lives")
    assert (old.missing, new.missing) == ([], [])
    assert started.stop() == 0
    prove_values(receiver.readings("d1"), data.rows(data.MOTE, data.MOTE_CHANNELS))
    prove_sound(started)
    figure("heap free with a journal", health_of(receiver, 1)["free"], "bytes")
