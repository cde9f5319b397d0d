"""The resources of the interoperability matrix (github.com/cabo/td-coap4) on aiocoap: the server
that our client is tried against. `python -m host_tests.coap.plugtest PORT ACK_TIMEOUT`
"""
# pyright: reportMissingImports=false
# pyright: reportAttributeAccessIssue=false, reportIncompatibleMethodOverride=false

import asyncio
import sys

import aiocoap
from aiocoap import Code, Message, resource
from aiocoap.numbers.constants import TransportTuning

LARGE = bytes(range(65, 91)) * 50


class Plain(resource.Resource):
    """`rt` and the like are for discovery."""

    def __init__(self, **link):
        super().__init__()
        self.link = link

    def get_link_description(self):
        return {name.rstrip("_"): value for name, value in self.link.items()}

    async def render_get(self, request):
        return Message(payload=b"plain", content_format=0)


class Test(Plain):
    async def render_get(self, request):
        return Message(payload=b"test", content_format=0)

    async def render_put(self, request):
        if request.opt.if_none_match:
            return Message(code=Code.PRECONDITION_FAILED)
        return Message(code=Code.CHANGED)

    async def render_post(self, request):
        return Message(code=Code.CREATED, location_path=("location1", "location2"))

    async def render_delete(self, request):
        return Message(code=Code.DELETED)


class Separate(Plain):
    async def render_get(self, request):
        await asyncio.sleep(0.4)
        return Message(payload=b"separate", content_format=0)


class Query(Plain):
    async def render_get(self, request):
        return Message(payload="&".join(request.opt.uri_query).encode(), content_format=0)

    async def render_post(self, request):
        return Message(code=Code.CREATED, location_query=("first=1", "second=2"))


class MultiFormat(Plain):
    async def render_get(self, request):
        if request.opt.accept == 41:
            return Message(payload=b"<x/>", content_format=41)
        if request.opt.accept in (None, 0):
            return Message(payload=b"text", content_format=0)
        return Message(code=Code.NOT_ACCEPTABLE)


class Validate(Plain):
    value, tag = b"one", 1

    async def render_get(self, request):
        if bytes([self.tag]) in request.opt.etags:
            return Message(code=Code.VALID, etag=bytes([self.tag]))
        return Message(payload=self.value, etag=bytes([self.tag]))

    async def render_put(self, request):
        if request.opt.if_match and bytes([self.tag]) not in request.opt.if_match:
            return Message(code=Code.PRECONDITION_FAILED)
        self.value, self.tag = request.payload, self.tag + 1
        return Message(code=Code.CHANGED)


class Large(Plain):
    value = LARGE

    async def render_get(self, request):
        return Message(payload=self.value, content_format=0)

    async def render_put(self, request):
        self.value = request.payload
        return Message(code=Code.CHANGED)

    async def render_post(self, request):
        return Message(code=Code.CHANGED, payload=request.payload[::-1])


class Patched(Plain):
    text = b""

    async def render_fetch(self, request):
        there = request.payload in self.text
        return Message(code=Code.CONTENT, payload=b"yes" if there else b"no")

    async def render_patch(self, request):
        self.text += request.payload
        return Message(code=Code.CHANGED)

    async def render_ipatch(self, request):
        self.text = request.payload
        return Message(code=Code.CHANGED)


class Observed(resource.ObservableResource):
    """`PUT` changes it, `DELETE` takes it away until then; `times` makes it large."""

    def __init__(self, times=1):
        super().__init__()
        self.value, self.times, self.format = b"0", times, 0
        self.gone = False

    async def render_get(self, request):
        if self.gone:
            return Message(code=Code.NOT_FOUND)
        if request.opt.accept not in (None, self.format):
            return Message(code=Code.NOT_ACCEPTABLE)
        payload = self.value * self.times
        return Message(payload=payload, content_format=self.format, max_age=5)

    async def render_put(self, request):
        self.value, self.gone = request.payload, False
        if request.opt.content_format is not None:
            self.format = request.opt.content_format
        self.updated_state()
        return Message(code=Code.CHANGED)

    async def render_delete(self, request):
        self.gone = True
        self.updated_state(Message(code=Code.NOT_FOUND))
        return Message(code=Code.DELETED)


def site():
    root = resource.Site()
    made = {
        "test": Test(), "separate": Separate(), "seg1/seg2/seg3": Plain(), "query": Query(),
        "multi-format": MultiFormat(), "validate": Validate(), "large": Large(),
        "patched": Patched(), "obs": Observed(), "obs-large": Observed(1000),
        "link1": Plain(rt="Type1 Type2", if_="If1", sz="40"),
        "link2": Plain(rt="Type2 Type3", if_="If2"),
        "link3": Plain(rt="Type1 Type3", if_="foo"),
        "path/sub1": Plain(ct="40"), "path": Plain(),
    }
    for path, thing in made.items():
        root.add_resource(path.split("/"), thing)
    root.add_resource(
        [".well-known", "core"], resource.WKCResource(root.get_resources_as_linkheader)
    )
    return root


async def main(port, ack_timeout):
    TransportTuning.ACK_TIMEOUT = ack_timeout
    TransportTuning.MAX_RETRANSMIT = 9
    await aiocoap.Context.create_server_context(site(), bind=("127.0.0.1", port))
    print("ready", flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
