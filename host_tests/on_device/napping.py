"""Runs on the device: the whole application asleep most of the time, for a thousand cycles in
virtual time. The board, its clock, its power and the broker are played here; flash is a folder.
"""

import asyncio
import gc
import json

from . import server, virtual_time
from .virtual_time import time

UNIX_MS = 1_750_000_000_000  # at world time 0
_BOOT_MS = 300  # from the wake-up of the chip to the first line of Python


class _Asleep(BaseException):
    pass


class _PowerCut(BaseException):
    pass


class World:
    """told: rtc "none" if it does not outlive a sleep, or the parts in a million that it is wrong;
    outages and cuts: [[from_ms, to_ms]] and [at_ms] of world time.
    """

    def __init__(self, folder, told):
        self.folder = folder
        self.told = told
        self.cuts = list(told["cuts"])
        self.clock = None  # the RTC's ms ahead of world time, or None
        self.taken = []  # [stream, n, due uptime, world time] of each reading
        self.messages = []  # [world time, kind, payload]
        self.naps = []  # ms of each
        self.deliveries = []  # world time of each that was begun
        self.woken = 0  # when the present life's first line of Python ran

    def dark(self):
        return any(a <= time.now() < b for a, b in self.told["outages"])

    def look(self):
        if self.cuts and time.now() >= self.cuts[0]:
            raise _PowerCut


class _Waits(virtual_time._NoSockets):
    def wait_io_event(self, ms):
        virtual_time._NoSockets.wait_io_event(self, ms)
        world.look()


class Link:
    window = 1
    owed = ()

    def __init__(self, options, identity, clock, on_command, longest):
        world.deliveries.append(time.now())
        self._identity = identity

    async def open(self):
        from firmware.links import LinkError

        await asyncio.sleep_ms(400)
        if world.dark():
            await asyncio.sleep_ms(3000)
            raise LinkError("tcp", "nobody there")
        world.clock = UNIX_MS  # the time server is asked
        world.messages.append([time.now(), "status", self._identity.birth().decode()])

    async def send(self, message):
        from firmware.links import LinkError

        await asyncio.sleep_ms(60)
        if world.dark():
            raise LinkError("ack", "none came")
        payload = bytes(message.payload).decode()
        await asyncio.sleep_ms(0)
        world.messages.append([time.now(), message.kind, payload])

    async def run(self):
        await asyncio.Event().wait()

    async def close(self, why):
        world.messages.append([time.now(), "status", self._identity.farewell(why).decode()])


class _Sleep:
    def __init__(self, board):
        self._board = board

    def carried(self):
        return self._board.load("nap") if self._board.reset_cause == "deepsleep" else None

    def awake_ms(self):
        return time.now() - world.woken

    def deepsleep(self, ms, carried):
        self._board.save("nap", carried)
        world.naps.append(ms)
        raise _Asleep(ms)


def _board(cause):
    from firmware.board import unix

    class Board(unix.Board):
        def watchdog(self, ms):
            pass

    board = Board()
    board.wall_ms = lambda: None if world.clock is None else time.now() + world.clock
    board.config_path, board._state = world.folder + "/config.json", world.folder
    board.reset_cause = cause
    return board


def _life(cause):
    """One life; returns the cause of the next."""
    from firmware import log, start
    from firmware.forget import forget

    forget("assemble", "board", "config", "payloads", "sensors")
    from firmware.board import rtc, sleep_unix

    rtc.ticks = lambda board: None
    sleep_unix.Sleep = _Sleep
    virtual_time.restart(time.now() + _BOOT_MS)
    virtual_time.core._io_queue = _Waits()
    world.woken = time.now()
    log.uptime._ticks, log.uptime._diff = time.now, lambda a, b: a - b
    log.uptime.now()
    log.uptime.elapsed = 0
    try:
        start.run(_board(cause))
    except _Asleep as nap:
        return _slept(nap.args[0])
    except _PowerCut:
        return _cut()
    raise RuntimeError("the device ended")


def _slept(ms):
    end = time.now() + ms
    if world.cuts and end >= world.cuts[0]:
        time.advance(world.cuts[0] - time.now())
        return _cut()
    time.advance(ms)
    rtc = world.told["rtc"]
    if rtc == "none":
        world.clock = None
    elif world.clock is not None:
        world.clock += ms * rtc // 1_000_000
    return "deepsleep"


def _cut():
    world.cuts.pop(0)
    world.clock = None
    return "power"


def _watch(sampler):
    read = sampler.Sampler._read

    def _read(self, due):
        number = read(self, due)
        box = self._outbox
        stream = box.nap.stream if hasattr(box, "nap") else box.flash.journal.stream
        world.taken.append([stream, number, due, time.now()])
        return number

    sampler.Sampler._read = _read


def run(folder, config, told, lives):
    """Run so many lives, then end the outages and run until a delivery has emptied the queue."""
    global world
    world = World(folder, told)
    virtual_time.restart(0)
    with open(folder + "/config.json", "w") as file:
        json.dump(config, file)
    cause = "power"
    for _ in range(lives):
        cause = _life(cause)
    world.told["outages"], world.cuts = [], []
    for _ in range(200):
        cause = _life(cause)
        if world.messages and world.messages[-1][0] > world.taken[-1][3]:
            break
    return {
        "taken": world.taken,
        "messages": world.messages,
        "naps": world.naps,
        "deliveries": world.deliveries,
    }


world = None


class _Gc:
    """Collected once a life: the heap is not what is tested here, and there is plenty."""

    collect, mem_free = gc.collect, gc.mem_free

    @staticmethod
    def threshold(size):
        pass


def _assemble(board):
    """As start's, but that what makes the parts is kept: other lives follow in this process."""
    from firmware.assemble import assemble

    return assemble(board)


def setup():
    from firmware import links, sampler, start

    start.gc = _Gc
    start._assemble = _assemble
    links.module = lambda name: __import__("host_tests.on_device.napping", None, None, ("Link",))
    _watch(sampler)


setup()

if __name__ != "__main__":
    server.serve(globals())
