"""firmware/sampler.py in virtual time: is every reading taken when it was due?"""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.chip import WORDS, Chip

MINUTE_MS = 60_000
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def chip():
    with Chip("sampling", heap="16M") as chip:
        yield chip


def sensor(every_ms=1000, **told):
    """What a sensor is told: its n-th value is base + n.

    convert_ms: how long a conversion takes. read_ms: how long a read blocks the loop, at times
    from slow_from on. fails: (from, to) times between which it raises `error` in `fails_in`.
    unix_ms: its own time. kind: of its channels.
    """
    usual = {
        "name": "stub", "every_ms": every_ms, "speed": 1, "channels": 1, "base": 0,
        "convert_ms": 0, "read_ms": 0, "slow_from": 0, "ends_after": 10**9, "unix_ms": None,
        "fails": [], "fails_in": "read", "error": "OSError", "kind": None,
    }
    assert told.keys() <= usual.keys()
    return usual | told


def dues(result):
    return [due for due, *_ in result["readings"]]


def values(result):
    return [row for _, row, *_ in result["readings"]]


# ---- the schedule


@pytest.mark.parametrize("every_ms, speed", [(1000, 1), (10, 3), (7, 1), (5000, 50), (1, 1)])
def test_reading_k_is_due_at_start_plus_k_intervals(chip, every_ms, speed):
    count = 200
    until_ms = count * every_ms // speed
    result = chip.call("run", [sensor(every_ms, speed=speed, base=100)], until_ms)
    assert dues(result) == [k * every_ms // speed for k in range(len(dues(result)))]
    assert len(dues(result)) >= count
    assert values(result) == [[101 + k] for k in range(len(dues(result)))]
    assert (result["late_ms"], result["skipped"], result["overdue"]) == (0, 0, [])


@WORDS
def test_the_schedule_holds_where_the_ints_become_long(words):
    """Uptimes beyond 2^30 and 2^31 ms, 12 and 24 days: no small ints any more on a board."""
    for start_ms in (2**30, 2**31):
        with Chip("sampling", words, heap="16M") as chip:
            result = chip.call("run", [sensor(500)], 10_000, [], [], start_ms - 5000)
        assert dues(result)[:20] == [start_ms - 5000 + k * 500 for k in range(20)]


BLOCKS = st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 5000)), max_size=4)


@settings(max_examples=60, deadline=None, print_blob=True)
@given(blocks=BLOCKS, every_ms=st.sampled_from([100, 333, 1000]), convert_ms=st.integers(0, 30))
def test_a_blocked_loop_delays_readings_and_drops_none(chip, blocks, every_ms, convert_ms):
    result = chip.call("run", [sensor(every_ms, convert_ms=convert_ms)], 120_000, blocks)
    assert dues(result) == [k * every_ms for k in range(len(dues(result)))]
    assert len(dues(result)) >= 120_000 // every_ms - 1
    assert result["skipped"] == 0
    longest = sum(for_ms for _, for_ms in blocks) + convert_ms + every_ms
    for due, _, _, taken in result["readings"]:
        assert 0 <= taken - due <= longest
    # When the last block is over and what it delayed is caught up, all is on time again.
    due, _, _, taken = result["readings"][-1]
    assert taken - due <= convert_ms


def test_the_gauge_tells_the_latest_reading(chip):
    result = chip.call("run", [sensor(1000)], 20_000, [[4500, 2600], [9900, 300]])
    assert result["late_ms"] == 2100  # what was due at 5000 was taken at 7100
    assert [taken for *_, taken in result["readings"][4:9]] == [4000, 7100, 7100, 7100, 8000]


def test_up_to_a_minute_behind_is_caught_up(chip):
    result = chip.call("run", [sensor(1000)], 100_000, [[10_500, 59_000]])
    assert dues(result)[:100] == [k * 1000 for k in range(100)]
    assert result["skipped"] == 0


def test_more_than_a_minute_behind_is_skipped_and_counted(chip):
    """A computer that slept for an hour goes on where the grid is now."""
    result = chip.call("run", [sensor(1000, base=7)], HOUR_MS + 20_000, [[10_500, HOUR_MS]])
    before, after = dues(result)[:11], dues(result)[11:]
    assert before == [k * 1000 for k in range(11)]
    assert after[0] == HOUR_MS + 11_000
    assert all(due % 1000 == 0 for due in after)
    assert result["skipped"] == HOUR_MS // 1000
    assert result["late_ms"] > MINUTE_MS
    assert values(result) == [[8 + k] for k in range(len(values(result)))]


