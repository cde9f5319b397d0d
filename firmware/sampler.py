"""The sampler takes readings when they are due and hands them to the outbox.

Reading k of a sensor is due at start + k x interval, whatever the loop was doing, so the schedule
does not drift. Sensors that are due at the same moment share one reading. A reading that is late
is taken late, and dated when it was due; only what lies more than `_BEHIND_MS` back (a computer
that was asleep) is skipped, and counted.
"""

import asyncio

from micropython import const

from backoff import Backoff

from .log import log
from .sensors import Ended

_BEHIND_MS = const(60_000)
_SLICE_MS = const(20_000)  # the longest wait without a word to the vitals
_BUSY_MS = const(5)
_LOWEST = const(-0x80000000)  # what a record has room for
_HIGHEST = const(0x7FFFFFFF)
_MOST = const(0xFFFFFFFF)  # of a count
_RETRY_FIRST_MS = const(1_000)
_RETRY_MAX_MS = const(300_000)


class _Slot:
    """One sensor in the schedule. Its values are values[first:end] of a reading."""

    def __init__(self, sensor, name, every_ms, speed, first):
        self.sensor = sensor
        self.name = name
        self.every_ms = every_ms
        self.speed = speed
        self.first = first
        self.end = first + len(sensor.channels)
        self.start_ms = None
        self.taken = 0  # k of the next reading
        self.busy = False  # converting
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

    def begin(self, now):
        """Start a conversion; return how long it takes."""
        if now >= self.retry_ms:
            try:
                return self.sensor.begin()
            except (OSError, ValueError) as error:
                self._failure(error, now)
        self.busy = False
        return 0

    def read(self, values, now):
        """Fill this sensor's values and return the time that it gives them, or None."""
        try:
            unix_ms = self.sensor.read(values, self.first)
            for i in range(self.first, self.end):
                if values[i] is not None:
                    _check(values[i], self.sensor.channels[i - self.first].kind)
            if self._backoff.failures:
                log("sampler", "%s can be read again" % self.name)
                self._backoff.reset()
            return unix_ms
        except Ended:
            self.ended = True
            log("sampler", "%s has ended" % self.name)
        except (OSError, ValueError, IndexError) as error:
            self._failure(error, now)
        for i in range(self.first, self.end):
            values[i] = None
        return None

    def _failure(self, error, now):
        self.failed += 1
        if not self._backoff.failures:
            log("sampler", "%s can't be read: %s" % (self.name, error))
        self.retry_ms = now + self._backoff.next_ms()


def _check(value, kind):
    """Raise ValueError for what a record has no room for."""
    if not (0 <= value <= _MOST if kind else _LOWEST <= value <= _HIGHEST):
        raise ValueError("a value beyond 32 bits")


class Sampler:
    def __init__(self, outbox, clock, vitals):
        self._outbox = outbox
        self._clock = clock
        self._vitals = vitals
        self._slots = []
        self.edges = None  # firmware.edges.Edges, if a sensor has some
        self.values = []  # of the last reading
        self.late_ms = 0  # the latest that a reading was taken, since `health` asked last
        self.skipped = 0
        self.converting = False

    def add(self, sensor, name, every_ms, speed=1):
        """`every_ms` / `speed` is the interval; call before `run`. Returns the sensor's slot."""
        same = len([slot for slot in self._slots if slot.name.split(".")[0] == name])
        if same:
            name = "%s.%d" % (name, same)
        slot = _Slot(sensor, name, every_ms, speed, len(self.values))
        self._slots.append(slot)
        self.values += [None] * len(sensor.channels)
        return slot

    def failed(self):
        """{sensor: failed reads} of those that failed."""
        return {slot.name: slot.failed for slot in self._slots if slot.failed}

    async def run(self):
        """Returns when every sensor has ended, or after `stop`. Allocates nothing itself."""
        now = self._clock.now()
        for slot in self._slots:
            if slot.start_ms is None:
                slot.start_ms = now
        if self.edges:
            asyncio.create_task(self.edges.run())  # noqa: RUF006
        while True:
            due = self.next_due()
            if due is None:
                break
            wait = _BUSY_MS if self.converting else self._wait_ms(due)
            if wait:
                await asyncio.sleep_ms(wait)
                continue
            wait = self._begin(due)
            await asyncio.sleep_ms(wait)  # also for 0: when we are late, others want to run too
            self._read(due)
        self._vitals.done("sampler")

    def stop(self):
        """Take no more readings: what is queued could never be delivered while more comes in."""
        for slot in self._slots:
            slot.ended = True

    async def sample_now(self):
        """Take a reading of every sensor outside the schedule; return its number, or None."""
        while self.converting:
            await asyncio.sleep_ms(_BUSY_MS)
        await asyncio.sleep_ms(self._begin(None))
        return self._read(self._clock.now())

    def next_due(self):
        """Uptime of the next reading, or None."""
        due = None
        for slot in self._slots:
            if not slot.ended and (due is None or slot.due_ms() < due):
                due = slot.due_ms()
        return due

    def _wait_ms(self, due):
        """How long to sleep before looking again; 0 when `due` has come."""
        now = self._clock.now()
        wait = max(0, min(due - now, _SLICE_MS))
        self._vitals.within("sampler", wait)
        if wait:
            return wait
        self.late_ms = max(self.late_ms, now - due)
        if now - due > _BEHIND_MS:
            for slot in self._slots:
                if not slot.ended:
                    self.skipped += slot.skip_to(now)
        return 0

    def _begin(self, due):
        """Start the conversions of what is due (None: of everything); return how long they
        take.
        """
        self.converting = True
        now = self._clock.now()
        wait = 0
        for slot in self._slots:
            slot.busy = not slot.ended and (due is None or slot.due_ms() == due)
            if slot.busy:
                if due is not None:
                    slot.taken += 1
                wait = max(wait, slot.begin(now))
        return wait

    def _read(self, due):
        """Collect what `_begin` started; return the number of the reading, or None if no sensor
        gave a value.
        """
        self.converting = False
        values = self.values
        for i in range(len(values)):
            values[i] = None
        now = self._clock.now()
        unix_ms = None
        for slot in self._slots:
            if slot.busy:
                own_ms = slot.read(values, now)
                unix_ms = unix_ms if own_ms is None else own_ms  # 0 is a time too
        for i in range(len(values)):
            if values[i] is not None:
                return self._outbox.put(due, values, unix_ms)
        return None
