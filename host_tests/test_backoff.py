"""lib/backoff.py: never sooner than first_ms, never later than max_ms, and spread between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoff import Backoff
from host_tests.chip import WORDS, Chip

PAIRS = st.tuples(st.integers(1, 10**8), st.integers(1, 10**8)).map(sorted)


@given(PAIRS, st.integers(1, 40))
def test_every_delay_is_within_its_bounds(pair, failures):
    first, longest = pair
    backoff = Backoff(first, longest)
    for n in range(1, failures + 1):
        assert first <= backoff.next_ms() <= min(longest, first * 2**n)
        assert backoff.failures == n


@given(PAIRS, st.integers(1, 40))
def test_a_delay_can_be_anything_between_the_bounds(pair, failures):
    first, longest = pair
    soonest = Backoff(first, longest, lambda n: 0)
    latest = Backoff(first, longest, lambda n: n - 1)
    for n in range(1, failures + 1):
        assert soonest.next_ms() == first
        assert latest.next_ms() == min(longest, first * 2**n)


def test_a_success_starts_again_at_the_bottom():
    backoff = Backoff(1000, 120_000, lambda n: n - 1)
    delays = [backoff.next_ms() for _ in range(8)]
    assert delays == [2000, 4000, 8000, 16_000, 32_000, 64_000, 120_000, 120_000]
    backoff.reset()
    assert backoff.failures == 0
    assert backoff.next_ms() == 2000


def test_delays_are_evenly_spread():
    """In ten equal parts of the range each is hit about as often as the others."""
    backoff = Backoff(1000, 11_000)
    for _ in range(10):
        backoff.next_ms()
    hits = [0] * 10
    for _ in range(10_000):
        hits[min(9, (backoff.next_ms() - 1000) // 1000)] += 1
    assert 800 < min(hits) <= max(hits) < 1200  # 1000 each, 6.7 standard deviations of 30


@pytest.mark.parametrize("first, longest", [(0, 10), (-1, 10), (11, 10)])
def test_bounds_that_make_no_sense_are_refused(first, longest):
    with pytest.raises(ValueError, match="0 < first_ms <= max_ms"):
        Backoff(first, longest)


@WORDS
def test_devices_that_start_at_one_moment_do_not_come_back_at_one(words):
    """Each draws its own numbers: MicroPython's generator is seeded, not the same every time."""
    seen = []
    for _ in range(3):
        with Chip("libraries", words) as chip:
            delays = chip.call("backoff_delays", 1000, 86_400_000, 40)
        assert all(1000 <= delay <= 86_400_000 for delay in delays)
        seen.append(delays)
    assert seen[0] != seen[1] != seen[2]
