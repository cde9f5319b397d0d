"""DTLS 1.2 to one peer as a socket that does not block: beneath a ReliableSocket.

    peer = udp.resolve("192.0.2.7", 5684)
    secure = Socket(client_context(psk=(b"lamp", key)), peer)
    client.setCustomSocket(ReliableSocket(secure))
    client.post("192.0.2.7", 5684, "log", b"21.5")

How a session begins, fails and is begun again is told in `dtls_connection.py`. The handshake goes
on whenever `recvfrom` is called, as microCoAPy's `loop` does.
"""

import errno

from .dtls_connection import PAUSE_MS, Connection
from .dtls_wire import LONGEST
from .message import const

_BURST = const(8)  # datagrams looked at for one with a message


class Socket(Connection):
    """`on_failure(reason)` hears of every handshake and session that comes to nothing, one line
    each; another handshake follows a second later.
    """

    def __init__(
        self, context, peer, name=None, silent_ms=20_000, handshake_ms=60_000, on_failure=None
    ):
        self.on_failure = on_failure
        self._again_ms = None  # when the next handshake begins, after a failure
        super().__init__(context, peer, name, silent_ms, handshake_ms)

    def sendto(self, data, address):
        """Send a message once the handshake is done; returns its length. Raises OSError for
        another address than the peer's, which no session leads to.
        """
        if address != self.peer:
            self._tell("a message for another address than the session's peer was not sent")
            raise OSError(errno.ENOTCONN)
        self.send(data, address)
        return len(data)

    def recvfrom(self, size):
        """The next (message, peer). Raises OSError if there is none."""
        if self._again_ms is not None:
            self._begin_again()
        for _ in range(_BURST):
            try:
                data = self.step(LONGEST)
            except (OSError, ValueError) as error:
                self._fail(error)
                break
            if data:
                return data[:size], self.peer
            if not self.more:
                break
        raise OSError(errno.EAGAIN)

    def close(self):
        if self._again_ms is None:  # else it is closed
            super().close()

    def _begin_again(self):
        if self._now() < self._again_ms:
            raise OSError(errno.EAGAIN)
        try:
            self._connect()
        except OSError:  # no network, or no memory
            self._again_ms = self._now() + PAUSE_MS
            raise
        self._again_ms = None

    def _fail(self, error):
        self._end(error)
        self._again_ms = self._now() + PAUSE_MS
        self._tell(" ".join(str(error).split()))  # of a certificate several lines

    def _tell(self, reason):
        if self.on_failure:
            self.on_failure(reason)
