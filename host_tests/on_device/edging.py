"""Runs on the device: a sampler with contacts at the pins of a stand-in board, in virtual time.
PETREL_PORT is the board.
"""

import asyncio
import os

from host_tests.boards import power, world

from . import virtual_time
from .virtual_time import Clock, Vitals


class _Clock:
    """The board's time is the loop's."""

    def now(self):
        return virtual_time.time.now()

    def sleep(self, ms):
        virtual_time.time.advance(ms)


world.clock = _Clock()
power.on(os.getenv("PETREL_PORT"))

import gc  # noqa: E402

import micropython  # noqa: E402

from firmware import config_kinds, edges, outbox, sampler, sensors  # noqa: E402
from firmware.payloads.json import Encoder  # noqa: E402
from host_tests.boards import pins  # noqa: E402
from ring import RingQueue  # noqa: E402

from . import server  # noqa: E402


class Outbox:
    def __init__(self):
        self.readings = []

    def put(self, due_ms, values, unix_ms=None):
        self.readings.append([due_ms, list(values)])
        return len(self.readings)


def _contact(options):
    channels = {"door": {}}
    entry = {"driver": "gpio", "pin": 4, "every_s": 60, "channels": channels}
    entry.update(options)
    entry = config_kinds.check({"sensors": [entry]}, "/")["sensors"][0]
    return sensors.module("gpio").Sensor(entry, None), int(entry["every_s"] * 1000)


def run(options, happens, until_ms, lose=()):
    """Sample a contact for so long. `happens` are (at_ms, level) of its pin, and
    (at_ms, "block", for_ms) of the loop; interrupts at `lose` times are lost.
    """
    virtual_time.restart(0)
    pins.levels.clear()
    box, vitals = Outbox(), Vitals()
    sampling = sampler.Sampler(box, Clock(), vitals)
    sensor, every_ms = _contact(options)
    slot = sampling.add(sensor, "gpio", every_ms)
    if sensor.edges:
        sampling.edges = edges.Edges([slot], len(sampling.values), box, Clock(), vitals)
    handlers = dict(pins._handlers)

    async def world_goes_on():
        for at_ms, level, *more in happens:
            await asyncio.sleep_ms(max(0, at_ms - virtual_time.time.now()))
            if level == "block":
                virtual_time.time.advance(more[0])
                continue
            if at_ms in lose:
                pins._handlers.clear()
            pins.drive(4, level)
            pins._handlers.update(handlers)

    async def main():
        task = asyncio.create_task(world_goes_on())
        try:
            await asyncio.wait_for_ms(sampling.run(), until_ms)
        except asyncio.TimeoutError:
            pass
        task.cancel()
        sampling.stop()
        await asyncio.sleep_ms(50)

    asyncio.run(main())
    return {
        "readings": box.readings,
        "dropped": sampling.edges.dropped if sampling.edges else None,
        "overdue": vitals.ever_overdue(),
        "tasks": sorted(vitals._due),
    }


def locked(count):
    """So many changes collected and queued with the heap locked; returns how many were queued."""
    virtual_time.restart(0)
    clock, vitals = Clock(), Vitals()
    sensor, _ = _contact({"debounce_ms": 0})
    box = outbox.Outbox(RingQueue(2000), Encoder(sensor.channels, 1), 1, clock, 200)
    sampling = sampler.Sampler(box, clock, vitals)
    slot = sampling.add(sensor, "gpio", 1000)
    collector = edges.Edges([slot], 1, box, clock, vitals)
    gc.collect()
    for n in range(count):
        virtual_time.time.advance(200)
        pins.levels[4] = n & 1
        micropython.heap_lock()
        try:
            sensor.on_edge(sensor._pin)
            collector._collect(slot)
        finally:
            micropython.heap_unlock()
    return box.sampled


server.serve(globals())
