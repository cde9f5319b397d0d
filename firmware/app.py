"""The running application: its parts side by side, and its end."""

import asyncio

from micropython import const

from . import VERSION
from .log import log

_DRAIN_MS = const(8_000)  # the longest that a polite stop goes on delivering


class App:
    """`reboot` is set when the app ended because it was told to start again."""

    def __init__(self, board, identity, vitals, sampler, outbox, uplink, commands, health):
        self.board = board
        self._identity = identity
        self._sampler = sampler
        self._outbox = outbox
        self._uplink = uplink
        self.parts = (  # what runs side by side; more may be added before `run`
            vitals.run(board.watchdog),
            self._wait_for_stop(),
            self._sample(),
            uplink.run(),
            commands.run(),
            health.run(),
        )
        if health.network:
            self.parts += (health.network.run(),)
        if outbox.flash:
            self.parts += (outbox.run(vitals),)
        self._over = asyncio.Event()
        self._why = None
        self._failure = None
        self.reboot = False

    async def run(self):
        """Until a stop is asked for, a part fails, or everything is drained."""
        identity = self._identity
        log("app", "Petrel %s, device %s, stream %d" % (VERSION, identity.id, identity.stream))
        asyncio.get_event_loop().set_exception_handler(self._on_error)
        tasks = [asyncio.create_task(part) for part in self.parts]
        await self._over.wait()
        outbox = self._outbox
        if self._failure:
            if outbox.flash:
                outbox.close()
            raise self._failure
        self._sampler.stop()
        await self._uplink.stop(self._why, _DRAIN_MS)
        for task in tasks:
            task.cancel()
        lost = outbox.close() if outbox.flash else len(outbox)
        identity.remember(self.board, outbox.acked if lost else outbox.sampled, not lost)
        if lost:
            log("app", "%d readings were not delivered and go with the memory" % lost)
        counts = (self._why, outbox.sampled, outbox.acked, outbox.dropped)
        log("app", "%s; sampled %d acked %d dropped %d" % counts)

    def end(self, why):
        """Stop politely; the first reason counts."""
        self._why = self._why or why
        self._over.set()

    def _on_error(self, loop, context):
        """One part has failed, and with it the app."""
        self._failure = context["exception"]
        self._over.set()

    async def _wait_for_stop(self):
        await self.board.stop_requested()
        self.end("stopped")

    async def _sample(self):
        await self._sampler.run()
        outbox = self._outbox
        outbox.flush = True
        outbox.changed.set()
        if self.board.until_drained:
            while len(outbox):
                await outbox.changed.wait_ms(100)
            self.end("drained")
