"""Puts the application together and runs it: the only module that knows them all."""

import asyncio
import gc
import json
import os
import sys

from micropython import const

from backoff import Backoff
from rate import RateLimit
from ring import RingQueue
from scaled import text

from . import VERSION, links, payloads, sensors
from .clock import Clock
from .commands import CommandError, Commands
from .health import Health
from .identity import Identity
from .log import log, uptime
from .outbox import Outbox
from .sampler import Sampler
from .uplink import Uplink
from .vitals import Vitals

_FREE_FOR_OTHERS = const(16_000)  # bytes of heap that the queue leaves to what is made later
_DRAIN_MS = const(8_000)  # the longest that a polite stop goes on delivering


class App:
    """`reboot` is set when the app ended because it was told to start again."""

    def __init__(self, board, config):
        self._board = board
        self._why = "stopped"
        self._failure = None
        self._over = asyncio.Event()
        self.reboot = False
        self._clock = clock = Clock(uptime, board.wall_ms)
        self._vitals = Vitals(clock)
        self._commands = Commands(
            {"ping": self._ping, "info": self._info, "read": self._read, "reboot": self._reboot},
            self._post,
            self._vitals,
        )
        self._identity = _identity(board, config)
        self._sensors = [
            sensors.module(entry["driver"]).Sensor(entry, board) for entry in config["sensors"]
        ]
        self._channels = [channel for sensor in self._sensors for channel in sensor.channels]
        self._wifi = config["wifi"]
        self._make_parts(config)

    def _make_parts(self, config):
        clock, vitals, identity = self._clock, self._vitals, self._identity
        payload, limits, reconnect = config["payload"], config["limits"], config["reconnect"]
        message_bytes = limits["message_bytes"]
        name = config["links"][0]
        link = links.make(
            name, config[name], identity, clock, self._commands.receive, message_bytes
        )
        encoder = payloads.make(payload["format"], self._channels, identity.stream)
        channels = len(self._channels)
        age_ms = _ms(payload["max_age_s"])
        queue = _queue(config["queue"]["limit_kb"])
        outbox = Outbox(
            queue, encoder, channels, clock, payload["batch"], age_ms, message_bytes, link.window
        )
        sampler = Sampler(outbox, clock, vitals)
        for sensor, entry in zip(self._sensors, config["sensors"]):
            sampler.add(sensor, entry["driver"], _ms(entry["every_s"]), entry.get("speed", 1))
        health = Health(identity, clock, vitals, sampler, outbox)
        backoff = Backoff(_ms(reconnect["first_s"]), _ms(reconnect["max_s"]))
        rate = RateLimit(limits["publish_per_s"], clock.now())
        self._uplink = Uplink(name, link, outbox, clock, vitals, backoff, rate, health.publish)
        health.uplink = self._uplink
        self._outbox, self._sampler, self._health = outbox, sampler, health

    async def run(self):
        """Until a stop is asked for, a part fails, or everything is drained."""
        identity = self._identity
        log("app", "Petrel %s, device %s, stream %d" % (VERSION, identity.id, identity.stream))
        parts = (
            self._vitals.run(self._board.watchdog),
            self._wait_for_stop(),
            self._sample(),
            self._connect(),
            self._commands.run(),
            self._health.run(),
        )
        tasks = [asyncio.create_task(self._guard(part)) for part in parts]
        await self._over.wait()
        if self._failure:
            raise self._failure
        await self._uplink.stop(self._why, _DRAIN_MS)
        for task in tasks:
            task.cancel()
        self._say_goodbye()

    async def _guard(self, part):
        """Run one part; its error is the end of the app."""
        try:
            await part
        except Exception as error:
            self._failure = error
            self._over.set()

    def _end(self, why):
        self._why = why
        self._over.set()

    async def _wait_for_stop(self):
        await self._board.stop_requested()
        self._end("stopped")

    async def _sample(self):
        await self._sampler.run()
        self._outbox.flush = True
        self._outbox.wake()
        while self._board.options["until_drained"] and len(self._outbox):
            await asyncio.sleep_ms(20)
        if self._board.options["until_drained"]:
            self._end("drained")

    async def _connect(self):
        await self._board.network_up(self._wifi)
        await self._uplink.run()

    def _say_goodbye(self):
        outbox = self._outbox
        _remember(self._board, self._identity.stream, outbox.acked)
        if len(outbox):
            log("app", "%d readings could not be delivered and go with the memory" % len(outbox))
        log(
            "app",
            "%s; sampled %d acked %d dropped %d"
            % (self._why, outbox.sampled, outbox.acked, outbox.dropped),
        )

    # Commands

    def _post(self, kind, payload):
        self._uplink.post(kind, payload)

    async def _ping(self, command):
        return {}

    async def _info(self, command):
        """What the device is, and every channel's unit and decimals."""
        return {
            "version": VERSION,
            "python": sys.version.split("; ")[-1],
            "boot": self._board.reset_cause,
            "s": self._identity.stream,
            "up": self._clock.now() // 1000,
            "channels": {c.key: [c.unit, c.decimals] for c in self._channels},
        }

    async def _read(self, command):
        number = await self._sampler.sample_now()
        if number is None:
            raise CommandError("no sensor could be read")
        values = zip(self._channels, self._sampler.values)
        return {
            "n": number,
            "values": {c.key: text(v, c.decimals) for c, v in values if v is not None},
        }

    async def _reboot(self, command):
        self.reboot = True
        self._end("reboot")


def _ms(seconds):
    """A configured number of seconds as integer milliseconds."""
    return int(seconds * 1000 + 0.5)


def _queue(limit_kb):
    """The readings' memory: what the config asks for, or what the heap has beside its other
    uses.
    """
    gc.collect()
    wanted = limit_kb * 1024
    limit = max(1024, min(wanted, gc.mem_free() - _FREE_FOR_OTHERS))
    while True:
        try:
            queue = RingQueue(limit)
            break
        except MemoryError:  # free, but not in one piece
            limit = limit * 3 // 4
    if limit < wanted:
        log(
            "app",
            "the queue has %d KB, not the %d of queue.limit_kb: there is no more memory"
            % (limit // 1024, limit_kb),
        )
    return queue


def _identity(board, config):
    """Who we are in this life: a new stream, and what is known of the last one."""
    before = board.load("stream")
    stream = 0
    while not stream:
        stream = int.from_bytes(os.urandom(4), "big") & 0x7FFFFFFF
    _remember(board, stream, 0)
    about = {"v": VERSION, "boot": board.reset_cause}
    for name in config["links"]:
        if config[name]["insecure"] and not config[name]["tls"]:
            about["insecure"] = True
    try:
        before = json.loads(before) if before else None
    except ValueError:
        before = None
    return Identity(config["device"]["id"] or board.unique_id(), stream, before, about)


def _remember(board, stream, number):
    """Keep the stream and the last of its readings that is known to be safe, for the next life's
    birth.
    """
    board.save("stream", json.dumps({"s": stream, "n": number}).encode())
