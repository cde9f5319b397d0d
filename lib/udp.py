"""UDP for asyncio, which MicroPython's own lacks: the edge between datagram engines and the
network.

What is marked `# async` is a generator that is awaited, as in MicroPython's own asyncio: it hands
the loop a socket to wait for, which has no public name there.
"""

import socket
from asyncio import core


def resolve(host, port):
    """A host's address, as `Socket.send` takes it. Blocks for a name; raises OSError."""
    return socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM)[0][-1]


class Socket:
    """A socket bound to `port` of `host`, by default any free one of this machine's.

    Peers are addresses in the port's own form, which may be compared and given back.
    """

    def __init__(self, port=0, host="0.0.0.0"):
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._sock.bind(resolve(host, port))
        self.errors = 0  # datagrams that the network did not take or told us are lost

    # async
    def receive(self, limit):
        """Wait for a datagram; returns (bytes, peer). What exceeds `limit` bytes is cut off."""
        while True:
            yield core._io_queue.queue_read(self._sock)
            try:
                return self._sock.recvfrom(limit)
            except OSError:  # nothing there after all, or word that what we sent was refused
                self.errors += 1

    def send(self, data, peer):
        """Send a datagram, or lose it: the network may do the same a moment later."""
        try:
            self._sock.sendto(data, peer)
        except OSError:
            self.errors += 1

    def close(self):
        """Close at once. Whoever still waits for it must be cancelled first."""
        self._sock.close()
