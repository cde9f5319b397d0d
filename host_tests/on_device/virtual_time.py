"""Runs on the device: asyncio in a time of its own, which stands still while anything can run.

When every task sleeps the time jumps to the next deadline, so hours pass in milliseconds, and what
happens when is the same in every run. `advance` is what a call that blocks the loop does.
"""

from asyncio import core
from time import ticks_add

from firmware import vitals
from ticks import ticks_ms

# Later than any real tick of this process: the loop gives those to tasks that are to run at once.
_START = ticks_add(ticks_ms(), 100_000_000)


class _Time:
    def __init__(self):
        self.start_ms = 0  # what `now` said when the loop was made
        self.passed_ms = 0  # since then

    def now(self):
        """The device's uptime in ms."""
        return self.start_ms + self.passed_ms

    def advance(self, ms):
        self.passed_ms += ms

    def ticks(self):
        return ticks_add(_START, self.passed_ms)


time = _Time()


class _NoSockets:
    """Stands in for the loop's queue of sockets, where it waits."""

    def __init__(self):
        self.map = {}

    def wait_io_event(self, ms):
        if ms < 0:
            raise RuntimeError("every task waits, and nothing will wake one")
        time.advance(ms)


core.ticks = time.ticks
core._io_queue = _NoSockets()


class Clock:
    """As firmware.clock.Clock, in virtual time; Unix time is `unix_start_ms` at the start."""

    unix_start_ms = 1_700_000_000_000

    def now(self):
        return time.now()

    def is_set(self):
        return self.unix_start_ms is not None

    def unix_ms(self, uptime_ms):
        return uptime_ms + self.unix_start_ms if self.is_set() else None


class Vitals(vitals.Vitals):
    """Remembers every task that was heard of too late: the watchdog would have bitten."""

    def __init__(self):
        super().__init__(Clock())
        self.late = []

    def within(self, task, ms):
        if self.overdue():
            self.late.append(self.overdue())
        super().within(task, ms)

    def ever_overdue(self):
        """Who was late, and who is now."""
        return self.late + [task for task in (self.overdue(),) if task]


def restart(now_ms=0):
    """A new loop without the tasks of the last one, at a time of one's own choice."""
    core.new_event_loop()
    core._io_queue = _NoSockets()
    time.start_ms, time.passed_ms = now_ms, 0
