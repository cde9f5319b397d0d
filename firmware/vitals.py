"""Who is alive: every task says within which time it will be heard of again.

The hardware watchdog is fed while nobody is overdue. A task that waits for the network says so
beforehand, so the network can be away for as long as it likes; a task that hangs or has died
makes the watchdog reset the board.
"""

import asyncio

from micropython import const

from .log import log

_GRACE_MS = const(30_000)
_WATCHDOG_MS = const(8_000)  # RP2040 can wait for 8,388 ms at most
_FEED_MS = const(1_000)


class Vitals:
    def __init__(self, clock):
        self._clock = clock
        self._due = {}

    def within(self, task, ms):
        """`task` will be heard of again in `ms`, give or take _GRACE_MS."""
        self._due[task] = self._clock.now() + ms + _GRACE_MS

    def done(self, task):
        self._due.pop(task, None)

    def overdue(self):
        """The name of a task that is overdue, or None."""
        now = self._clock.now()
        for task in self._due:
            if now > self._due[task]:
                return task
        return None

    async def run(self, watchdog):
        """Feed `watchdog(ms)` while all are alive."""
        while True:
            dead = self.overdue()
            if dead:
                log("vitals", "%s has not been heard of; leaving the board to its watchdog" % dead)
                return
            watchdog(_WATCHDOG_MS)
            await asyncio.sleep_ms(_FEED_MS)
