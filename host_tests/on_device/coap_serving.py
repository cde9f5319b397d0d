"""Runs on the device: our server with the resources of the interoperability matrix."""
# pyright: reportIncompatibleMethodOverride=false

import asyncio
import gc
import sys

import udp
from coap.endpoint import Endpoint
from coap.message import Message
from coap.params import Params
from coap.server import Server

from . import server

LARGE = bytes(range(65, 91)) * 50


class Plain:
    def __init__(self, **link):
        for name, value in link.items():
            setattr(self, name, value)

    async def get(self, request):
        return b"plain", 0


class Test(Plain):
    async def get(self, request):
        return b"test", 0

    async def put(self, request):
        return Message(0x8C if request.get(5) is not None else 0x44)

    async def post(self, request):
        response = Message(0x41)
        response.add(8, "location1")
        response.add(8, "location2")
        return response

    async def delete(self, request):
        return None


class Heap(Plain):
    async def get(self, request):
        gc.collect()
        return str(gc.mem_alloc()).encode(), 0


class Separate(Plain):
    async def get(self, request):
        await asyncio.sleep_ms(400)
        return b"separate", 0


class Query(Plain):
    async def get(self, request):
        return b"&".join(request.all(15)), 0

    async def post(self, request):
        response = Message(0x41)
        response.add(20, "first=1")
        response.add(20, "second=2")
        return response


class MultiFormat(Plain):
    async def get(self, request):
        accept = request.uint(17)
        if accept == 41:
            return b"<x/>", 41
        return (b"text", 0) if not accept else Message(0x86)


class Validate(Plain):
    value, tag = b"one", 1

    async def get(self, request):
        response = Message(0x45, self.value)
        response.add(4, bytes((self.tag,)))
        if bytes((self.tag,)) in request.all(4):
            response.code, response.payload = 0x43, b""
        return response

    async def put(self, request):
        wanted = request.all(1)
        if wanted and bytes((self.tag,)) not in wanted:
            return Message(0x8C)
        self.value, self.tag = request.payload, self.tag + 1


class Large(Plain):
    value = LARGE

    async def get(self, request):
        return self.value, 0

    async def put(self, request):
        self.value = request.payload

    async def post(self, request):
        return bytes(reversed(request.payload))


class Patched(Plain):
    """A text: FETCH tells whether its body is in it, PATCH adds its own, iPATCH replaces it."""

    text = b""

    async def fetch(self, request):
        return (b"yes" if bytes(request.payload) in self.text else b"no"), 0

    async def patch(self, request):
        self.text += bytes(request.payload)

    async def ipatch(self, request):
        self.text = bytes(request.payload)


class Observed(Plain):
    observable = True
    value, format, times, gone = b"0", 0, 1, False

    async def get(self, request):
        accept = request.uint(17)
        if self.gone:
            return Message(0x84)
        if accept not in (None, self.format):
            return Message(0x86)
        response = Message(0x45, self.value * self.times)
        response.add(12, self.format)
        response.add(14, 5)
        return response

    async def put(self, request):
        self.value, self.gone = request.payload, False
        if request.uint(12) is not None:
            self.format = request.uint(12)
        _Made.server.changed(self)

    async def delete(self, request):
        self.gone = True
        _Made.server.changed(self)


class _Made:
    server = joined = None


def _resources():
    large = Observed()
    large.times = 1000
    yield "test", Test()
    yield "heap", Heap()
    yield "separate", Separate()
    yield "seg1/seg2/seg3", Plain()
    yield "query", Query()
    yield "multi-format", MultiFormat()
    yield "validate", Validate()
    yield "large", Large()
    yield "patched", Patched()
    yield "obs", Observed()
    yield "obs-large", large
    yield "link1", Plain(rt="Type1 Type2", if_="If1", sz=40)
    yield "link2", Plain(rt="Type2 Type3", if_="If2")
    yield "link3", Plain(rt="Type1 Type3", if_="foo")
    yield "path/sub1", Plain(ct="40")
    yield "path", Plain()


def serve(port, ack_timeout_ms, proofs, group=False):
    """Never returns."""
    asyncio.run(_serve(port, ack_timeout_ms, proofs, group))


async def _serve(port, ack_timeout_ms, proofs, group):
    params = Params(ack_timeout_ms, max_retransmit=9, nstart=4)
    endpoint = Endpoint(udp.Socket(port, "127.0.0.1"), params)
    _Made.server = Server(endpoint, proofs=proofs)
    _Made.server.on_error = lambda error: sys.print_exception(error, sys.stderr)
    for path, resource in _resources():
        _Made.server.add(path, resource)
    if group:
        from coap.multicast import join

        joined = join(_Made.server, endpoint, port, "127.0.0.1", leisure_ms=200)
        _Made.joined = asyncio.create_task(joined)
    await endpoint.run()


server.serve(globals())
