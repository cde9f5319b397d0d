"""DTLS 1.2 to one peer, in place of a `udp.Socket`, for an Endpoint that asks.

    session = Session(client_context(ca), udp.resolve("192.0.2.7", 5684), "peer.example")
    endpoint = Endpoint(session)

    HANDSHAKE ---- a message is taken -----> OPEN
        ^                                     |
        +--- an alert, a refusal, an error ---+   a new handshake (`restarts`, `failure`)
             silence of `silent_ms`

mbedTLS keeps the handshake's own time-outs, but only when it is called: while one is under way it
is, every `_STEP_MS`. What is sent meanwhile waits, a few messages of it; the layer above repeats
what is lost. A peer that has lost the session, by a reboot, just does not answer (RFC 6347,
section 4.2.8 leaves it to us): what it does not answer for `silent_ms` ends the session, and the
message that is repeated next goes through a new one.

Memory: a record, and mbedTLS's own, 20 to 40 KB with certificates, far less with a pre-shared key.
"""

import asyncio
import errno
import socket
from asyncio import core

from ticks import Uptime

from .dtls_wire import Wire, read
from .message import const

_NOTHING = (errno.EAGAIN, 35)  # 35 is macOS's
_STEP_MS = const(50)
_PAUSE_MS = const(1000)  # between a failure and the next handshake, or two looks for one
_WAITING = const(4)
_DATAGRAM = const(1536)


class Session:
    """`context` is of `coap.dtls_contexts`; `name` is what the peer's certificate must say, None
    with a pre-shared key. `silent_ms` None: a peer may be silent for ever, as one is that is sent
    nothing but what asks for no answer.
    """

    def __init__(self, context, peer, name=None, silent_ms=20_000):
        self.peer = peer
        self._context = context
        self._name = name
        self._silent_ms = silent_ms
        self._now = Uptime().now
        self._waiting = []
        self._unanswered_ms = None  # when the first message was sent that nothing followed
        self._tls = self._sock = self._wire = None
        self.open = False
        self.failure = None  # what ended the last handshake or session
        self.restarts = -1
        self._connect()

    async def receive(self, limit):
        """Wait for a message; returns (bytes, peer)."""
        while True:
            more = False
            try:
                self._flush()
                more = self._take()
                data = read(self._tls, limit)
                self._put_out()
                if data:
                    self._unanswered_ms = None
                    return data, self.peer
                if data is not None:
                    raise OSError("closed by the peer")
                self._check()
            except (OSError, ValueError) as error:  # ValueError: a certificate does not verify
                self.failure = error
                await self._begin_again()
            if more:
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
        """Send a message once the handshake is done."""
        if len(self._waiting) >= _WAITING:
            self._waiting.pop(0)
        self._waiting.append(data)
        if self.open:
            try:
                self._flush()
            except OSError as error:
                self.failure = error  # `receive` meets it too

    def close(self):
        self._tls.close()
        self._sock.close()

    def _connect(self):
        """A new socket and handshake: after an error mbedTLS's object is of no use any more."""
        self.open = False
        self._unanswered_ms = None
        self.restarts += 1
        sock = self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(self.peer)
        sock.setblocking(False)
        self._wire = Wire()
        self._tls = self._context.wrap_socket(
            self._wire, server_hostname=self._name, do_handshake_on_connect=False
        )

    async def _begin_again(self):
        self.open = False
        try:
            self._put_out()  # an alert
        except OSError:
            pass
        while True:
            self.close()
            await asyncio.sleep_ms(_PAUSE_MS)
            try:
                return self._connect()
            except OSError as error:  # no network, or no memory
                self.failure = error

    def _check(self):
        """Raise OSError if it can't go on."""
        if self._wire.oversize:
            raise OSError(self._wire.too_long())
        since = self._unanswered_ms
        if self._silent_ms and since is not None and self._now() - since >= self._silent_ms:
            raise OSError("no answer for %d ms" % self._silent_ms)

    def _take(self):
        """Let mbedTLS have the next datagram; returns whether there was one."""
        try:
            self._wire.datagram = self._sock.recv(_DATAGRAM)
        except OSError as error:
            if error.errno not in _NOTHING:
                raise
            return False
        return True

    def _flush(self):
        """Let go what waits, if the handshake is done."""
        while self._waiting:
            written = self._tls.write(self._waiting[0])
            self._put_out()
            if not written:
                return
            self.open = True
            self._waiting.pop(0)
            if self._unanswered_ms is None:
                self._unanswered_ms = self._now()

    def _put_out(self):
        out = self._wire.out
        while out:
            self._sock.send(out.pop(0))
