"""A UDP socket for aiocoap whose messages come from anybody.

aiocoap's own transports raise what its decoder raises, UnicodeDecodeError and others beside
UnparsableMessage, and the loop writes a traceback for each such datagram. Here they are counted.
"""
# pyright: reportIncompatibleMethodOverride=false, reportAssignmentType=false
# pyright: reportAttributeAccessIssue=false

import asyncio

from aiocoap import Message, interfaces
from aiocoap.transports.generic_udp import GenericMessageInterface
from aiocoap.util import hostportjoin


class Remote(interfaces.EndpointAddress):
    """Whom a message came from. send(datagram): answers. identity: who it has proved to be, None
    without encryption. key: the same for all messages of one peer, or of one session with it.
    """

    is_multicast = is_multicast_locally = False

    def __init__(self, send, address, scheme="coap", identity=None, key=None):
        self.send, self.address, self._scheme = send, address, scheme
        self.identity, self._key = identity, key or address

    def __eq__(self, other):
        return isinstance(other, Remote) and self._key == other._key

    def __hash__(self):
        return hash(self._key)

    def __repr__(self):
        return f"<{self.uri_base}>"

    @property
    def scheme(self):
        return self._scheme

    @property
    def hostinfo(self):
        return hostportjoin(*self.address[:2])

    hostinfo_local = property(lambda self: "localhost")
    uri_base = property(lambda self: f"{self._scheme}://{self.hostinfo}")
    uri_base_local = property(lambda self: f"{self._scheme}://localhost")
    blockwise_key = property(lambda self: self._key)


class Transport(GenericMessageInterface):
    """Between aiocoap and a protocol with `open(receive, lost)` and `close()`.

    odd: datagrams that aiocoap could make nothing of.
    """

    def __init__(self, manager, log, protocol):
        super().__init__(manager, log, asyncio.get_running_loop())
        self._protocol, self.odd = protocol, 0

    async def open(self, address):
        """Bind to an address; raises OSError."""
        await self._loop.create_datagram_endpoint(
            lambda: self._protocol, local_addr=address
        )
        self._protocol.open(self._received_datagram, self._received_exception)
        return self

    def _received_datagram(self, address, datagram):
        try:
            message = Message.decode(datagram, remote=address)
            self._mman.dispatch_message(message)
        except Exception:  # whatever it is, nobody else is to suffer from it
            self.odd += 1

    async def recognize_remote(self, remote):
        return isinstance(remote, Remote)

    async def determine_remote(self, request):
        return None  # who has not spoken to us is not spoken to

    async def shutdown(self):
        self._mman = None
        self._protocol.close()


class Plain(asyncio.DatagramProtocol):
    """UDP as it is."""

    def connection_made(self, transport):
        self._transport = transport

    def open(self, receive, lost):
        self._receive = receive

    def close(self):
        self._transport.abort()

    def datagram_received(self, data, addr):
        self._receive(Remote(lambda answer: self._transport.sendto(answer, addr), addr), data)
