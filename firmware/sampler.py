"""The sampler takes readings when they are due and hands them to the outbox.

Reading k of a sensor is due at start + k x interval, whatever the loop was doing, so the schedule does not drift.
Sensors that are due at the same moment share one reading. A reading that is late is taken late, and dated when it was
due; only what lies more than `_BEHIND_MS` back (a computer that was asleep) is skipped, and counted.
"""

import asyncio

from backoff import Backoff

from .log import log
from .sensors import Ended

_BEHIND_MS = 60_000
_SLICE_MS = 20_000  # the longest wait without a word to the vitals
_RETRY_FIRST_MS = 1_000
_RETRY_MAX_MS = 300_000


class _Slot:
    """One sensor in the schedule. Its values are values[first:end] of a reading."""

    def __init__(self, sensor, name, every_ms, speed, first):
        self.sensor = sensor
        self.name = name
        self.every_ms = every_ms
        self.speed = speed
        self.first = first
        self.end = first + len(sensor.channels)
        self.start_ms = 0
        self.taken = 0  # k of the next reading
        self.ended = False
        self.failed = 0
        self._backoff = Backoff(_RETRY_FIRST_MS, _RETRY_MAX_MS)
        self.retry_ms = 0  # a failing sensor is left alone until then

    def due_ms(self):
        return self.start_ms + self.taken * self.every_ms // self.speed

    def skip_to(self, now):
        """Leave out what is due before `now`; return how many readings."""
        first = self.taken
        while self.due_ms() < now:
            self.taken += max(1, (now - self.due_ms()) * self.speed // self.every_ms)
        return self.taken - first

    def failure(self, error, now):
        self.failed += 1
        if not self._backoff.failures:
            log("sampler", "%s can't be read: %s" % (self.name, error))
        self.retry_ms = now + self._backoff.next_ms()

    def success(self):
        if self._backoff.failures:
            log("sampler", "%s can be read again" % self.name)
            self._backoff.reset()


class Sampler:
    def __init__(self, outbox, clock, vitals):
        self._outbox = outbox
        self._clock = clock
        self._vitals = vitals
        self._slots = []
        self.values = []  # of the last reading
        self.late_ms = 0  # the latest that a reading was taken, since `health` asked last
        self.skipped = 0

    def add(self, sensor, name, every_ms, speed=1):
        """`every_ms` / `speed` is the interval; call before `run`."""
        self._slots.append(_Slot(sensor, name, every_ms, speed, len(self.values)))
        self.values += [None] * len(sensor.channels)

    def failed(self):
        """{sensor: failed reads} of those that failed."""
        return {slot.name: slot.failed for slot in self._slots if slot.failed}

    async def run(self):
        """Returns when every sensor has ended."""
        now = self._clock.now()
        for slot in self._slots:
            slot.start_ms = now
        while True:
            due = self._next_due()
            if due is None:
                self._vitals.done("sampler")
                return
            await self._until(due)
            await self.sample(due)

    async def sample(self, due_ms, everything=False):
        """Take one reading of what is due at `due_ms`; return its number, or None if no sensor gave a value."""
        slots = [s for s in self._slots if not s.ended and (everything or s.due_ms() == due_ms)]
        wait = 0
        for slot in slots:
            if not everything:
                slot.taken += 1
            wait = max(wait, self._begin(slot))
        await asyncio.sleep_ms(wait)  # also for nothing: the others want to run when we are late
        for i in range(len(self.values)):
            self.values[i] = None
        unix_ms = None
        for slot in slots:
            unix_ms = self._read(slot) or unix_ms
        for value in self.values:
            if value is not None:
                return self._outbox.put(due_ms, self.values, unix_ms)
        return None

    def _next_due(self):
        due = None
        for slot in self._slots:
            if not slot.ended and (due is None or slot.due_ms() < due):
                due = slot.due_ms()
        return due

    async def _until(self, due):
        late = self._clock.now() - due
        while late < 0:
            self._vitals.within("sampler", min(-late, _SLICE_MS))
            await asyncio.sleep_ms(min(-late, _SLICE_MS))
            late = self._clock.now() - due
        self._vitals.within("sampler", 0)
        self.late_ms = max(self.late_ms, late)
        if late > _BEHIND_MS:
            for slot in self._slots:
                self.skipped += slot.skip_to(self._clock.now())

    def _begin(self, slot):
        now = self._clock.now()
        if now < slot.retry_ms:
            return 0
        try:
            return slot.sensor.begin()
        except (OSError, ValueError) as error:
            slot.failure(error, now)
            return 0

    def _read(self, slot):
        now = self._clock.now()
        if now < slot.retry_ms:
            return None
        try:
            unix_ms = slot.sensor.read(self.values, slot.first)
            slot.success()
            return unix_ms
        except Ended:
            slot.ended = True
            log("sampler", "%s has ended" % slot.name)
        except (OSError, ValueError, IndexError) as error:
            slot.failure(error, now)
            for i in range(slot.first, slot.end):
                self.values[i] = None
        return None
