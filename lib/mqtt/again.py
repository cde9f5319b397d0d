"""Connecting again and again, with backoff and jitter (`lib/backoff.py`)."""

import asyncio

from backoff import Backoff

from .errors import ProtocolError, Refused
from .packet import const

_PROVEN_MS = const(10_000)  # a connection that lasted so long begins the delays anew
# CONNACK codes that trying again soon can help: 3.1.1's 3; in 5.0 unspecified, server unavailable,
# busy, quota exceeded, connection rate exceeded.
_PASSING = b"\x03\x80\x88\x89\x97\x9f"


class Again:
    """Keeps a client connected. Raises what trying again can't help, but only before the first
    connection.
    """

    def __init__(self, client):
        self._client = client
        self._backoff = Backoff(*client.reconnect)
        self._task = None

    async def begin(self):
        await self._connect(True)
        self._task = asyncio.create_task(self._run())

    def end(self):
        if self._task:
            self._task.cancel()

    async def _run(self):
        client = self._client
        while True:
            since = client.now()
            while client.tasks:
                await client.movement()
            if client.now() - since >= _PROVEN_MS:
                self._backoff.reset()
            await asyncio.sleep_ms(self._backoff.next_ms())
            await self._connect(False)

    async def _connect(self, first):
        client = self._client
        while True:
            try:
                present = await client.connect()
                if not present and client.inboxes:
                    await client.inboxes.subscribe_again()
                return
            except (Refused, OSError, ProtocolError) as error:
                client.error = error
                hopeless = getattr(error, "stage", "") == "tls"
                if isinstance(error, Refused):
                    hopeless = error.code not in _PASSING
                if first and hopeless:
                    raise
            delay = self._backoff.max_ms if hopeless else self._backoff.next_ms()
            await asyncio.sleep_ms(delay)
