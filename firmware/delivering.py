"""The application of a device that sleeps, for as long as a delivery takes.

    connect -> deliver all -> listen for commands -> say "sleeping" -> sleep
       |           |                                   ^
       '-----------+---- `sleep.awake_s` are over -----'

Readings that fall due in between are taken as ever.
"""

import asyncio

from micropython import const

from .app import App
from .identity import Identity, compact

_SLEEPING = const("sleeping")
_LOOK_MS = const(50)


class DeliveringApp(App):
    def __init__(self, sleeper, *parts):
        App.__init__(self, *parts)
        self._sleeper = sleeper
        self._due = None  # of the reading that ends the sleep
        self.parts += (self._deliver(),)
        self._identity.farewell, self._identity.remember = self._farewell, self._remember
        for kept in sleeper.kept:
            self._outbox.put(*kept)

    async def _deliver(self):
        sleeper, outbox, uplink = self._sleeper, self._outbox, self._uplink
        end = sleeper.clock.now() + sleeper.awake_ms
        outbox.flush = True
        await self._until(end, lambda: uplink.connects)
        sleeper.note("connect")
        await self._until(end, lambda: not len(outbox))
        sleeper.note("deliver")
        if not len(outbox):
            await asyncio.sleep_ms(sleeper.listen_ms)
            sleeper.note("listen")
        while self._sampler.converting:
            await asyncio.sleep_ms(_LOOK_MS)
        self._due = self._sampler.next_due()
        if self._due is not None:  # else the recordings have ended
            self._sampler.stop()
            self.end(_SLEEPING)

    async def _until(self, end, done):
        """Return when it is `done`, or at uptime `end`."""
        while self._sleeper.clock.now() < end and not done():
            await self._outbox.changed.wait_ms(_LOOK_MS)

    def _farewell(self, why):
        if why != _SLEEPING:
            return Identity.farewell(self._identity, why)
        return compact({"status": _SLEEPING, "next_s": self._sleeper.next_s(self._due)})

    def _remember(self, board, number, end=False):
        """Asleep this life goes on: the journal knows what of it is safe."""
        if self._why != _SLEEPING:
            Identity.remember(self._identity, board, number, end)

    async def run(self):
        await App.run(self)
        if self._why == _SLEEPING:
            sleeper, outbox = self._sleeper, self._outbox
            nap = sleeper.nap
            nap.n = outbox.sampled
            nap.delivered(everything=not len(outbox))
            if self._uplink.connects:
                nap.before = None
            sleeper.note("end")
            sleeper.sleep(self._due)
