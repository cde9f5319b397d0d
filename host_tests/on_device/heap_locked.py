"""Runs on the device: what must not allocate, with the heap locked."""

import asyncio
import gc

import micropython

from firmware import vitals
from firmware.outbox import Outbox
from firmware.payloads.json import Encoder
from firmware.sampler import Sampler
from firmware.sensors import Channel, Ended
from ring import RingQueue
from ticks import Uptime

from . import server


class Clock:
    def __init__(self):
        self.now = Uptime().now

    def unix_ms(self, uptime_ms):
        return None


class Board:
    """Takes the watchdog's word and keeps nothing."""

    def watchdog(self, ms):
        pass


class Sensor:
    """Gives every value there is, and allocates nothing."""

    def __init__(self, convert_ms, ends_after):
        self.channels = [Channel("a%d" % i, None, 0) for i in range(3)]
        self.convert_ms, self.ends_after = convert_ms, ends_after
        self.reads = 0

    def begin(self):
        return self.convert_ms

    def read(self, values, first):
        self.reads += 1
        if self.reads > self.ends_after:
            raise Ended
        values[first] = self.reads & 0xFFFF
        values[first + 1] = None if self.reads & 1 else -self.reads
        values[first + 2] = -1 << 28 if self.reads & 2 else (1 << 28) - 1


def _outbox(channels, queue_bytes):
    encoder = Encoder([Channel("a", None, 0)] * channels, 1)
    return Outbox(RingQueue(queue_bytes), encoder, channels, Clock(), 200)


def put(count, channels, queue_bytes):
    """Put so many readings; returns how many are queued and dropped, or what was raised."""
    outbox = _outbox(channels, queue_bytes)
    values = [None] * channels
    gc.collect()
    micropython.heap_lock()
    try:
        for n in range(count):
            for i in range(channels):
                values[i] = (n << 12) * (1 if i & 1 else -1)
            outbox.put(n * 1000, values)
    except MemoryError as error:
        micropython.heap_unlock()
        return repr(error)
    micropython.heap_unlock()
    return [len(outbox), outbox.dropped]


def allocate():
    """What is raised by something that does allocate."""
    micropython.heap_lock()
    try:
        bytearray(100)
    except MemoryError as error:
        micropython.heap_unlock()
        return type(error).__name__
    micropython.heap_unlock()
    return None


def sample(convert_ms, queue_bytes):
    """Run the whole loop of a sampler with two sensors until both have ended, the heap locked from
    the first reading on. Returns the readings put and dropped, or what was raised.
    """
    clock = Clock()
    alive = vitals.Vitals(clock)
    outbox = _outbox(6, queue_bytes)
    sampler = Sampler(outbox, clock, alive)
    sampler.add(Sensor(convert_ms, 50), "stub", 8)
    sampler.add(Sensor(convert_ms, 20), "other", 16)

    async def main():
        task = asyncio.create_task(sampler.run())
        watching = asyncio.create_task(alive.run(Board().watchdog))
        await asyncio.sleep_ms(40)
        gc.collect()
        micropython.heap_lock()
        while outbox.sampled < 40:
            await asyncio.sleep_ms(5)
        micropython.heap_unlock()
        running = not task.done()
        await task
        watching.cancel()
        return running

    try:
        running = asyncio.run(main())
    except MemoryError as error:
        micropython.heap_unlock()
        return repr(error)
    return [running, outbox.sampled, outbox.dropped, sampler.late_ms]


server.serve(globals())
