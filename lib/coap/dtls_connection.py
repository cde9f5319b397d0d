"""DTLS 1.2 to one peer, without waiting: what `dtls.py` and `dtls_socket.py` share.

    HANDSHAKE ---- a message is taken -----> OPEN
        ^                                     |
        +--- an alert, a refusal, an error ---+   a new handshake (`restarts`, `failure`)
             silence of `silent_ms`; no handshake within `handshake_ms`

mbedTLS keeps the handshake's own time-outs, but only when it is called: `step` does it, and wants
to be called every 50 ms while one is under way. What is sent meanwhile waits, a few messages of
it; the layer above repeats what is lost. A peer that has lost the session, by a reboot, just does
not answer (RFC 6347, section 4.2.8 leaves it to us): what it does not answer for `silent_ms` ends
the session, and the message that is repeated next goes through a new one.

Memory: a record, and mbedTLS's own, 20 to 40 KB with certificates, far less with a pre-shared key.
"""

import errno
import socket

from ticks import Uptime

from .dtls_wire import Wire, read
from .message import const

PAUSE_MS = const(1000)  # between a failure and the next handshake

_NOTHING = (errno.EAGAIN, 35)  # 35 is macOS's
_WAITING = const(4)
_DATAGRAM = const(1536)


class Connection:
    """`context` is of `coap.dtls_contexts`; `name` is what the peer's certificate must say, None
    with a pre-shared key. `silent_ms` None: a peer may be silent for ever, as one is that is sent
    nothing but what asks for no answer.
    """

    def __init__(self, context, peer, name=None, silent_ms=20_000, handshake_ms=60_000):
        self.peer = peer
        self._context = context
        self._name = name
        self._silent_ms = silent_ms
        self._handshake_ms = handshake_ms
        self._now = Uptime().now
        self._waiting = []
        self._begun_ms = 0
        self._unanswered_ms = None  # when the first message was sent that nothing followed
        self._tls = self._wire = None
        self.sock = None  # another one with every handshake
        self.open = False
        self.more = False  # whether the last step took a datagram, so that there may be another
        self.failure = None  # what ended the last handshake or session
        self.restarts = -1
        self._connect()

    def step(self, limit):
        """Take a datagram; returns the message in it, or None. Raises OSError, or ValueError for a
        certificate that does not verify: then this session is at its end.
        """
        self.more = False
        self._flush()
        self.more = self._take()
        data = read(self._tls, limit)
        self._put_out()
        if data:
            self._unanswered_ms = None
            return data
        if data is not None:
            raise OSError("closed by the peer")
        self._check()
        return None

    def send(self, data, peer):
        """Send a message once the handshake is done."""
        if len(self._waiting) >= _WAITING:
            self._waiting.pop(0)
        self._waiting.append(data)
        if self.open:
            try:
                self._flush()
            except OSError as error:
                self.failure = error  # `step` meets it too

    def close(self):
        self._tls.close()
        self.sock.close()

    def _connect(self):
        """A new socket and handshake: after an error mbedTLS's object is of no use any more."""
        self.open = False
        self._unanswered_ms = None
        self._begun_ms = self._now()
        self.restarts += 1
        sock = self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.connect(self.peer)
            sock.setblocking(False)
            self._wire = Wire()
            self._tls = self._context.wrap_socket(
                self._wire, server_hostname=self._name, do_handshake_on_connect=False
            )
        except BaseException:  # no network, or no memory
            sock.close()
            raise

    def _end(self, error):
        """Let go of a session that has failed; `_connect` begins the next one."""
        self.failure = error
        self.open = False
        try:
            self._put_out()  # an alert
        except OSError:
            pass
        self.close()

    def _check(self):
        """Raise OSError if it can't go on."""
        if self._wire.oversize:
            raise OSError(self._wire.too_long())
        now, since = self._now(), self._unanswered_ms
        if self._silent_ms and since is not None and now - since >= self._silent_ms:
            raise OSError("no answer for %d ms" % self._silent_ms)
        if self._waiting and not self.open and now - self._begun_ms >= self._handshake_ms:
            raise OSError("no handshake within %d ms" % self._handshake_ms)

    def _take(self):
        """Let mbedTLS have the next datagram; returns whether there was one."""
        try:
            self._wire.datagram = self.sock.recv(_DATAGRAM)
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
            self.sock.send(out.pop(0))
