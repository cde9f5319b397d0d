"""Packet borders in a stream of MQTT 3.1.1 bytes, found as the bytes pass by.

A `Splitter` is fed whatever a socket gave and answers with fragments, each a part of exactly one
packet, so that a proxy can pass half a packet on at once and still knows where it stands. Bytes
that are no MQTT (TLS, or a test's rubbish) make the splitter opaque: it passes everything on as
it is and names no packets. Nothing here raises on bad input. Clauses are those of the MQTT 3.1.1
standard.
"""

import dataclasses
import time

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = range(8, 15)

_WITH_PACKET_ID = range(PUBACK, UNSUBACK + 1)  # 2.3.1; a PUBLISH has one only with QoS 1 or 2
_LONGEST_HEADER = 5  # 2.2: type and flags, then at most four bytes of remaining length


@dataclasses.dataclass(frozen=True)
class Packet:
    """One whole packet; `time` (monotonic, s) is that of its last byte, `connection` from 1."""

    type: int
    flags: int
    packet_id: int | None
    topic: str | None
    payload: bytes
    raw: bytes
    time: float
    connection: int

    @property
    def payload_length(self):
        return len(self.payload)

    @property
    def qos(self):
        return self.flags >> 1 & 3

    @property
    def dup(self):
        return bool(self.flags & 8)

    @property
    def retain(self):
        return bool(self.flags & 1)


@dataclasses.dataclass(frozen=True)
class Fragment:
    """Bytes of one packet. `type` is None in an opaque stream, `whole` all but at the end.

    There `whole` is the complete packet.
    """

    data: bytes
    type: int | None = None
    whole: bytes | None = None


def parse(raw, connection=0, now=None):
    """The Packet in `raw`, which is exactly one; fields it is too short for stay empty."""
    kind, flags = raw[0] >> 4, raw[0] & 15
    body = raw[_header_length(raw) :]
    packet_id, topic, payload = None, None, b""
    if kind == PUBLISH:
        topic_end = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:topic_end].decode(errors="replace")
        payload = body[topic_end:]
        if flags >> 1 & 3:
            packet_id, payload = int.from_bytes(payload[:2], "big"), payload[2:]
    elif kind in _WITH_PACKET_ID:
        packet_id, payload = int.from_bytes(body[:2], "big"), body[2:]
    else:
        payload = body
    now = time.monotonic() if now is None else now
    return Packet(kind, flags, packet_id, topic, payload, bytes(raw), now, connection)


class Splitter:
    """Cuts one direction of one connection into fragments.

    `first_type` (CONNECT or CONNACK) is what must come first; otherwise the stream is opaque.
    """

    def __init__(self, first_type):
        self._expected = first_type
        self._packet = bytearray()
        self._length = None  # of the packet under way; None until its header is complete
        self.opaque = False

    def feed(self, data):
        """The list of Fragments that `data` is made of; joined they are `data` again."""
        fragments = []
        while data and not self.opaque:
            taken = self._take(data)
            if self.opaque:
                break
            kind = self._packet[0] >> 4
            whole = None
            if len(self._packet) == self._length:
                whole = bytes(self._packet)
                self._packet, self._length = bytearray(), None
            fragments.append(Fragment(bytes(data[:taken]), kind, whole))
            data = data[taken:]
        if data:
            fragments.append(Fragment(bytes(data)))
        return fragments

    def _take(self, data):
        """Moves what belongs to the packet under way from `data` into it; returns its length."""
        taken = 0
        while self._length is None and taken < len(data):
            self._packet.append(data[taken])
            taken += 1
            self._read_header()
            if self.opaque:
                return taken
        if self._length is not None:
            more = data[taken : taken + self._length - len(self._packet)]
            self._packet += more
            taken += len(more)
        return taken

    def _read_header(self):
        kind, first = self._packet[0] >> 4, self._expected
        if first is not None and self._packet[0] != first << 4:  # 2.2.2: they have no flags
            self.opaque = True
        if kind not in range(CONNECT, DISCONNECT + 1):
            self.opaque = True
        if self.opaque:
            return
        header = _header_length(self._packet)
        if header is None:
            self.opaque = len(self._packet) >= _LONGEST_HEADER
            return
        self._expected = None
        remaining = sum((byte & 127) << 7 * i for i, byte in enumerate(self._packet[1:header]))
        self._length = header + remaining


def _header_length(raw):
    """Length of the fixed header at the start of `raw`, None while it is incomplete (2.2.3)."""
    for i, byte in enumerate(raw[1:_LONGEST_HEADER], 2):
        if byte < 128:
            return i
    return None
