"""What runs for every reading allocates nothing, so that it never waits for the collector and
never fails for want of memory: `micropython.heap_lock()` turns each allocation into an error.
"""

import pytest

from host_tests.chip import WORDS, Chip


@pytest.fixture
def chip(words):
    with Chip("heap_locked", words) as chip:
        yield chip


@WORDS
def test_putting_a_reading_allocates_nothing(chip):
    assert chip.call("put", 100, 3, 10_000) == [100, 0]


@WORDS
def test_dropping_the_oldest_to_make_room_allocates_nothing(chip):
    queued, dropped = chip.call("put", 5000, 5, 600)
    assert queued + dropped == 5000
    assert dropped > 4000


@WORDS
@pytest.mark.parametrize("convert_ms", [0, 5], ids=["no conversion", "a conversion"])
def test_the_sampler_s_loop_allocates_nothing(chip, convert_ms):
    """Schedule, conversion, reading, queue and the word to the vitals."""
    running, sampled, _, late_ms = chip.call("sample", convert_ms, 10_000)
    assert running, "it ended before the heap was unlocked, so not all was seen"
    assert sampled == 50
    assert late_ms < 2000


@WORDS
def test_the_sampler_drops_without_allocating(chip):
    running, sampled, dropped, _ = chip.call("sample", 0, 200)
    assert running
    assert (sampled, dropped > 30) == (50, True)


@WORDS
def test_the_lock_is_one(chip):
    """An allocation would have been noticed."""
    assert chip.call("allocate") == "MemoryError"
