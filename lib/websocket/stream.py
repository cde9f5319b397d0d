"""A stream of bytes over a WebSocket, for asyncio, with the interface of tcp.Stream.

    stream = await connect("broker.lan", 8083, tcp.Resolver(), path="/mqtt", protocol="mqtt")
    await stream.write(b"...")
    n = await stream.read_into(buffer)

Deadlines are the caller's: wrap what you await in `asyncio.wait_for_ms`; cancelling is clean.
"""

import asyncio
from os import urandom

import tcp
from ticks import Uptime

from .engine import CLOSED, OPENING, Engine
from .errors import ProtocolError
from .handshake import Handshake

try:
    from micropython import const
except ImportError:

    def const(value):  # CPython
        return value


_KEYS_BYTES = const(64)  # of random bytes fetched at a time
_ANSWER_BYTES = const(256)
_BUSY_MS = const(5)
_GOODBYE_MS = const(500)


async def connect(
    host, port, resolver, tls=None, path="/", protocol=None, headers=(), out_bytes=1280
):
    """Return a Stream. The arguments are those of tcp.connect and of Handshake; `out_bytes` is
    the longest frame. Raises tcp.ConnectError, at the stage "tls" for a certificate that does not
    verify, "websocket" for a handshake that failed.
    """
    handshake = made_for(host, port, tls, path, protocol, headers)
    under = await tcp.connect(host, port, resolver, tls)
    now = Uptime().now
    engine = Engine(Masks(), handshake, 0, out_bytes, now=now())
    return await Stream(under, engine, now).open()


def transport(path, protocol=None, headers=()):
    """`connect` with these settings, for whoever calls it as tcp.connect is called."""

    async def connect_as_tcp(host, port, resolver, tls=None):
        return await connect(host, port, resolver, tls, path, protocol, headers)

    return connect_as_tcp


def made_for(host, port, tls, path, protocol, headers):
    """The Handshake for such a connection."""
    authority = host if port == (443 if tls else 80) else "%s:%d" % (host, port)
    return Handshake(authority, path, urandom(16), protocol, headers)


class Masks:
    """Masking keys out of the system's random bytes, sixteen a call of it."""

    def __init__(self):
        self._at = _KEYS_BYTES
        self._keys = b""

    def __call__(self, key):
        if self._at == _KEYS_BYTES:
            self._keys = urandom(_KEYS_BYTES)
            self._at = 0
        at = self._at
        for i in range(4):
            key[i] = self._keys[at + i]
        self._at = at + 4


class Connection:
    """What a stream of bytes and a socket of messages have in common."""

    def __init__(self, under, engine, now):
        self._under = under
        self._engine = engine
        self._now = now
        self._sending = False
        self._sender = None  # a task that sends a Ping, a Pong or a Close
        self._failed = None
        self._first = b""  # bytes of a stream that came with the server's answer

    async def open(self):
        """Shake hands; returns itself. Raises tcp.ConnectError, with everything closed."""
        try:
            await self._shake_hands()
        except BaseException:  # also when the caller's deadline cancels it
            self._under.close()
            raise
        return self

    async def _shake_hands(self):
        answer = bytearray(_ANSWER_BYTES)
        try:
            await self._flush()
            while self._engine.state == OPENING:
                n = await self._read(answer)
                self._first = bytes(answer[:n])
        except OSError as error:
            raise tcp.ConnectError("websocket", tcp.reason(error))
        except ValueError as error:  # a certificate, told in several lines
            raise tcp.ConnectError("tls", " ".join(str(error).split()))
        event = self._engine.next_event()
        if event[0] == "closed":
            raise tcp.ConnectError("websocket", event[2])

    async def _room(self):
        """Wait until something can be written; return how many bytes."""
        while self._engine.room() == 0:
            if self._failed:
                raise self._failed
            await self._flush()
            if self._engine.room() == 0:
                await asyncio.sleep_ms(_BUSY_MS)
        return self._engine.room()

    async def _flush(self):
        """Send what the engine has. Who comes while another is at it leaves it to that one."""
        if self._sending:
            return
        self._sending = True
        try:
            out = self._engine.next_out()
            while len(out):
                self._engine.sent(await self._under.write(out))
                out = self._engine.next_out()
        except OSError as error:
            self._failed = error
            raise
        finally:
            self._sending = False

    async def _read(self, buffer):
        """Give the engine what has arrived; return how many bytes of a stream are in `buffer`."""
        n = await self._under.read_into(buffer)
        failure = None
        try:
            n = self._engine.receive(memoryview(buffer)[:n], self._now())
        except ProtocolError as error:
            failure = OSError(str(error))
        if self._engine.state == CLOSED:
            await self._say_goodbye()
        elif not self._sending and len(self._engine.next_out()):
            # Not awaited: while the network takes nothing the peer may be waiting for us to read.
            self._send_soon()
        if failure:
            raise failure
        return n

    def _send_soon(self):
        self._sender = asyncio.create_task(self._send_quietly())

    async def _send_quietly(self):
        try:
            await self._flush()
        except OSError:
            pass  # whoever reads or writes next will see it

    async def _say_goodbye(self):
        """Send our Close, if the network takes it."""
        try:
            await asyncio.wait_for_ms(self._send_quietly(), _GOODBYE_MS)
        except asyncio.TimeoutError:
            pass


class Stream(Connection):
    """Bytes, in binary frames of any size. One reader and one writer at a time; OSError when the
    connection is gone.
    """

    async def read_into(self, buffer):
        """Wait for bytes, put them at the start of `buffer` and return how many: 0 is the end,
        with a Close or without.
        """
        n = min(len(buffer), len(self._first))
        if n:
            buffer[:n] = self._first[:n]
            self._first = self._first[n:]
        while n == 0 and self._engine.state != CLOSED:
            n = await self._read(buffer)
        return n

    async def write(self, data):
        """Send what there is room for of `data`, at least a byte, in one frame, and return how
        many. `data` stays as it is: what is masked is a copy.
        """
        n = min(len(data), await self._room())
        if self._engine.state == CLOSED:
            raise OSError("the WebSocket is closed")
        self._engine.send(data if n == len(data) else memoryview(data)[:n])
        await self._flush()
        return n

    def close(self):
        """Close at once. Whoever still waits for this stream must be cancelled first."""
        self._under.close()
