"""A device that sleeps between readings: no reading lost, no drift, whatever power, network and
clock do (firmware/sleeping.py, in virtual time); and what it carries through its sleep.
"""

import itertools
import json
import os
import random

import pytest

from host_tests.chip import Chip
from host_tests.harness.data import AIRPORT, DATA
from host_tests.on_cpython import load

nap = load("nap")

EVERY_S = 60
LIVES = 1000 if os.environ.get("PETREL_SOAK") else 60
UNIX_S = 1_750_000_000  # at world time 0


def config(file=DATA / AIRPORT, column="temp_f", **sleep):
    channel = {"column": column, "unit": "degF", "decimals": 2}
    sensor = {"driver": "replay", "file": str(file), "every_s": EVERY_S, "loop": True}
    return {
        "device": {"id": "nap"},
        "links": ["umqtt"],
        "payload": {"batch": 10},
        "sleep": {"deep": True, "deliver_every": 5, "listen_s": 0, **sleep},
        "sensors": [{**sensor, "channels": {"t": channel}}],
    }


def run(folder, config, lives, rtc=0, outages=(), cuts=()):
    """A device for so many lives, and on until it has delivered all; what napping.run returns."""
    told = {"rtc": rtc, "outages": outages, "cuts": cuts}
    with Chip("napping", heap="8M") as chip:
        return chip.call("run", str(folder), config, told, lives, deadline_s=30 + lives)


def arrived(result):
    """[(stream, n, Unix seconds or None)] of every reading in every message, in order."""
    found = []
    for _, kind, payload in result["messages"]:
        if kind == "data":
            batch = json.loads(payload)
            for reading in batch if isinstance(batch, list) else [batch]:
                found.append((reading["s"], reading["n"], reading.get("ts")))
    return found


def statuses(result, status):
    every = [json.loads(payload) for _, kind, payload in result["messages"] if kind == "status"]
    return [one for one in every if one["status"] == status]


def assert_whole(result):
    """Every reading that was taken has arrived, under a number of its own and with no gap."""
    taken = [(stream, n) for stream, n, _, _ in result["taken"]]
    assert len(set(taken)) == len(taken), "a number was used twice"
    came = {(stream, n) for stream, n, _ in arrived(result)}
    assert set(taken) == came, sorted(set(taken) ^ came)[:10]
    for stream in {stream for stream, _ in taken}:
        numbers = [n for s, n in taken if s == stream]
        assert numbers == list(range(1, len(numbers) + 1))


def lateness(result):
    """How late each reading was taken against an even schedule from its stream's first, in ms."""
    first = {}
    return [
        world - due - first.setdefault(stream, world - due)
        for stream, _, due, world in result["taken"]
    ]


# ---- whole devices


