"""Whom devices publish to over CoAP: an aiocoap server in a thread, which keeps what comes."""
# pyright: reportMissingImports=false
# pyright: reportAttributeAccessIssue=false, reportIncompatibleMethodOverride=false

import asyncio
import contextlib
import threading
import time

import aiocoap
from aiocoap import Code, Message, resource

from host_tests.coap.ports import free_port


class _Publications(resource.Resource, resource.PathCapable):
    """Everything below devices/, but for what has a resource of its own."""

    def __init__(self, taken):
        super().__init__()
        self.taken = taken
        self.refuse = None

    async def needs_blockwise_assembly(self, request):
        return True

    async def render(self, request):
        if request.code not in (Code.POST, Code.PUT):
            return Message(code=Code.METHOD_NOT_ALLOWED)
        if self.refuse:
            return Message(code=self.refuse)
        device, kind = request.opt.uri_path[-2:]
        content_format = int(request.opt.content_format or 0)
        self.taken.append((device, kind, str(request.code), content_format, request.payload))
        return Message(code=Code.CHANGED)


class _Commands(resource.ObservableResource):
    def __init__(self):
        super().__init__()
        self.payload = b""

    async def render_get(self, request):
        return Message(payload=self.payload, max_age=30)


class Collector:
    """`taken` is [(device, kind, method, content format, payload)] in order."""

    def __init__(self, device, commands=True):
        self.port = free_port()
        self.taken = []
        self._publications = _Publications(self.taken)
        self._commands = _Commands()
        self._site = resource.Site()
        self._site.add_resource(["devices"], self._publications)
        if commands:
            self._site.add_resource(["devices", device, "commands"], self._commands)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def refuse(self, code):
        """Answer every publication with this code; None: take it."""
        self._publications.refuse = code

    def command(self, payload):
        """Put a command there and notify who observes."""

        def do():
            self._commands.payload = payload
            self._commands.updated_state()

        self._loop.call_soon_threadsafe(do)

    def of(self, kind):
        return [payload for _, known, _, _, payload in list(self.taken) if known == kind]

    def wait_for(self, condition, limit_s=40):
        """Until `condition(self)`, which is returned."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if found := condition(self):
                return found
            time.sleep(0.02)
        raise TimeoutError(f"it did not come; there is {self.taken[-3:]}")

    def _run(self):
        asyncio.set_event_loop(self._loop)
        start = aiocoap.Context.create_server_context(self._site, bind=("127.0.0.1", self.port))
        context = self._loop.run_until_complete(start)
        self._ready.set()
        self._loop.run_forever()
        with contextlib.suppress(Exception):
            self._loop.run_until_complete(asyncio.wait_for(context.shutdown(), 5))
