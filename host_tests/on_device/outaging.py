"""Runs on the device: the whole application of a stand-in board through a day without a network,
in virtual time. PETREL_PORT is the board, the folder PETREL_FLASH its flash.
"""

import asyncio
import os

from host_tests.boards import air, power, world

PORT = os.getenv("PETREL_PORT")
world.port = PORT


class _Clock:
    time = None

    def now(self):
        return 1_000 if self.time is None else self.time.now()

    def sleep(self, ms):
        self.time.advance(ms)


world.clock = _Clock()
power.on(PORT)
os.chdir(os.getenv("PETREL_FLASH"))  # before anything is imported by a relative path

from firmware import assemble, log  # noqa: E402
from firmware.board import this as board_of  # noqa: E402

from . import server, virtual_time  # noqa: E402

world.clock.time = virtual_time.time


def outage(hours):
    """Boot, live so many hours without an access point. What became of it."""
    world.power_on()
    virtual_time.restart()
    log.uptime._last = log.uptime._ticks()
    board = board_of()
    board.boot()
    counted = board.load("boots").decode()
    app = assemble.assemble(board)
    told = {"problem": board.problem, "counted": counted, "reset": None, "bitten": False}
    uplink, outbox = app._uplink, app._outbox
    async def watch():
        for _ in range(hours * 60):
            await asyncio.sleep_ms(60_000)
            told["bitten"] = told["bitten"] or world.bitten()
        app.end("the day is over")

    async def main():
        watching = asyncio.create_task(watch())
        await app.run()
        await watching

    try:
        asyncio.run(main())
    except world.Reset as reset:
        told["reset"] = reset.cause
    told["sampled"], told["connects"] = outbox.sampled, uplink.connects
    told["failures"] = uplink._backoff.failures
    told["boots"] = board.load("boots").decode()
    told["joins"] = len(air.station.joins)
    told["retained"] = list(board.retained.get("blackbox"))
    return told


server.serve(globals())
