"""An endpoint: one socket, the engine behind it, and the loop between them.

    endpoint = Endpoint(udp.Socket())
    task = asyncio.create_task(endpoint.run())

Clients and a server may share it. The transport is a `udp.Socket` or what has its methods.
"""

import asyncio
from os import urandom

from ticks import Uptime
from wake import Wake

from .exchange import Engine
from .message import const

_DATAGRAM = const(1280)  # the longest that is received
_IDLE_MS = const(60_000)


def random(bits):
    return int.from_bytes(urandom(bits + 7 >> 3), "big") & (1 << bits) - 1


class Endpoint:
    """`server` is called with (incoming, message) for every request, if there is a Serving."""

    def __init__(self, transport, params=None, rtt=None, now=None):
        self.transport = transport
        self.engine = Engine(random, params, rtt)
        self.now = now or Uptime().now
        self.server = None
        self.oversize = 0  # datagrams that were too long
        self._wake = Wake()

    async def run(self):
        """Serve the socket until cancelled."""
        timer = asyncio.create_task(self._keep_time())
        try:
            while True:
                data, peer = await self.transport.receive(_DATAGRAM + 1)
                if len(data) > _DATAGRAM:  # cut, and no message any more
                    self.oversize += 1
                    continue
                self.engine.receive(data, peer, self.now())
                self.flush()
        finally:
            timer.cancel()

    def flush(self):
        """Hand on what happened and send what is to be sent; after every call of the engine."""
        self._pump()
        self._wake.set()

    def _pump(self):
        engine = self.engine
        event = engine.next_event()
        while event:
            if self.server and event[0] == "request":
                self.server(event[1], event[2])
            elif event[1].waiter:
                event[1].event = event
                event[1].waiter.set()
            event = engine.next_event()
        out = engine.next_out()
        while out:
            self.transport.send(out[0], out[1])
            out = engine.next_out()

    async def _keep_time(self):
        while True:
            deadline = self.engine.deadline()
            wait = _IDLE_MS if deadline is None else max(0, deadline - self.now())
            await self._wake.wait_ms(wait)
            self.engine.on_timer(self.now())
            self._pump()
