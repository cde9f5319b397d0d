"""Uptime: milliseconds since a start that neither wrap nor run backwards.

MicroPython's tick counter wraps, after 2^30 ms (12.4 days) on boards. `Uptime` adds up the
differences between two looks, which are right as long as two looks are less than half a wrap (6.2
days) apart.
"""

try:
    from time import ticks_diff, ticks_ms
except ImportError:  # CPython has one clock that does not wrap
    from time import monotonic_ns

    def ticks_ms():
        return monotonic_ns() // 1_000_000

    def ticks_diff(later, earlier):
        return later - earlier


class Uptime:
    """`now()` is the integer milliseconds since this object was made.

    `elapsed` is what it said last, and may be set, to go on from there. `ticks` and `diff` replace
    the counter in tests.
    """

    def __init__(self, ticks=ticks_ms, diff=ticks_diff):
        self._ticks = ticks
        self._diff = diff
        self._last = ticks()
        self.elapsed = 0

    def now(self):
        ticks = self._ticks()
        self.elapsed += self._diff(ticks, self._last)
        self._last = ticks
        return self.elapsed
