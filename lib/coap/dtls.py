"""DTLS 1.2 to one peer, in place of a `udp.Socket`, for an Endpoint that asks.

    session = Session(client_context(ca), udp.resolve("192.0.2.7", 5684), "peer.example")
    endpoint = Endpoint(session)

How a session begins, fails and is begun again is told in `dtls_connection.py`.
"""

import asyncio
from asyncio import core

from .dtls_connection import PAUSE_MS, Connection
from .message import const

_STEP_MS = const(50)
_LOOK_MS = const(1000)


class Session(Connection):
    """A Connection that is waited for."""

    async def receive(self, limit):
        """Wait for a message; returns (bytes, peer)."""
        while True:
            try:
                data = self.step(limit)
                if data:
                    return data, self.peer
            except (OSError, ValueError) as error:
                await self._begin_again(error)
            if self.more:
                await asyncio.sleep_ms(0)  # there may be more, but others want their turn
            elif self.open and not self._waiting:
                try:  # a write that failed would not wake us
                    await asyncio.wait_for_ms(self._readable(), _LOOK_MS)
                except asyncio.TimeoutError:
                    pass
            else:
                await asyncio.sleep_ms(_STEP_MS)

    # async
    def _readable(self):
        yield core._io_queue.queue_read(self.sock)

    async def _begin_again(self, error):
        self._end(error)
        while True:
            await asyncio.sleep_ms(PAUSE_MS)
            try:
                return self._connect()
            except OSError as again:  # no network, or no memory
                self.failure = again
