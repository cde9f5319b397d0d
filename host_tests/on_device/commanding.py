"""Runs on the device: commands, with stand-ins for what they act upon."""

import asyncio
from binascii import unhexlify

from firmware.commands import Commands
from firmware.identity import Identity
from firmware.sensors import Channel

from . import server, virtual_time
from .virtual_time import Clock, Vitals


class Board:
    reset_cause = "watchdog"


class Uplink:
    def __init__(self):
        self.posts = []

    def post(self, kind, payload):
        self.posts.append([kind, bytes(payload).decode()])


class App:
    reboot = False
    ended = None

    def end(self, why):
        self.ended = why


class Sampler:
    def __init__(self, number, values, raises):
        self.number, self.values, self.raises = number, values, raises

    async def sample_now(self):
        await asyncio.sleep_ms(750)
        if self.raises:
            raise {"OSError": OSError(5), "MemoryError": MemoryError("told to")}[self.raises]
        return self.number


def execute(payloads, number=12, values=(2550, None, -5), raises=None, apart_ms=1000):
    """Hand over commands, (payload in hexadecimal or None, problem or None) each, so far apart.
    `number`, `values` and `raises` are of the sampler. Returns what became of them.
    """
    virtual_time.restart()
    vitals, uplink, app = Vitals(), Uplink(), App()
    channels = [Channel("t", "Cel", 2), Channel("h", "%RH", 0), Channel("ß\u6e29", None, 1)]
    commands = Commands(Board(), Identity("d1", 7), Clock(), vitals, channels)
    commands.uplink, commands.app = uplink, app
    commands.sampler = Sampler(number, list(values), raises)

    async def main():
        running = asyncio.create_task(commands.run())
        await asyncio.sleep_ms(100_000)  # idle
        for payload, problem in payloads:
            commands.receive(payload and unhexlify(payload), problem)
            await asyncio.sleep_ms(apart_ms)
        await asyncio.sleep_ms(100_000)
        died = running.done()
        running.cancel()
        return died

    died = asyncio.run(main())
    return {
        "posts": uplink.posts, "reboot": app.reboot, "ended": app.ended, "died": died,
        "overdue": vitals.ever_overdue(),
    }


server.serve(globals())
