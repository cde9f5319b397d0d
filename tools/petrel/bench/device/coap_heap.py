"""Prints the heap that parts of lib/coap take: name, bytes; imports and one object of each.

Names are interned in tables that grow by doubling: one large enough is made beforehand, and so is
what the application has in any case (ticks, wake, asyncio's Event and wait_for_ms).
"""

import asyncio
import gc
import os

from ticks import Uptime
from wake import Wake


def heap():
    wipe(20)
    gc.collect()
    return gc.mem_alloc()


def wipe(depth):
    """Overwrite the stack, where what an import left behind would be taken for references."""
    return wipe(depth - 1) if depth else None


class Dummy:
    pass


for part in ("Event", "wait_for_ms"):
    getattr(asyncio, part)
for i in range(int(os.getenv("SPARE_NAMES"))):
    setattr(Dummy, "spare_name_%d" % i, 0)
Dummy = None
kept = [Uptime(), Wake()]
before = start = heap()


def told(name, count=1):
    global before
    after = heap()
    print(name, (after - before) // count)
    before = after


import udp  # noqa: E402
from coap.client import Client  # noqa: E402
from coap.endpoint import Endpoint  # noqa: E402

endpoint = Endpoint(udp.Socket())
client = Client(endpoint)
told("client")
__import__("coap.uri")
told("addresses as coap://")
from coap.server import Server  # noqa: E402

server = Server(endpoint)
told("server")
from coap import observe, transfer  # noqa: E402
from coap.message import Message  # noqa: E402

__import__("coap.observation")
observers = observe.Observers(endpoint.engine)
told("observe and block-wise")
engine = endpoint.engine
peer = udp.resolve("127.0.0.1", 9)
engine.mid = 0x4000
payload = bytes(64)
exchanges = engine.exchanges
for _ in range(8):
    exchanges.append(None)
del exchanges[:]
observers.all = [None] * 8
observers.all.clear()
heap()
before = heap()
for _ in range(8):
    message = Message(2, payload)
    message.add(11, "data")
    engine.request(message, peer, 1000)
    engine.next_out()
message = None
size = len(exchanges[0].datagram)
told("exchange of %d bytes, each" % size, 8)
resource = object()


def register(count):
    for number in range(count):
        request = Message(1)
        request.token = engine.random(64).to_bytes(8, "big")
        request.peer = udp.resolve("127.0.0.1", 100 + number)
        observers.register(request, resource)


register(8)
observers.all.clear()
before = heap()
register(8)
told("observer with its address and token, each", 8)
# DTLS, without what mbedTLS takes: on this port that is not in our heap.
tls = __import__("tls")
client_context = tls.SSLContext(tls.PROTOCOL_DTLS_CLIENT)
client_context.verify_mode = tls.CERT_NONE
server_context = tls.SSLContext(tls.PROTOCOL_DTLS_SERVER)
before = heap()
__import__("coap.dtls_contexts")
from coap.dtls import Session  # noqa: E402

session = Session(client_context, peer)
told("DTLS, client")
from coap.dtls_server import ServerSocket  # noqa: E402

transport = ServerSocket(server_context, 0)
told("DTLS, server")
from coap.dtls_sessions import Peer  # noqa: E402

peers = list(range(8))
peers.clear()
before = heap()
for number in range(8):
    peers.append(Peer(udp.resolve("127.0.0.1", 100 + number), bytes(32), 0))
told("DTLS, a server's peer, each", 8)
assert kept and client and server and transfer and session and transport
