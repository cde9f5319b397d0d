"""Runs on the device: our server over DTLS. What it serves says who asks."""
# pyright: reportIncompatibleMethodOverride=false

import asyncio
import sys
from binascii import unhexlify

from coap.dtls_contexts import server_context
from coap.dtls_server import ServerSocket
from coap.endpoint import Endpoint
from coap.params import Params
from coap.server import Server

from . import server

LARGE = bytes(range(65, 91)) * 50


class Who:
    async def get(self, request):
        peer = request.peer
        name = peer.identity.decode() if peer.identity else "-"
        return ("%s %s" % (name, "known" if peer.known else "unknown")).encode(), 0


class Large:
    value = LARGE

    async def get(self, request):
        return self.value, 0

    async def put(self, request):
        self.value = request.payload


class Count:
    observable = True
    count = 0

    async def get(self, request):
        return b"%d;" % self.count, 0


class Collected:
    """Stands in for a gateway: what a device posts, and what it observes."""

    observable = True

    def __init__(self):
        self.bodies = []

    async def get(self, request):
        return b"\n".join(self.bodies)

    async def post(self, request):
        self.bodies.append(bytes(request.payload))

    put = post


class Commands:
    observable = True

    async def get(self, request):
        return b"", 50


class Counts:
    """What the sessions have counted, and why the last one was closed."""

    def __init__(self, sessions):
        self.sessions = sessions
        self.reason = ""

    async def get(self, request):
        return ("%d %s" % (len(self.sessions.open), self.reason)).encode(), 0

    def take(self, event):
        if event[0] == "closed":
            self.reason = event[2]


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def serve(port, options):
    """`options`: {"psks": {identity: key in hex}}, or files by the names of `server_context`.
    Never returns.
    """
    if "psks" in options:
        keys = {name.encode(): unhexlify(key) for name, key in options["psks"].items()}
        context = server_context(psks=keys)
    else:
        context = server_context(**{name: _read(path) for name, path in options.items()})
    asyncio.run(_serve(port, context))


async def _serve(port, context):
    transport = ServerSocket(context, port, "127.0.0.1", limit=24)
    endpoint = Endpoint(transport, Params(200))
    made = Server(endpoint, proofs=False)
    made.on_error = lambda error: sys.print_exception(error, sys.stderr)
    count, counts = Count(), Counts(transport.sessions)
    transport.on_event = counts.take
    for path, resource in (
        ("who", Who()), ("large", Large()), ("count", count), ("counts", counts),
        ("devices/d1/data", Collected()), ("devices/d1/status", Collected()),
        ("devices/d1/health", Collected()), ("devices/d1/commands", Commands()),
    ):
        made.add(path, resource)
    serving = asyncio.create_task(endpoint.run())
    while not serving.done():
        await asyncio.sleep_ms(200)
        count.count += 1
        made.changed(count)
    await serving


server.serve(globals())
