"""DTLS 1.2 to one peer, in place of a `udp.Socket`, for an Endpoint that asks.

    session = Session(context, udp.resolve("192.0.2.7", 5684), "peer.example")
    endpoint = Endpoint(session)

    HANDSHAKE ---- a datagram is taken ----> OPEN
        ^                                     |
        +--- an alert, a refusal, an error ---+   a new handshake (`restarts`, `failure`)

mbedTLS keeps the handshake's own time-outs, but only when it is called: while one is under way it
is, every `_STEP_MS`. What is sent meanwhile waits, a few datagrams of it; the layer above repeats
what is lost. A peer that has lost the session, by a reboot, just does not answer: whoever notices
makes a new Session.

Memory: a record, and mbedTLS's own, 20 to 40 KB with certificates, far less with a pre-shared key.
"""

import asyncio
import errno
import io
import socket
from asyncio import core

from .message import const

_NOTHING = (errno.EAGAIN, 35)  # 35 is macOS's
_STEP_MS = const(50)
_PAUSE_MS = const(1000)  # between a failure and the next handshake, or two looks for one
_WAITING = const(4)
_DATAGRAM = const(1536)


class _Wire(io.IOBase):
    """What mbedTLS takes for its socket: a datagram at a time, because the records of several
    would be read as one.
    """

    def __init__(self, sock):
        self._sock = sock
        self._datagram = None
        self.more = False  # the last look found something

    def take(self):
        """Let mbedTLS have the next datagram, if there is one."""
        try:
            self._datagram = self._sock.recv(_DATAGRAM)
        except OSError as error:
            if error.errno not in _NOTHING:
                raise
        self.more = self._datagram is not None

    def readinto(self, buffer):
        data = self._datagram
        if data is None:
            return None
        self._datagram = None
        length = min(len(data), len(buffer))
        buffer[:length] = data if length == len(data) else data[:length]
        return length

    def write(self, data):
        return self._sock.send(data)

    def ioctl(self, request, argument):
        return 0


class Session:
    """`context` is an SSLContext of PROTOCOL_DTLS_CLIENT; `name` is what the peer's certificate
    must say, None with a pre-shared key.
    """

    def __init__(self, context, peer, name=None):
        self.peer = peer
        self._context = context
        self._name = name
        self._waiting = []
        self._tls = self._sock = self._wire = None
        self.open = False
        self.failure = None  # what ended the last handshake or session
        self.restarts = -1
        self._connect()

    async def receive(self, limit):
        """Wait for a datagram; returns (bytes, peer)."""
        while True:
            try:
                self._flush()
                self._wire.take()
                data = self._tls.read(limit)
                if data:
                    return data, self.peer
            except (OSError, ValueError) as error:  # ValueError: a certificate does not verify
                self.failure = error
                await asyncio.sleep_ms(_PAUSE_MS)
                self._connect()
            if self._wire.more:
                await asyncio.sleep_ms(0)  # there may be more, but others want their turn
            elif self.open and not self._waiting:
                try:  # a write that failed would not wake us
                    await asyncio.wait_for_ms(self._readable(), _PAUSE_MS)
                except asyncio.TimeoutError:
                    pass
            else:
                await asyncio.sleep_ms(_STEP_MS)

    # async
    def _readable(self):
        yield core._io_queue.queue_read(self._sock)

    def send(self, data, peer):
        """Send a datagram once the handshake is done."""
        if len(self._waiting) >= _WAITING:
            self._waiting.pop(0)
        self._waiting.append(data)
        if self.open:
            try:
                self._flush()
            except OSError as error:
                self.failure = error  # `receive` meets it too

    def close(self):
        self._sock.close()

    def _connect(self):
        """A new socket and handshake: after an error mbedTLS's object is of no use any more."""
        if self._sock:
            self._sock.close()
        self.open = False
        self.restarts += 1
        sock = self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(self.peer)
        sock.setblocking(False)
        self._wire = _Wire(sock)
        self._tls = self._context.wrap_socket(
            self._wire, server_hostname=self._name, do_handshake_on_connect=False
        )

    def _flush(self):
        while self._waiting:
            if not self._tls.write(self._waiting[0]):
                return
            self.open = True
            self._waiting.pop(0)
