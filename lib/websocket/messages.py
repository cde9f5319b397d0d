"""Messages over a WebSocket, for asyncio.

    async with await open_url("ws://example.lan/feed") as socket:
        await socket.send("hello")
        async for message in socket:
            print(message)

Deadlines are the caller's: wrap what you await in `asyncio.wait_for_ms`; cancelling is clean.
"""

import asyncio

import tcp
from ticks import Uptime

from .engine import ABNORMAL, CLOSED, NORMAL, Engine
from .stream import Connection, Masks, made_for

try:
    from micropython import const
except ImportError:

    def const(value):  # CPython
        return value


_READ_BYTES = const(256)
_BUSY_MS = const(5)


async def open_url(
    url, tls=None, protocol=None, headers=(), resolver=None, message_bytes=1024, out_bytes=1024,
    ping_ms=30_000, timeout_ms=10_000,
):
    """Return a Socket to a ws: or wss: URL; wss needs `tls`, an SSLContext that verifies. The
    rest is as for `connect` and Engine.
    """
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    host, _, port = authority.partition(":")
    if scheme not in ("ws", "wss") or not host or "#" in url or not (port or "0").isdigit():
        raise ValueError("not a WebSocket's URL, such as ws://host:8080/path: " + url)
    if (scheme == "wss") != (tls is not None):
        raise ValueError("wss: needs `tls`, ws: must not have it")
    port = int(port) if port else 443 if tls else 80
    handshake = made_for(host, port, tls, slash + path or "/", protocol, headers)
    under = await tcp.connect(host, port, resolver or tcp.Resolver(), tls)
    now = Uptime().now
    engine = Engine(Masks(), handshake, message_bytes, out_bytes, ping_ms, timeout_ms, now())
    return await Socket(under, engine, now).open()


class Socket(Connection):
    """Messages: one reader at a time, any number of writers.

    `closed` is None, or (code, reason) once the connection has ended. After `ping_ms` of silence
    the peer is asked whether it is there; the reader does that, so there must be one.
    """

    def __init__(self, under, engine, now):
        super().__init__(under, engine, now)
        self._buffer = bytearray(_READ_BYTES)
        self._lock = asyncio.Lock()
        self._reading = False
        self.closed = None

    async def send(self, message):
        """Send a str or bytes, in as many frames as the memory asks for. OSError when the
        connection is gone.
        """
        text = isinstance(message, str)
        data = memoryview(message.encode() if text else message)
        async with self._lock:
            at, end = 0, -1
            while end < len(data):
                end = min(len(data), at + await self._room())
                if self.closed or self._engine.state == CLOSED:
                    raise OSError("the WebSocket is closed")
                self._engine.send(data[at:end], text, end == len(data))
                await self._flush()
                at = end

    async def receive(self):
        """The next message as str or bytes; None at the end, when all is closed."""
        self._reading = True
        try:
            while self.closed is None:
                event = self._engine.next_event()
                if event is None:
                    await self._read_in_time()
                elif event[0] == "closed":
                    self.closed = event[1:]
                else:
                    return event[1]
        except OSError as error:
            self.closed = ABNORMAL, tcp.reason(error)
        finally:
            self._reading = False
        self._under.close()
        return None

    async def _read_in_time(self):
        due = self._engine.deadline()
        if due is None:
            await self._read(self._buffer)
            return
        try:
            await asyncio.wait_for_ms(self._read(self._buffer), max(0, due - self._now()))
        except asyncio.TimeoutError:
            self._engine.on_timer(self._now())
            self._send_soon()

    async def close(self, code=NORMAL, reason=""):
        """Say Close and wait for the peer's, at most the engine's `timeout_ms`; messages that
        come meanwhile are lost.
        """
        self._engine.close(code, reason, self._now())
        self._send_soon()
        while self.closed is None:
            if self._reading:
                await asyncio.sleep_ms(_BUSY_MS)
            else:
                await self.receive()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()

    def __aiter__(self):
        return self

    async def __anext__(self):
        message = await self.receive()
        if message is None:
            raise StopAsyncIteration
        return message