def test_only_what_was_missed_counts_as_skipped(chip):
    """A sensor that has ended, and one that is not due, miss nothing while the computer sleeps."""
    sensors = [sensor(1000), sensor(10, ends_after=3), sensor(2 * HOUR_MS)]
    result = chip.call("run", sensors, HOUR_MS + 20_000, [[10_500, HOUR_MS]])
    assert result["skipped"] == HOUR_MS // 1000


# ---- several sensors


def test_sensors_that_are_due_together_share_a_reading(chip):
    sensors = [sensor(4000, base=100), sensor(6000, base=200, channels=2)]
    result = chip.call("run", sensors, 13_000)
    assert list(zip(dues(result), values(result), strict=True)) == [
        (0, [101, 201, 201]),
        (4000, [102, None, None]),
        (6000, [None, 202, 202]),
        (8000, [103, None, None]),
        (12_000, [104, 203, 203]),
    ]


def test_a_reading_waits_for_the_slowest_conversion(chip):
    result = chip.call("run", [sensor(convert_ms=5), sensor(convert_ms=750)], 5500)
    assert [taken - due for due, _, _, taken in result["readings"]] == [750] * 5
    assert dues(result) == [0, 1000, 2000, 3000, 4000]


def test_conversions_longer_than_the_interval_of_another_delay_it_and_drop_nothing(chip):
    result = chip.call("run", [sensor(100), sensor(1000, convert_ms=750)], 5000)
    assert dues(result) == [k * 100 for k in range(len(dues(result)))]
    assert len(dues(result)) >= 49
    assert result["skipped"] == 0


def test_the_time_that_a_source_gives_goes_with_the_reading(chip):
    result = chip.call("run", [sensor(unix_ms=1_732_265_000_123)], 2500)
    assert [unix_ms for _, _, unix_ms, _ in result["readings"]] == [1_732_265_000_123] * 3


def test_a_source_may_give_the_first_moment_of_1970(chip):
    """A recording that counts its seconds from 0."""
    result = chip.call("run", [sensor(unix_ms=0)], 500)
    assert [unix_ms for _, _, unix_ms, _ in result["readings"]] == [0]


@pytest.mark.parametrize(
    "kind, fits, beyond",
    [(None, 2**31 - 1, 2**31), (None, -(2**31), -(2**31) - 1), ("count", 2**32 - 1, 2**32),
     ("count", 0, -1)],
)
def test_what_has_no_room_in_a_record_is_no_value(chip, kind, fits, beyond):
    result = chip.call("run", [sensor(kind=kind, base=fits - 1, ends_after=1)], 500)
    assert values(result) == [[fits]]
    result = chip.call("run", [sensor(kind=kind, base=beyond - 1), sensor()], 500)
    assert values(result) == [[None, 1]]


# ---- sensors that fail


@pytest.mark.parametrize("error", ["OSError", "ValueError"])
@pytest.mark.parametrize("fails_in", ["begin", "read"])
def test_a_failing_sensor_is_left_out_and_the_others_are_not(chip, fails_in, error):
    bad = sensor(base=500, channels=2, fails=[(5000, 25_000)], fails_in=fails_in, error=error)
    result = chip.call("run", [sensor(base=100), bad], 60_500)
    assert dues(result) == [k * 1000 for k in range(61)]
    assert [row[0] for row in values(result)] == [101 + k for k in range(61)]
    for due, row in zip(dues(result), values(result), strict=True):
        if due < 5000 or due > 60_000:
            assert None not in row
        elif due < 25_000:
            assert row[1:] == [None, None], "a half-read sensor has no value at all"


def attempts_while_it_fails(chip, until_ms, **told):
    result = chip.call("run", [sensor(fails=[(5000, 10**12)], **told), sensor()], until_ms)
    times = [attempt for attempt in result["attempts"][0] if attempt >= 5000]
    return result, times


