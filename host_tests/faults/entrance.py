"""The port of a proxy, as a client sees it: open, closed, or without any answer."""

import socket
import sys

HOST = "127.0.0.1"

_CONNECT_S = 5


class Entrance:
    """A loopback port that stays ours, whoever is let in. To be used in the event loop's thread.

    `on_client` is called with the non-blocking socket of each client.
    """

    def __init__(self, loop, on_client):
        self._loop, self._on_client = loop, on_client
        self._listener, self._plug = None, None
        # Bound, never listening: it keeps the port ours while connections to it are refused.
        self._reserved = _bound(0)
        self.port = self._reserved.getsockname()[1]

    def open(self):
        self.refuse()
        self._listener = _bound(self.port)
        self._listener.listen()
        self._loop.add_reader(self._listener, self._accept)

    def refuse(self):
        for sock in (self._listener, self._plug):
            if sock:
                self._loop.remove_reader(sock)
                sock.close()
        self._listener, self._plug = None, None

    def silence(self):
        """The kernel drops attempts to connect once the queue of a listener is full."""
        self.refuse()
        self._listener = _bound(self.port)
        self._listener.listen(0)
        # A connection of our own takes the queue's only place.
        self._plug = socket.create_connection((HOST, self.port), _CONNECT_S)

    def close(self):
        """Gives the port back."""
        self.refuse()
        self._reserved.close()

    def _accept(self):
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # the client went away between its SYN and now
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._on_client(client)


def _bound(port):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sys.platform != "linux":  # elsewhere two sockets share a port only with this one too
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.setblocking(False)
    sock.bind((HOST, port))
    return sock
