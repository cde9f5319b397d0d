"""Frames as the other side would send them, made without the library; and ways to feed them."""

import struct

from websocket.engine import Engine
from websocket.errors import ProtocolError

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = bytes.fromhex("37fa213d")  # of the RFC's examples, section 5.7


def frame(opcode, payload=b"", final=True, key=None, rsv=0, size=None):
    """The bytes of a frame. `size`: 2 or 8 for a length field longer than it need be."""
    first = (0x80 if final else 0) | rsv << 4 | opcode
    masked = 0x80 if key else 0
    length = len(payload)
    size = size or (0 if length < 126 else 2 if length < 65536 else 8)
    if size == 0:
        head = bytes((first, masked | length))
    elif size == 2:
        head = struct.pack(">BBH", first, masked | 126, length)
    else:
        head = struct.pack(">BBQ", first, masked | 127, length)
    if key:
        head += key
        payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
    return head + payload


def close_payload(code, reason=b""):
    return struct.pack(">H", code) + reason


def parse(data):
    """[(opcode, final, payload)] of whole frames, unmasked; an independent reader."""
    frames, at = [], 0
    while at < len(data):
        first, second = data[at], data[at + 1]
        at += 2
        length = second & 0x7F
        if length > 125:
            size = 2 if length == 126 else 8
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        key = bytes(4)
        if second & 0x80:
            key = data[at : at + 4]
            at += 4
        payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(data[at : at + length]))
        frames.append((first & 15, first >= 0x80, payload))
        at += length
    assert at == len(data), "the last frame is cut"
    return frames


def fixed_key(key):
    """A source of masks without surprises."""
    key[:] = KEY


def engine(client, **options):
    """An engine whose connection is open."""
    return Engine(fixed_key if client else None, **options)


def whole(data):
    yield data


def bytewise(data):
    for i in range(len(data)):
        yield data[i : i + 1]


def in_halves(data):
    yield data[: len(data) // 2]
    yield data[len(data) // 2 :]


SPLITS = (whole, bytewise, in_halves)


def feed(engine, data, split=whole, now=0):
    """Give all of it; returns (events, frames that were answered, ProtocolError or None)."""
    events, answered, failure = [], b"", None
    for part in split(data):
        if not part:
            continue
        try:
            engine.receive(bytearray(part), now)
        except ProtocolError as error:
            failure = error
        while (event := engine.next_event()) is not None:
            events.append(event)
        answered += take(engine)
        if failure:
            break
    return events, parse(answered), failure


def take(engine):
    """All that the engine wants to send."""
    sent = b""
    while len(out := engine.next_out()):
        sent += bytes(out)
        engine.sent(len(out))
    return sent
