"""Runs on the device: lib/websocket, its frames with the heap locked, its edges against peers."""

import asyncio
import gc
from binascii import hexlify, unhexlify

import micropython

import tcp
import websocket.frames as frames
from websocket import _plain
from websocket.messages import open_url
from websocket.stream import connect

from . import server
from .contexts import verifying

_KEY = b"\x37\xfa\x21\x3d"


# ---- frames


def loops():
    """Which loops are used: "_fast" or "_plain"."""
    return "_plain" if frames.mask is _plain.mask else "_fast"


def same(text, start, length, phase):
    """Do both loops mask and move alike?"""
    data = unhexlify(text)
    results = []
    for module in (frames, _plain):
        masked, moved = bytearray(data), bytearray(data)
        module.mask(masked, start, start + length, _KEY, phase)
        module.move(moved, start // 2, moved, start, start + length)
        results.append((masked, moved))
    return results[0] == results[1]


def frames_without_allocating(size, count):
    """Write frames and read them again with the heap locked; returns how many, or the error."""
    buffer = bytearray(size + 14)
    end = len(buffer)
    reader = frames.Reader(True)
    gc.collect()
    done = 0
    micropython.heap_lock()
    try:
        for _ in range(count):
            at = frames.wrap(buffer, end - size, end, frames.BINARY, True, _KEY)
            while not reader.whole or at < end:
                at = reader.feed(buffer, at, end)
            if reader.opcode == frames.BINARY and reader.length == size:
                done += 1
    except MemoryError as error:
        micropython.heap_unlock()
        return repr(error)
    micropython.heap_unlock()
    return done


# ---- the edge


def messages(url, sent, message_bytes=1024):
    """Send messages and get as many; text is str, bytes are in {"hex": ...}. Returns what came,
    and how it ended.
    """

    async def main():
        socket = await open_url(url, message_bytes=message_bytes)
        got = []
        for message in sent:
            await socket.send(unhexlify(message["hex"]) if isinstance(message, dict) else message)
            came = await socket.receive()
            got.append({"hex": hexlify(came).decode()} if isinstance(came, bytes) else came)
        await socket.close(1000, "enough")
        return got, socket.closed

    return asyncio.run(main())


def listen(url, limit=100, options=None):
    """All that comes until the peer ends it, as text or a length, and how it ended."""

    async def main():
        got = []
        socket = await open_url(url, **(options or {}))
        async for message in socket:
            got.append(message if isinstance(message, str) else len(message))
            if len(got) == limit:
                await socket.close()
        return got, socket.closed

    return asyncio.run(main())


def both_ways(url, count):
    """Two writers and a reader at once; returns the messages that came back, sorted."""

    async def write(socket, name):
        for i in range(count):
            await socket.send("%s%d " % (name, i) * 200)  # in several frames

    async def main():
        async with await open_url(url, message_bytes=4096, out_bytes=400) as socket:
            tasks = [asyncio.create_task(write(socket, name)) for name in "ab"]
            got = []
            for _ in range(2 * count):
                got.append((await socket.receive()).split(" ")[0])
            await asyncio.gather(*tasks)
        return sorted(got)

    return asyncio.run(main())


def echo_stream(port, length, buffer_bytes, tls=None):
    """Bytes through an echoing peer, written and read at once; are they the same?"""

    async def read(stream):
        got, buffer = bytearray(), bytearray(buffer_bytes)
        while len(got) < length:
            n = await stream.read_into(buffer)
            if n == 0:
                break
            got.extend(memoryview(buffer)[:n])
        return got

    async def main():
        context = verifying(tls)
        stream = await connect("127.0.0.1", port, tcp.Resolver(), context, "/", "mqtt")
        reading = asyncio.create_task(read(stream))
        data = bytes(i * 7 & 0xFF for i in range(length))
        at = 0
        while at < length:
            at += await stream.write(memoryview(data)[at:])
        got = await reading
        stream.close()
        return got == data

    return asyncio.run(main())


def failure(port, path="/", deadline_ms=2000, ca=None, then=None):
    """The name and words of what is raised by connecting, and then by reading or writing on."""

    async def go_on(stream):
        if then == "ask":
            await stream.write(b"?")
        if then in ("ask", "read"):
            return await stream.read_into(bytearray(100))
        while then == "write":
            await stream.write(bytes(1000))
        return "open"

    async def attempt():
        resolver = tcp.Resolver()
        stream = await connect("127.0.0.1", port, resolver, verifying(ca), path, "mqtt")
        try:
            return await go_on(stream)
        finally:
            stream.close()

    try:
        return ["returned", asyncio.run(asyncio.wait_for_ms(attempt(), deadline_ms))]
    except (OSError, ValueError, asyncio.TimeoutError) as error:
        return [type(error).__name__, str(error)]


server.serve(globals())