@pytest.mark.long
@pytest.mark.parametrize("rtc", [0, "none", 3000, -3000])
def test_cycles_with_outages_and_power_cuts_lose_nothing_and_do_not_drift(tmp_path, seed, rtc):
    """The board's clock is right, does not outlive a sleep (RP2040), or is off by 0.3 %."""
    rng = random.Random(seed)
    span = LIVES * EVERY_S * 1000
    outages = [
        [begin, begin + rng.randrange(EVERY_S * 9_000)]
        for begin in sorted(rng.randrange(span) for _ in range(LIVES // 12))
    ]
    cuts = sorted(rng.randrange(span) for _ in range(LIVES // 10))
    result = run(tmp_path, config(), LIVES, rtc, outages, cuts)
    assert len(result["naps"]) >= LIVES - len(cuts)
    assert len({stream for stream, *_ in result["taken"]}) > len(cuts) // 2
    assert_whole(result)
    assert max(map(abs, lateness(result))) < EVERY_S * 1000
    worlds = {(stream, n): world for stream, n, _, world in result["taken"]}
    dated = [(ts, worlds[stream, n]) for stream, n, ts in arrived(result) if ts is not None]
    assert len(dated) > len(worlds) // 2
    assert all(abs(ts - UNIX_S - world / 1000) < EVERY_S for ts, world in dated)


def test_the_reading_is_dated_and_taken_when_it_was_due(tmp_path):
    result = run(tmp_path, config(), 40)
    assert_whole(result)
    worlds = [world for *_, world in result["taken"]]
    gaps = {b - a for a, b in itertools.pairwise(worlds[2:])}
    assert all(abs(gap - EVERY_S * 1000) <= 400 for gap in gaps), gaps
    times = [ts for *_, ts in sorted(arrived(result))]
    assert {b - a for a, b in itertools.pairwise(times)} == {EVERY_S}


def test_it_connects_at_every_so_many_th_wake_up_and_says_when_it_comes_back(tmp_path):
    result = run(tmp_path, config(deliver_every=4), 32)
    births, sleeping = statuses(result, "online"), statuses(result, "sleeping")
    assert len(births) == len(sleeping) == 9, "one when it was switched on, then every fourth"
    assert len({birth["s"] for birth in births}) == 1, "a sleep is no new life"
    assert all(abs(s["next_s"] - 4 * EVERY_S) <= 2 for s in sleeping), sleeping


def test_the_life_before_is_named_until_that_has_been_heard(tmp_path):
    """The network is away when the second life begins."""
    cut, back = 12 * EVERY_S * 1000 + 30_000, 16 * EVERY_S * 1000
    result = run(tmp_path, config(deliver_every=1), 25, outages=[[cut, back]], cuts=[cut])
    births = statuses(result, "online")
    first, second = births[0]["s"], births[-1]["s"]
    last = max(n for stream, n, *_ in result["taken"] if stream == first)
    assert [b["before"] for b in births if "before" in b] == [{"s": first, "n": last}]
    assert next(b for b in births if "before" in b)["s"] == second
    assert_whole(result)


def test_an_alarm_that_begins_or_ends_is_delivered_at_once(tmp_path):
    file = tmp_path / "warm.csv"
    file.write_text("t\n" + "20.00\n" * 6 + "30.01\n" * 3 + "20.00\n" * 20)
    warm = {"channel": "t", "above": 30}
    result = run(tmp_path, config(file, "t", deliver_every=15, alarms=[warm]), 14)
    births = [at for at, kind, _ in result["messages"] if kind == "status"][::2]
    assert [round(at / 1000 / EVERY_S) for at in births[:3]] == [0, 6, 9]


def test_an_outage_does_not_empty_the_battery(tmp_path):
    dark = run(tmp_path, config(), 70, outages=[[0, 69 * EVERY_S * 1000]])
    minutes = [round(at / 1000 / EVERY_S) for at in dark["deliveries"]]
    assert minutes[:6] == [0, 2, 6, 14, 30, 62], "after 1, 2, 4, 8 and so on readings"
    assert_whole(dark)


# ---- what is carried


def test_a_nap_comes_back_as_it_was():
    one = nap.Nap()
    one.stream, one.n, one.wake_ms, one.next_ms = 0x7FFFFFFF, 70_000, 1 << 40, (1 << 40) + 7
    one.offset, one.before = 1_750_000_000_123, {"s": 5, "n": 9, "end": True}
    one.wakes, one.failures, one.lead_ms, one.alarmed, one.urgent = 3, 70_000, 412, True, False
    for told in (None, False, True):
        one.told = told
        again = nap.unpack(one.pack())
        assert vars(again) == {**vars(one), "failures": 0xFFFF}
    one.before = one.offset = None
    assert vars(nap.unpack(one.pack())) == {**vars(one), "failures": 0xFFFF}


@pytest.mark.parametrize("data", [None, b"", b"x" * 12, nap.Nap().pack()[:-1] + b"\xff"])
def test_what_is_no_nap_of_ours_begins_a_new_life(data):
    assert nap.unpack(data).stream == 0


def test_uptime_follows_the_clock_within_an_interval_and_dates_follow_the_rest():
    one = nap.Nap()
    assert one.follow(1_000, None, 60_000) == 1_000 and one.offset is None
    assert one.follow(1_000, 501_000, 60_000) == 1_000 and one.offset == 500_000
    assert one.follow(61_000, 561_300, 60_000) == 61_300, "the chip took 300 ms to start"
    assert one.follow(61_000, 560_700, 60_000) == 60_700
    one.told = True
    assert one.follow(61_000, 561_000 + 3_600_000 + 40, 60_000) == 61_040, "set by an hour"
    assert (one.offset, one.told) == (500_000 + 3_600_000, False)
    assert one.follow(61_000, 561_000 - 40, 60_000) == 60_960, "and back"
    assert one.offset == 500_000


def test_deliveries_that_fail_are_tried_ever_more_rarely():
    one = nap.Nap()
    turns = []
    for _ in range(10):
        one.wakes = 0
        while not one.to_deliver(5, 60):
            one.wakes += 1
        turns.append(one.wakes)
        one.delivered(everything=len(turns) in (1, 8))
    assert turns == [1, 5, 10, 20, 40, 60, 60, 60, 5, 10]
