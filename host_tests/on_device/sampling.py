"""Runs on the device: the sampler with sensors that do as they are told, in virtual time."""

import asyncio

from firmware import sampler
from firmware.sensors import Channel, Ended

from . import server, virtual_time
from .virtual_time import Clock, Vitals, time

_ERRORS = {"OSError": OSError(5), "ValueError": ValueError("no such value")}


class Sensor:
    """Its n-th value is base + n. What it is told: see test_sampler.sensor()."""

    def __init__(self, told):
        self.told = told
        self.channels = [
            Channel("c%d" % i, None, 0, None, told["kind"]) for i in range(told["channels"])
        ]
        self.reads = 0
        self.attempts = []  # when it was asked

    def begin(self):
        self.attempts.append(time.now())
        self._fail_in("begin")
        return self.told["convert_ms"]

    def read(self, values, first):
        if time.now() >= self.told["slow_from"]:
            time.advance(self.told["read_ms"])
        self.reads += 1
        if self.reads > self.told["ends_after"]:
            raise Ended
        values[first] = self.told["base"] + self.reads
        self._fail_in("read")
        for i in range(1, len(self.channels)):
            values[first + i] = self.told["base"] + self.reads
        return self.told["unix_ms"]

    def _fail_in(self, where):
        for start, end in self.told["fails"]:
            if self.told["fails_in"] == where and start <= time.now() < end:
                raise _ERRORS[self.told["error"]]


class Outbox:
    def __init__(self):
        self.readings = []

    def put(self, due_ms, values, unix_ms=None):
        self.readings.append([due_ms, list(values), unix_ms, time.now()])
        return len(self.readings)


def run(sensors, until_ms, blocks=(), sample_now=(), start_ms=0):
    """Sample for so long. At each of `blocks`, (at_ms, for_ms), the loop is blocked for so long;
    at each of `sample_now` a command takes a reading. Times are from the start on.
    """
    virtual_time.restart(start_ms)
    outbox, vitals, numbers = Outbox(), Vitals(), []
    made = [Sensor(told) for told in sensors]
    sampling = sampler.Sampler(outbox, Clock(), vitals)
    for sensor in made:
        sampling.add(sensor, sensor.told["name"], sensor.told["every_ms"], sensor.told["speed"])

    async def block(at_ms, for_ms):
        await asyncio.sleep_ms(at_ms)
        time.advance(for_ms)

    async def take_one(at_ms):
        await asyncio.sleep_ms(at_ms)
        numbers.append([await sampling.sample_now(), time.now()])

    async def main():
        others = [block(at_ms, for_ms) for at_ms, for_ms in blocks]
        others += [take_one(at_ms) for at_ms in sample_now]
        others = [asyncio.create_task(other) for other in others]
        try:
            await asyncio.wait_for_ms(sampling.run(), until_ms)
        except asyncio.TimeoutError:
            return None
        ended = time.now()
        await asyncio.sleep_ms(max(0, until_ms - ended))
        return ended

    ended_ms = asyncio.run(main())
    return {
        "readings": outbox.readings,
        "numbers": numbers,
        "attempts": [sensor.attempts for sensor in made],
        "late_ms": sampling.late_ms,
        "skipped": sampling.skipped,
        "failed": sampling.failed(),
        "overdue": vitals.ever_overdue(),
        "ended_ms": ended_ms,
    }


server.serve(globals())
