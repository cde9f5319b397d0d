"""Readings outside the schedule, at the edges that sensors notice.

Edges keep to a measure, since a contact that chatters would else push everything else out of the
queue: ten a second, and twenty at once after a quiet while. What is beyond is dropped and counted;
the next reading of the schedule has the level in any case.
"""

import asyncio

from micropython import const

_LOOK_MS = const(10)
_EACH_MS = const(100)
_AT_ONCE_MS = const(1_900)  # of such shares, saved


class Edges:
    """`slots` are those of the sampler whose sensors have edges; a reading has `count` values."""

    def __init__(self, slots, count, outbox, clock, vitals):
        self.dropped = 0
        self._slots = slots
        self._values = [None] * count
        self._outbox = outbox
        self._clock = clock
        self._vitals = vitals
        self._spent_ms = -_AT_ONCE_MS  # every share up to this moment of uptime has been used

    async def run(self):
        """Until the sensors have ended. Allocates nothing itself."""
        while True:
            running = False
            for slot in self._slots:
                if not slot.ended:
                    running = True
                    self._collect(slot)
            if not running:
                break
            self._vitals.within("edges", _LOOK_MS)
            await asyncio.sleep_ms(_LOOK_MS)
        self._vitals.done("edges")

    def _collect(self, slot):
        values = self._values
        while True:
            for i in range(len(values)):
                values[i] = None
            ago_ms = slot.sensor.edge(values, slot.first)
            if ago_ms is None:
                return
            if self._allowed():
                self._outbox.put(max(0, self._clock.now() - ago_ms), values)
            else:
                self.dropped += 1

    def _allowed(self):
        now = self._clock.now()
        spent = max(self._spent_ms, now - _AT_ONCE_MS - _EACH_MS) + _EACH_MS
        if spent > now:
            return False
        self._spent_ms = spent
        return True
