"""Commands from the peer: `{"id":…,"cmd":…}` in, `{"id":…,"ok":true,…}` out, or
`{"id":…,"ok":false,"error":…}`.

They wait in a short inbox and are executed one after the other; `firmware/actions.py` does it.
"""

import asyncio

from micropython import const

from .forget import forget

_INBOX = const(4)
_BUSY = const(b'{"id":null,"ok":false,"error":"busy; 4 commands wait already"}')
_NO_MEMORY = const(b'{"id":null,"ok":false,"error":"not enough memory for commands"}')
_EXECUTION_MS = const(30_000)  # the longest that a command may take


class Commands:
    """`app`, `sampler` and `uplink` are made after us, and set then."""

    def __init__(self, board, identity, clock, vitals, channels):
        self.app = self.sampler = self.uplink = None
        self.board = board
        self.identity = identity
        self.clock = clock
        self.channels = channels
        self._vitals = vitals
        self._inbox = []
        self._arrived = asyncio.Event()

    def receive(self, payload, problem):
        """Take a command from a link: its bytes, or why they can't be had."""
        if len(self._inbox) == _INBOX:
            self.uplink.post("responses", _BUSY)
        else:
            self._inbox.append((payload, problem))
            self._arrived.set()

    async def run(self):
        while True:
            self._vitals.done("commands")
            await self._arrived.wait()
            self._arrived.clear()
            try:
                await self._execute()
                forget("actions")
            except MemoryError:  # no reason to stop measuring
                self._inbox.clear()
                self.uplink.post("responses", _NO_MEMORY)

    async def _execute(self):
        from .actions import answer

        while self._inbox:
            self._vitals.within("commands", _EXECUTION_MS)
            payload, problem = self._inbox.pop(0)
            self.uplink.post("responses", await answer(self, payload, problem))
