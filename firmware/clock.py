"""The device's clocks: uptime, which everything counts in, and Unix time, which only messages
need.

Unix time is uptime plus an offset that the board's wall clock gives. The offset is kept while the
two agree within `_STEP_MS`, so that readings taken evenly are dated evenly, and taken over when
the wall clock is set.
"""

from micropython import const

_STEP_MS = const(500)


class Clock:
    """`uptime` is a `ticks.Uptime`; `wall_ms()` gives Unix milliseconds, or None while the clock
    is not set. `offset` is Unix time at uptime 0, or None.
    """

    def __init__(self, uptime, wall_ms):
        self.now = uptime.now
        self.wall_ms = wall_ms
        self.offset = None

    def sync(self):
        """Compare with the wall clock, every minute or so."""
        wall = self.wall_ms()
        if wall is not None:
            offset = wall - self.now()
            if self.offset is None or abs(offset - self.offset) > _STEP_MS:
                self.offset = offset

    def is_set(self):
        if self.offset is None:
            self.sync()
        return self.offset is not None

    def unix_ms(self, due_ms):
        """The Unix time of a moment of uptime in ms, or None while the clock is not set."""
        return due_ms + self.offset if self.is_set() else None
