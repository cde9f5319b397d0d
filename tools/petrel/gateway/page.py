"""The fleet page: static files, and a WebSocket of what changes.

    GET /            the page; its parts are under /page/
    GET /ws/fleet    {"kind":"snapshot", ...} and then, a few times a second, {"kind":"delta"} with
                     the rows that changed; to {"watch":"shed"} also {"kind":"device"} and
                     {"kind":"messages"} of that device

What a viewer gets is made when its connection can take it, of all that changed since it got
something last: one that reads slowly sees fewer states, and nothing is kept for it.
"""

import asyncio
import collections
import contextlib
import json
import time
from pathlib import Path

from aiohttp import WSMsgType, web

from petrel import BUILD
from petrel.gateway.fleet.account import account
from petrel.gateway.fleet.fleet import Fleet

FILES = Path(__file__).parent / "static"
UPLOT = BUILD / "uplot"
MOST_VIEWERS = 100
PACE_S, TICK_S, SEND_S = 0.25, 1, 20
MOST_MESSAGES, MOST_RAW = 50, 4096  # kept for a watcher between two sendings; bytes of one
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
                               "img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
                               "form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html",
          ".svg": "image/svg+xml"}


class Page:
    """service: a Service, of which it uses config, spool, writer and `condition()`."""

    def __init__(self, service):
        self._service = service
        self.fleet = Fleet(service.config.page.expected)
        self.fleet.recall(service.spool.intake.latest.values())
        self.viewers = set()
        self._asked = None  # for the ledger's counts
        self._figures = None

    def routes(self):
        return [web.get("/", self._index), web.get("/page/{file}", self._file),
                web.get("/ws/fleet", self._socket)]

    def take(self, messages):
        """Enter Messages that are on disk."""
        self.fleet.take(messages)
        watched = [viewer for viewer in self.viewers if viewer.watched]
        for message in messages if watched else ():
            for viewer in watched:
                viewer.offer(message)

    async def run(self):
        """Let the time pass."""
        while True:
            self.fleet.tick(time.time_ns() // 1_000_000)
            self._figures = None
            if self.viewers:
                self._count()
            await asyncio.sleep(TICK_S)

    async def close(self):
        for viewer in [*self.viewers]:
            await viewer.socket.close(code=1001, message=b"the gateway ends")

    # ---- the ledger's counts, which the writer's thread keeps

    def _count(self):
        """Have the counts of the devices that were touched entered, soon."""
        if self._asked is None and self.fleet.touched:
            touched, self.fleet.touched = self.fleet.touched, set()
            self._asked = asyncio.create_task(self._accounts(touched))

    async def _accounts(self, devices):
        try:
            self.fleet.account(await asyncio.wrap_future(self._service.writer.do(
                lambda spool: {name: account(spool.intake, name) for name in devices}
            )))
        finally:
            self._asked = None

    def figures(self):
        """JSON text, made once a tick for all who look."""
        if self._figures is None:
            intake = self._service.spool.intake
            self._figures = compact({
                **self.fleet.figures(), "wire": intake.wire_bytes, "json": intake.json_bytes,
                **self._service.condition(),
            })
        return self._figures

    # ---- requests

    async def _index(self, request):
        return _answer(FILES / "index.html")

    async def _file(self, request):
        """One of the page's own files, or of uPlot's, which set-up has brought."""
        name = request.match_info["file"]
        for folder in (FILES, UPLOT):
            if name in {path.name for path in folder.glob("*") if path.suffix in _TYPES}:
                return _answer(folder / name)
        raise web.HTTPNotFound(reason=f"there is no {name}")

    async def _socket(self, request):
        if len(self.viewers) >= MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(reason=f"{MOST_VIEWERS} pages are open already")
        socket = web.WebSocketResponse(max_msg_size=4096, heartbeat=30)
        await socket.prepare(request)
        viewer = Viewer(socket, self, request.transport.abort)
        self.viewers.add(viewer)
        showing = asyncio.create_task(viewer.run())
        try:
            async for message in socket:
                if message.type != WSMsgType.TEXT:
                    break
                viewer.hear(message.data)
        finally:
            self.viewers.discard(viewer)
            showing.cancel()
        return socket


class Viewer:
    """One open page. watched: id of the device whose drawer is open."""

    def __init__(self, socket, page, abort):
        self.socket, self._page, self._abort = socket, page, abort
        self.watched = None
        self._version = self._shown = -1
        self._messages = collections.deque(maxlen=MOST_MESSAGES)
        self._skipped = 0

    def hear(self, text):
        """{"watch": id or null}; anything else is nothing."""
        with contextlib.suppress(ValueError, RecursionError):
            said = json.loads(text)
            if isinstance(said, dict) and "watch" in said:
                self.watched = said["watch"] if isinstance(said["watch"], str) else None
                self._shown, self._skipped = -1, 0
                self._messages.clear()

    def offer(self, message):
        if message.device == self.watched:
            self._skipped += len(self._messages) == MOST_MESSAGES
            self._messages.append(message)

    async def run(self):
        """Send until the connection ends."""
        try:
            await self._send(self._snapshot())
            beat = 0
            while True:
                await asyncio.sleep(PACE_S)
                beat += 1
                await self._send(self._delta(whole=beat % 4 == 0))
                if self.watched:
                    await self._watch(beat)
        except ConnectionError:
            return
        except TimeoutError:
            self._abort()

    async def _send(self, text):
        if text:
            async with asyncio.timeout(SEND_S):
                await self.socket.send_str(text)

    def _snapshot(self):
        fleet = self._page.fleet
        self._version = fleet.version
        rows = ",".join(device.row() for device in fleet.devices.values())
        sparks = {device.id: device.spark() for device in fleet.devices.values()}
        return self._text("snapshot", f'"devices":[{rows}],"sparks":{compact(sparks)},'
                                      f'"figures":{self._page.figures()}')

    def _delta(self, whole):
        """What changed; every second with the strip's figures, even if that is nothing."""
        fleet = self._page.fleet
        changed, gone = fleet.since(self._version)
        self._version = fleet.version
        if not (changed or gone or whole):
            return None
        rows = ",".join(device.row() for device in changed)
        figures = f',"figures":{self._page.figures()}' if whole else ""
        gone = f',"gone":{compact(gone)}' if gone else ""
        return self._text("delta", f'"devices":[{rows}]{gone}{figures}')

    async def _watch(self, beat):
        """The messages of the device that is looked at, and once a second all of the rest."""
        device = self._page.fleet.devices.get(self.watched)
        if device is None:
            return
        if self._messages:
            messages = ",".join(shown(message) for message in self._messages)
            skipped, self._skipped = self._skipped, 0
            self._messages.clear()
            await self._send(self._text("messages", (
                f'"id":{compact(device.id)},"skipped":{skipped},"messages":[{messages}]'
            )))
        if self._shown < 0 or (beat % 4 == 0 and device.version != self._shown):
            self._shown = device.version
            await self._send(self._text("device", f'"device":{compact(device.detail())}'))

    @staticmethod
    def _text(kind, rest):
        return f'{{"kind":"{kind}","now":{time.time_ns() // 1_000_000},{rest}}}'


def shown(message):
    """JSON text of a Message with its payload, as text or in hexadecimal digits."""
    raw = message.arrival.payload if message.arrival else b""
    try:
        text, form = raw[:MOST_RAW].decode(), "text"
    except UnicodeDecodeError:
        text, form = raw[:MOST_RAW].hex(" "), "hex"
    told = compact({"time": message.time_ms, "topic": message.topic, "kind": message.kind,
                    "raw": text, "form": form, "size": len(raw)})
    data = message.data if len(message.data) <= MOST_RAW else "null"
    return f'{told[:-1]},"data":{data}}}'


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def _answer(path):
    return web.Response(body=path.read_bytes(), content_type=_TYPES[path.suffix],
                        charset="utf-8", headers=_HEADERS)