@pytest.mark.parametrize("fails_in", ["begin", "read"])
def test_a_failing_sensor_is_tried_again_less_and_less_often(chip, fails_in):
    """Full jitter between 1 s and a cap that doubles up to 300 s."""
    result, times = attempts_while_it_fails(chip, 8 * HOUR_MS // 4, fails_in=fails_in)
    pauses = [after - before for before, after in itertools.pairwise(times)]
    # An attempt waits for the grid of readings, 1 s, after its delay is over.
    assert all(1000 <= pause <= 301_000 for pause in pauses)
    for n, pause in enumerate(pauses[:8], 1):
        assert pause <= 1000 * 2**n + 1000
    assert max(pauses) > 60_000
    if fails_in == "read":
        assert result["failed"] == {"stub": len(times)}
    assert len(times) < 200


def test_failing_and_mending_are_logged_once_each():
    with Chip("sampling", heap="16M") as chip:
        chip.call("run", [sensor(name="bme280", fails=[(2000, 9000)])], 60_000)
        log = [line.partition(" ")[2] for line in chip.errors().splitlines()]
    assert len(log) == 2
    assert log[0].startswith("sampler: bme280 can't be read: ")
    assert log[1] == "sampler: bme280 can be read again"


def test_after_it_was_mended_a_sensor_starts_again_at_the_bottom(chip):
    result, _ = attempts_while_it_fails(chip, 5500)
    bad = sensor(fails=[(5000, 600_000), (1_200_000, 10**12)])
    result = chip.call("run", [bad], 1_210_000)
    times = [attempt for attempt in result["attempts"][0] if attempt >= 1_200_000]
    assert times[1] - times[0] <= 3000


def test_sensors_of_one_driver_are_counted_all(chip):
    """Two replays: health tells the failures of both."""
    bad, worse = sensor(fails=[(0, 500)]), sensor(fails=[(0, 10**12)])
    result = chip.call("run", [bad, worse, sensor()], 60_000)
    attempts = len(result["attempts"][1])
    assert sum(result["failed"].values()) == 1 + attempts


# ---- sensors that end


def test_a_sensor_that_has_ended_leaves_the_others_alone(chip):
    result = chip.call("run", [sensor(base=100, ends_after=3), sensor(2000, base=200)], 6500)
    assert list(zip(dues(result), values(result), strict=True)) == [
        (0, [101, 201]),
        (1000, [102, None]),
        (2000, [103, 202]),
        (4000, [None, 203]),
        (6000, [None, 204]),
    ]
    assert result["ended_ms"] is None


def test_sampling_ends_with_the_last_sensor(chip):
    result = chip.call("run", [sensor(ends_after=3), sensor(500, ends_after=2)], 60_000)
    assert dues(result) == [0, 500, 1000, 2000]
    assert result["ended_ms"] == 3000
    assert result["overdue"] == []


# ---- a reading on command


def test_a_reading_now_is_of_every_sensor_and_leaves_the_schedule_alone(chip):
    sensors = [sensor(1000, base=100), sensor(10_000, base=200)]
    result = chip.call("run", sensors, 3500, [], [1400])
    assert list(zip(dues(result), values(result), strict=True)) == [
        (0, [101, 201]),
        (1000, [102, None]),
        (1400, [103, 202]),
        (2000, [104, None]),
        (3000, [105, None]),
    ]
    assert result["numbers"] == [[3, 1400]]


def test_a_reading_now_waits_for_a_conversion_that_is_going_on(chip):
    """And the schedule waits for the reading: no conversion is begun twice."""
    result = chip.call("run", [sensor(convert_ms=700)], 12_000, [], [1100, 1800, 1900])
    attempts = result["attempts"][0]
    assert all(b - a >= 700 for a, b in itertools.pairwise(attempts))
    numbers = [number for number, _ in result["numbers"]]
    assert len(set(numbers)) == 3 and None not in numbers
    scheduled = [due for due in dues(result) if due % 1000 == 0]
    assert scheduled == [k * 1000 for k in range(len(scheduled))]
    assert values(result) == [[1 + k] for k in range(len(values(result)))]


def test_a_reading_now_of_sensors_that_all_fail_or_have_ended_is_none(chip):
    result = chip.call("run", [sensor(ends_after=1)], 5000, [], [3000])
    assert result["numbers"] == [[None, 3000]]
    result = chip.call("run", [sensor(fails=[(0, 10**12)])], 5000, [], [3500])
    assert result["numbers"] == [[None, 3500]]
    assert result["readings"] == []


def test_a_reading_now_may_find_the_end(chip):
    result = chip.call("run", [sensor(ends_after=2)], 5000, [], [1500])
    assert dues(result) == [0, 1000]
    assert result["ended_ms"] is not None


# ---- a sign of life


@pytest.mark.parametrize("every_ms", [1000, 20_000, 86_400_000])
def test_who_sleeps_long_is_still_heard_of(chip, every_ms):
    result = chip.call("run", [sensor(every_ms)], 3 * every_ms // 2)
    assert result["overdue"] == []


def test_who_works_all_the_time_is_alive(chip):
    """Readings that take a little longer than their interval: late, but the watchdog is fed."""
    result = chip.call("run", [sensor(50, read_ms=60, slow_from=1000)], 5 * MINUTE_MS)
    assert result["late_ms"] > 40_000
    assert result["overdue"] == []


def test_who_has_ended_is_not_missed(chip):
    result = chip.call("run", [sensor(ends_after=1)], 10 * MINUTE_MS)
    assert result["overdue"] == []
