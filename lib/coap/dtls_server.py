"""DTLS 1.2 for an Endpoint that serves, in place of a `udp.Socket`: many peers, one socket.

    transport = ServerSocket(server_context(psks={b"lamp": key}))
    endpoint = Endpoint(transport)
    server = Server(endpoint, proofs=False)

`server_context` is of `coap.dtls_contexts`. A request's `peer` is a `coap.dtls_sessions.Peer`,
which tells whether it has proven who it is. The rules are in `coap.dtls_sessions`; here they meet
the network.
"""

import asyncio

import udp
from ticks import Uptime

from .dtls_sessions import Sessions
from .message import const

_DATAGRAM = const(1536)


class ServerSocket:
    """Bound to `port` of `host`. `bounds` are those of `Sessions`."""

    def __init__(self, context, port=5684, host="0.0.0.0", now=None, **bounds):
        self.sessions = Sessions(context, **bounds)
        self._now = now or Uptime().now
        self._socket = udp.Socket(port, host)
        self.on_event = None  # called with the events of `Sessions` that are no messages

    async def receive(self, limit):
        """Wait for a message; returns (bytes, peer)."""
        sessions = self.sessions
        while True:
            event = sessions.next_event()
            while event:
                if event[0] == "message":
                    return event[2], event[1]
                if self.on_event:
                    self.on_event(event)
                event = sessions.next_event()
            try:
                datagram, address = await self._datagram(sessions.deadline())
                sessions.receive(datagram, address, self._now())
            except asyncio.TimeoutError:
                pass
            deadline = sessions.deadline()
            if deadline is not None and deadline <= self._now():
                sessions.on_timer(self._now())
            self._flush()

    def send(self, data, peer):
        """Send a message, or lose it."""
        self.sessions.send(data, peer)
        self._flush()

    def close(self):
        self._socket.close()

    async def _datagram(self, deadline):
        waiting = self._socket.receive(_DATAGRAM)
        if deadline is None:
            return await waiting
        return await asyncio.wait_for_ms(waiting, max(0, deadline - self._now()))

    def _flush(self):
        out = self.sessions.next_out()
        while out:
            self._socket.send(out[0], out[1])
            out = self.sessions.next_out()
