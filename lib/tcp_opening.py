"""How a connection of `tcp.py` is made: code that is in memory only meanwhile."""

import errno
import socket
from asyncio import core

from tcp import ConnectError, Stream, const, reason

_IPPROTO_TCP = const(6)
_TCP_NODELAY = getattr(socket, "TCP_NODELAY", 1)  # the Unix port does not name it
# The errno module does not name it: lwIP and Linux, ESP-IDF's newlib, macOS.
_EISCONN = (106, 127, 56)


async def connect(host, port, resolver, tls):
    """See `tcp.connect`."""
    arguments, address = resolver.resolve(host, port)
    try:
        sock = socket.socket(*arguments)
    except OSError as error:  # a board has few of them, and little memory for them (lwIP)
        raise ConnectError("tcp", reason(error))
    try:
        # A message is one segment anyway, and must not wait for the acknowledgement of the last.
        sock.setsockopt(_IPPROTO_TCP, _TCP_NODELAY, 1)
        await _connect(sock, address)
        if tls:
            sock = tls.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
            sock.setblocking(False)
        return Stream(sock)
    except OSError as error:
        sock.close()
        resolver.failed(host, port)
        raise ConnectError("tcp", reason(error))
    except BaseException:  # cancelled by the caller's deadline
        sock.close()
        resolver.failed(host, port)
        raise


# async
def _connect(sock, address):
    sock.setblocking(False)
    try:
        sock.connect(address)
    except OSError as error:
        if error.errno != errno.EINPROGRESS:
            raise
    yield core._io_queue.queue_write(sock)
    try:
        sock.connect(address)  # tells how the first call ended
    except OSError as error:
        if error.errno not in _EISCONN:
            raise
