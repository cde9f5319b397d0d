"""TCP and TLS connections for asyncio: the one edge between the protocol cores and the network.

Nothing here waits but in the asyncio loop, save `getaddrinfo`, which blocks on every port and has
no time-out. So its answers are kept for an hour, or for five minutes when no connection could
be made; an answer that could not be renewed is used again, and its slowest call is known
(`Resolver.slowest_ms`).

Deadlines are the caller's: wrap `connect` in `asyncio.wait_for_ms`; cancelling any coroutine here
is clean.

What is marked `# async` is a generator that is awaited, as in MicroPython's own asyncio: it hands
the loop a socket to wait for, which has no public name there.
"""

import socket
import sys
from asyncio import core

from ticks import ticks_diff, ticks_ms

try:
    from micropython import const
except ImportError:

    def const(value):  # CPython
        return value


_ANSWER_LASTS_MS = const(3_600_000)
_DOUBTED_LASTS_MS = const(300_000)  # when no connection could be made with it


def reason(error):
    """An OSError in words."""
    from tcp_words import reason

    return reason(error)


class ConnectError(OSError):
    """A connection could not be made. `stage` is "dns" or "tcp"."""

    def __init__(self, stage, text):
        super().__init__(text)
        self.stage = stage
        self.text = text


class Resolver:
    """Host names to addresses, remembered. `getaddrinfo` and `ticks` are replaced in tests."""

    def __init__(self, getaddrinfo=socket.getaddrinfo, ticks=ticks_ms):
        self.getaddrinfo = getaddrinfo
        self._ticks = ticks
        self._answers = {}  # (host, port) -> [addresses, ticks of the look-up, uses, lasts ms]
        self.slowest_ms = 0

    def resolve(self, host, port):
        """Return an argument tuple of `socket.socket` and an address. Blocks; raises
        ConnectError.
        """
        answer = self._answers.get((host, port))
        if answer is None or ticks_diff(self._ticks(), answer[1]) >= answer[3]:
            answer = self._look_up(host, port, answer)
        family, kind, proto, _, address = answer[0][answer[2] % len(answer[0])]
        return (family, kind, proto), address

    def failed(self, host, port):
        """The address given last did not answer: use the next one there is, and ask again soon,
        but not every time, because with the network away every asking blocks.
        """
        answer = self._answers.get((host, port))
        if answer:
            answer[2] += 1
            answer[3] = _DOUBTED_LASTS_MS

    def _look_up(self, host, port, old):
        start = self._ticks()
        try:
            addresses = self.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        except OSError as error:
            if old is None:
                text = "the name %s does not resolve (%s)" % (host, reason(error))
                raise ConnectError("dns", text)
            addresses = old[0]
        finally:
            self.slowest_ms = max(self.slowest_ms, ticks_diff(self._ticks(), start))
        uses = old[2] if old else 0
        answer = self._answers[(host, port)] = [addresses, self._ticks(), uses, _ANSWER_LASTS_MS]
        return answer


class Stream:
    """A connected socket, plain or TLS. One reader and one writer at a time; OSError when the
    connection is gone.
    """

    def __init__(self, sock):
        self._sock = sock

    # async
    def read_into(self, buffer):
        """Wait for bytes, put them at the start of `buffer` and return how many: 0 is the peer's
        end of stream. Others get their turn even while there are always bytes.
        """
        n = None
        while n is None:
            yield core._io_queue.queue_read(self._sock)
            n = self._sock.readinto(buffer)
        return n

    # async
    def write(self, data):
        """Send what the network takes of `data`, at least a byte, and return how many: mostly all,
        in one segment where it fits one, because it is one call of the socket.
        """
        n = self._sock.write(data)
        while not n:
            yield core._io_queue.queue_write(self._sock)
            n = self._sock.write(data)
        return n

    def close(self):
        """Close at once. Whoever still waits for this stream must be cancelled first."""
        self._sock.close()


def connect(host, port, resolver, tls=None):
    """Return a Stream to `host`; `tls` is an `ssl.SSLContext`, used with the host's name verified.
    To be awaited.

    Raises ConnectError. The TLS handshake goes on by itself while the stream is read and written:
    its errors come from there as ValueError (a certificate that does not verify) or OSError.
    """
    from tcp_opening import connect

    del sys.modules["tcp_opening"]  # not needed once there is a connection
    return connect(host, port, resolver, tls)
