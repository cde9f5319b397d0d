"""Joins the group of all CoAP nodes, so that a server is found by multicast (`coap.group`).

server = Server(endpoint)
asyncio.create_task(join(server, endpoint, port=5683))
"""

import socket

import udp

from .endpoint import Endpoint, random
from .group import Group
from .message import const

ALL_NODES = "224.0.1.187"  # RFC 7252, section 12.8

_IP_ADD_MEMBERSHIP = const(35)  # Linux's, where the port has no name for it


class _Socket(udp.Socket):
    """Receives what is sent to the group at the interface `host`, and sends by `transport`."""

    def __init__(self, transport, group, port, host):
        sock = self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.errors = 0
        self.send = transport.send
        try:
            for one in (sock, transport._sock):  # they share the port
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setblocking(False)
            sock.bind(udp.resolve(group, port))
            member = bytes([int(part) for part in (group + "." + host).split(".")])
            option = getattr(socket, "IP_ADD_MEMBERSHIP", _IP_ADD_MEMBERSHIP)
            sock.setsockopt(0, option, member)
        except (OSError, ValueError, AttributeError):
            sock.close()
            raise OSError("this port can't join %s" % group)


async def join(server, endpoint, port=5683, host="0.0.0.0", group=ALL_NODES, leisure_ms=5000):
    """Answer for `server` what is asked of the group, until cancelled. `host`: the address of the
    interface. Raises OSError if the port of MicroPython or its network can't do it.
    """
    transport = _Socket(endpoint.transport, group, port, host)
    joined = Endpoint(transport, now=endpoint.now)
    joined.engine = Group(server.resources, random, leisure_ms)
    try:
        await joined.run()
    finally:
        transport.close()
