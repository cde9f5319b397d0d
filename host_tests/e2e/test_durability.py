"""What is left of the readings when the power goes, by `queue.durability`? Values, times, streams
and numbers are those that they were born with.
"""

import json
import os
import random
import time

import pytest

from host_tests.e2e.proofs import (
    PACE_MS,
    SOON_S,
    prove_schedule_kept,
    prove_sound,
    quick,
    unsure,
    wait_failures,
)
from host_tests.harness import data
from petrel.readings import decode

LATE_MS = 700  # a busy machine
SLOW_MS = 50  # between two readings of a device that is watched for seconds


def settings(port, durability="spill", pace_ms=SLOW_MS, **changes):
    queue = {"durability": durability, **changes.pop("queue", {})}
    sensor = {"speed": 5000 // pace_ms, "loop": True, **changes.pop("sensor", {})}
    return quick(port, queue=queue, sensor=sensor, **changes)


def stream_of(device, after=0):
    return int(device.wait_log(r"stream (\d+)", SOON_S, after)[1])


def numbers(receiver):
    """{stream: set of the numbers that arrived}"""
    found = {}
    for reading in receiver.readings("d1"):
        found.setdefault(reading.stream, set()).add(reading.seq)
    return found


def prove_rows(receiver, row_of=lambda stream, n: n - 1):
    """Every reading has the values of its row, however often the recording was begun again."""
    rows = data.rows(data.MOTE, data.MOTE_CHANNELS)
    for reading in receiver.readings("d1"):
        row = rows[row_of(reading.stream, reading.seq) % len(rows)]
        assert reading.values == row.values, (reading.stream, reading.seq)


def flash_files(device):
    folder = device.state / "journal"
    return {f.name: (f.stat().st_mtime_ns, f.stat().st_size) for f in folder.iterdir()}


def writes(device, seconds):
    """What changed in the flash during so many seconds: names of files."""
    before = flash_files(device)
    stream = (device.state / "stream").stat().st_mtime_ns
    time.sleep(seconds)
    after = flash_files(device)
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    if (device.state / "stream").stat().st_mtime_ns != stream:
        changed.add("stream")
    return changed


# ---- power cuts


@pytest.mark.parametrize("durability", ["always", "spill"])
@pytest.mark.parametrize("format_", ["json", "frame"])
def test_a_backlog_outlives_power_cuts(proxy, receiver, device, durability, format_):
    """Two lives end in an outage, the third one delivers them: all once, but what is under way."""
    proxy.refuse()
    queue = {"spill_after_s": 1}
    payload = {"format": format_, "batch": 7, "max_age_s": 0.5}
    started = device(settings(proxy.port, durability, queue=queue, payload=payload))
    least, mark = {}, 0
    for _ in range(2):
        stream = stream_of(started, mark)
        began = time.monotonic()
        time.sleep(2.5)
        lived = time.monotonic() - began
        mark = started.mark()
        started.kill()
        young_ms = 1000 if durability == "spill" else 0
        least[stream] = (lived * 1000 - young_ms - LATE_MS) // SLOW_MS
        started.start()
    last = stream_of(started, mark)
    proxy.accept()
    receiver.wait_for(lambda: last in numbers(receiver), SOON_S, "fresh readings")
    receiver.wait_for(lambda: set(least) <= set(numbers(receiver)), SOON_S, "both lives")
    assert started.stop() == 0
    report = receiver.sequence_report("d1")
    for stream, count in least.items():
        assert not report[stream].missing and report[stream].last >= count, (stream, count)
        assert report[stream].in_order
    assert all(not sequence.duplicates for sequence in report.values())
    prove_rows(receiver)
    times = {(r.stream, r.seq): r.ts for r in receiver.readings("d1")}
    for stream in least:
        begun = times[stream, 1] * 1000 if times[stream, 1] < 10**11 else times[stream, 1]
        for (other, n), ts in times.items():
            if other == stream:
                assert abs(ts * 1000 - begun - (n - 1) * SLOW_MS) <= 1001
    births = [s for s in receiver.statuses("d1") if s["status"] == "online"]
    second = list(least)[1]
    assert births[0]["before"]["s"] == second
    assert births[0]["before"]["n"] == report[second].last
    assert births[0]["durability"] == durability
    prove_sound(started)


@pytest.mark.parametrize("durability", ["always", "spill"])
def test_power_cuts_while_connected(mosquitto, receiver, device, durability, seed):
    """`always` loses nothing that was handed over; `spill` at most what is as young as it says."""
    after_s = 2
    started = device(settings(
        mosquitto.port, durability, queue={"spill_after_s": after_s},
        payload={"batch": 40, "max_age_s": 1.5},
    ))
    lives, mark = {}, 0
    for _ in range(4):
        stream = stream_of(started, mark)
        began = time.monotonic()
        receiver.wait_for(lambda s=stream: s in numbers(receiver), SOON_S, "readings")
        time.sleep(random.random() * 2)
        taken_ms = (time.monotonic() - began) * 1000
        mark = started.mark()
        started.kill()
        young_ms = after_s * 1000 if durability == "spill" else 0
        lives[stream] = (taken_ms - young_ms - LATE_MS) // SLOW_MS
        started.start()
    last = stream_of(started, mark)
    receiver.wait_for(lambda: last in numbers(receiver), SOON_S, "the last")
    assert started.stop() == 0
    births = [s for s in receiver.statuses("d1") if s["status"] == "online"]
    found = receiver.sequence_report("d1")
    for (life, least), birth in zip(lives.items(), births[1:], strict=True):
        assert birth["before"]["s"] == life
        assert not found[life].missing, "a hole: what is lost is lost at the end"
        assert found[life].last >= birth["before"]["n"]
        assert found[life].last >= least
    prove_rows(receiver)
    prove_schedule_kept(receiver)
    prove_sound(started)


def test_a_reading_that_is_handed_over_is_never_lost(proxy, receiver, device):
    """`always`: what the device itself says it has sampled, by a command, arrives after a cut."""
    started = device(settings(
        proxy.port, "always", pace_ms=PACE_MS, payload={"batch": 1000, "max_age_s": 3600},
    ))
    stream = stream_of(started)
    receiver.wait_status("d1", "online", SOON_S)
    time.sleep(0.5)
    sampled = receiver.command("d1", {"cmd": "read"})["n"]
    started.kill()
    assert stream not in numbers(receiver)
    started.start()
    receiver.wait_for(
        lambda: sampled in numbers(receiver).get(stream, ()), SOON_S, f"reading {sampled}"
    )
    assert started.stop() == 0
    report = receiver.sequence_report("d1")[stream]
    assert report.perfect and report.count >= sampled


def test_a_reboot_while_a_backlog_drains(proxy, receiver, device):
    proxy.refuse()
    limits = {"publish_per_s": 40}
    started = device(settings(
        proxy.port, pace_ms=PACE_MS, limits=limits, queue={"spill_after_s": 1},
    ))
    stream = stream_of(started)
    wait_failures(started, 10)
    assert started.stop() == 0
    kept = int(started.wait_log(r"(\d+) readings were not delivered; flash keeps them", SOON_S)[1])
    assert int(started.wait_log(r"sampled (\d+)", SOON_S)[1]) == kept
    started.configure(settings(proxy.port, pace_ms=1000, limits=limits))
    proxy.accept()
    for _ in range(2):
        before = len(numbers(receiver).get(stream, ()))
        started.start()
        receiver.wait_for(
            lambda n=before: len(numbers(receiver).get(stream, ())) > n + 20, SOON_S, "some"
        )
        started.kill()
        assert len(numbers(receiver)[stream]) < kept, "that was all of it already"
    started.start()
    receiver.wait_for(lambda: len(numbers(receiver)[stream]) == kept, 30, "the rest")
    assert started.stop() == 0
    report = receiver.sequence_report("d1")[stream]
    assert (report.missing, report.last) == ([], kept)
    prove_rows(receiver)


# ---- no wear for nothing


def test_nothing_is_written_while_all_goes_well(mosquitto, receiver, device):
    started = device(settings(mosquitto.port, pace_ms=PACE_MS))
    receiver.wait_readings("d1", 20, SOON_S)
    assert flash_files(started) == {}
    assert writes(started, 2) == set()
    receiver.wait_readings("d1", 150, SOON_S)
    assert flash_files(started) == {}


def test_nothing_is_written_after_an_outage(proxy, receiver, device):
    started = device(settings(proxy.port, queue={"spill_after_s": 1}))
    receiver.wait_readings("d1", 5, SOON_S)
    proxy.refuse()
    proxy.drop_connections()
    wait_failures(started, 5)
    time.sleep(1.5)
    assert flash_files(started)
    proxy.accept()
    count = len(receiver.readings("d1"))
    receiver.wait_readings("d1", count + 60, SOON_S)
    assert writes(started, 2) == set()
    assert started.stop() == 0
    assert receiver.sequence_report("d1").popitem()[1].missing == []


# ---- outages


def test_an_outage_longer_than_the_memory(proxy, receiver, device):
    """2 KB of RAM hold 200 readings; a minute of them waits, at a hundred a second."""
    proxy.refuse()
    started = device(
        settings(proxy.port, pace_ms=2, queue={"spill_after_s": 60, "limit_kb": 256}),
        flags=["--heap", "196K"],
    )
    wait_failures(started, 12)
    time.sleep(3)
    assert flash_files(started)
    proxy.accept()
    started.wait_log("online", SOON_S)
    assert started.stop() == 0
    sampled = int(started.wait_log(r"sampled (\d+)", SOON_S)[1])
    kept = started.wait_log(r"sampled|(\d+) readings were not delivered; flash keeps", SOON_S)[1]
    if kept:  # a polite stop delivers for 8 s
        started.configure(settings(proxy.port, pace_ms=1000))
        started.start()

    def whole():
        first = next(iter(receiver.sequence_report("d1").values()))
        return first if (first.missing, first.last) == ([], sampled) else None

    report = receiver.wait_for(whole, 30, "all")
    assert set(report.duplicates) <= unsure(proxy), "more than what was under way at the stop"
    prove_rows(receiver)
    prove_schedule_kept(receiver)


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
def test_fresh_readings_do_not_wait_behind_the_backlog(proxy, receiver, device, order):
    proxy.refuse()
    started = device(settings(proxy.port, pace_ms=PACE_MS, queue={"spill_after_s": 1}))
    wait_failures(started, 12)
    assert started.stop() == 0
    stream = stream_of(started)
    started.configure(settings(
        proxy.port, pace_ms=500, queue={"order": order}, limits={"publish_per_s": 20},
        payload={"max_age_s": 1},
    ))
    proxy.accept()
    mark = started.mark()
    started.start()
    fresh = stream_of(started, mark)
    receiver.wait_for(lambda: len(numbers(receiver).get(fresh, ())) >= 6, SOON_S, "fresh")
    old = [r for r in receiver.readings("d1") if r.stream == stream]
    kept = int(started.wait_log(r"(\d+) readings were not delivered; flash keeps", SOON_S)[1])
    assert 10 < len(old) < kept, "the backlog was drained at the same time, and not yet over"
    ages = [time_of - r.ts for r, time_of in arrivals(receiver) if r.stream == fresh]
    assert max(ages) < 1 + 1 + 1, "seconds: max_age_s, the rounding of ts, a slow machine"
    prove_sound(started)


def arrivals(receiver):
    """(reading, Unix time at which its message came)"""
    shift = time.time() - time.monotonic()
    for message in receiver.messages("d1", "data"):
        for reading in decode(message.topic, message.payload):
            yield reading, message.time + shift


# ---- times


def test_a_clock_that_is_set_late_dates_what_was_taken_before(proxy, receiver, device, tmp_path):
    """Also what an earlier life took, that never had the time: the RTC went on."""
    clock = tmp_path / "clock-is-set"
    proxy.refuse()
    started = device(
        settings(proxy.port, queue={"spill_after_s": 1}), env={"PETREL_CLOCK": str(clock)}
    )
    begun, mark = {}, 0
    for _ in range(2):
        begun[stream_of(started, mark)] = time.time()
        time.sleep(2.5)
        mark = started.mark()
        started.kill()
        started.start()
    last = stream_of(started, mark)
    clock.touch()
    proxy.accept()
    receiver.wait_for(lambda: len(numbers(receiver)) == 3, SOON_S, "all lives")
    assert started.stop() == 0
    readings = receiver.readings("d1")
    first = {r.stream: r.ts for r in reversed(readings)}
    assert set(first) == {*begun, last}
    assert all(r.ts and r.ts > 1_700_000_000 for r in readings)
    for stream, at in begun.items():
        assert abs(first[stream] - at) <= 2, "seconds, of which one is the rounding of ts"


def test_what_cannot_be_dated_is_sent_with_its_uptime(proxy, receiver, device, tmp_path):
    """The RTC has been without power: nobody knows for how long."""
    proxy.refuse()
    unset = {"PETREL_CLOCK": str(tmp_path / "never")}
    started = device(settings(proxy.port, queue={"spill_after_s": 1}), env=unset)
    stream = stream_of(started)
    wait_failures(started, 5)
    assert started.stop() == 0
    lives = started.state / "journal" / "lives"
    line = json.loads(lives.read_text())
    line["rtc"][0] = "another"
    lives.write_text(json.dumps(line) + "\n")
    started._env = {**os.environ}
    proxy.accept()
    started.start()
    receiver.wait_for(lambda: len(numbers(receiver)) == 2, SOON_S, "both lives")
    assert started.stop() == 0
    old = [m for m in receiver.messages("d1", "data") if m.json()["s"] == stream]
    assert old and all("up" in m.json() and "ts" not in m.json() for m in old)


# ---- a config that changed


def test_readings_outlive_a_change_of_channels(proxy, receiver, device):
    """They are sent with the keys, units and decimals that they were taken with."""
    proxy.refuse()
    started = device(settings(proxy.port, queue={"spill_after_s": 1}))
    stream = stream_of(started)
    wait_failures(started, 5)
    assert started.stop() == 0
    proxy.accept()
    changed = settings(proxy.port)
    changed["sensors"][0]["channels"] = {
        "temperature": {"column": "temp_c", "unit": "Cel", "decimals": 1}
    }
    started.configure(changed)
    started.start()
    receiver.wait_for(lambda: len(numbers(receiver)) == 2, SOON_S, "both lives")
    assert started.stop() == 0
    rows = data.rows(data.MOTE, data.MOTE_CHANNELS)
    old = [r for r in receiver.readings("d1") if r.stream == stream]
    assert old and all(r.values == rows[r.seq - 1].values for r in old)
    new = [r for r in receiver.readings("d1") if r.stream != stream]
    assert {tuple(r.values) for r in new} == {("temperature",)}
    prove_sound(started)
