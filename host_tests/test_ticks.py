"""lib/ticks.py and firmware/clock.py: time that neither wraps nor jumps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tests.chip import WORDS, Chip
from host_tests.on_cpython import load
from ticks import Uptime

Clock = load("clock").Clock

PERIOD = 2**30  # of a board's counter


def diff(later, earlier):
    """As MicroPython's ticks_diff."""
    return (later - earlier + PERIOD // 2) % PERIOD - PERIOD // 2


@given(st.integers(0, PERIOD - 1), st.lists(st.integers(0, PERIOD // 2 - 1), max_size=50))
def test_uptime_goes_on_where_the_counter_wraps(start, steps):
    passed = 0
    uptime = Uptime(lambda: (start + passed) % PERIOD, diff)
    for step in steps:
        passed += step
        assert uptime.now() == passed


def test_uptime_on_cpython_never_runs_backwards():
    uptime = Uptime()
    looks = [uptime.now() for _ in range(1000)]
    assert looks == sorted(looks)
    assert 0 <= looks[0] <= looks[-1] < 5000


@WORDS
def test_uptime_passes_the_real_wrap(words):
    """With the device's own ticks_diff, over its own period, three times round."""
    with Chip("libraries", words) as chip:
        assert chip.call("uptime_over_wraps", 3) == "right"


class Wall:
    """A clock, an uptime and a wall clock in the test's hands."""

    def __init__(self, wall_ms=None):
        self.uptime_ms, self.wall_ms = 1000, wall_ms
        uptime = Uptime(lambda: self.uptime_ms, lambda later, earlier: later - earlier)
        self.clock = Clock(uptime, lambda: self.wall_ms)

    def run(self, ms, off_ms=0):
        self.uptime_ms += ms
        if self.wall_ms is not None:
            self.wall_ms += ms + off_ms


def test_the_clock_is_not_set_until_the_wall_clock_is():
    wall = Wall()
    assert not wall.clock.is_set()
    assert wall.clock.unix_ms(0) is None
    wall.wall_ms = 1_700_000_000_000
    assert wall.clock.is_set()
    assert wall.clock.unix_ms(wall.clock.now()) == 1_700_000_000_000


@pytest.mark.parametrize(
    "off_ms, moved", [(0, 0), (400, 0), (-400, 0), (501, 501), (-7_200_000, -7_200_000)]
)
def test_small_differences_are_left_alone_and_large_ones_taken_over(off_ms, moved):
    wall = Wall(1_700_000_000_000)
    before = wall.clock.unix_ms(wall.clock.now())
    wall.run(60_000, off_ms)
    wall.clock.sync()
    assert wall.clock.unix_ms(wall.clock.now()) - before == 60_000 + moved


def test_a_wall_clock_that_drifts_is_followed():
    """100 ms a minute: never more than the step away, though each minute's difference is small."""
    wall = Wall(1_700_000_000_000)
    wall.clock.sync()
    for _ in range(60):
        wall.run(60_000, 100)
        wall.clock.sync()
        assert abs(wall.clock.unix_ms(wall.clock.now()) - wall.wall_ms) <= 500


def test_a_wall_clock_that_is_lost_does_not_unset_the_clock():
    wall = Wall(1_700_000_000_000)
    wall.clock.sync()
    wall.wall_ms = None
    wall.clock.sync()
    assert wall.clock.is_set()
