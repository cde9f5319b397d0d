"""The packets of MQTT: written into a caller's buffer, and found in a stream cut anywhere.

    type and flags | remaining length, 1 to 4 bytes of 7 bits | variable header | payload

A writer takes the buffer and where to begin, and returns where it ended; the caller has seen to it
that there is room. `properties` are those of 5.0, encoded with their length (`properties.py`);
3.1.1 has none, b"". CONNECT is in `opening.py`, SUBSCRIBE and UNSUBSCRIBE are in `filters.py`.

A clause, [MQTT-x], is one of 3.1.1; one of 5.0 alone is marked (5). Errors name the clause, or the
section, that was broken: words for each would be a kilobyte of heap.
"""

try:
    from micropython import const
except ImportError:

    def const(value):  # CPython
        return value


_PUBREL = const(6)
# First bytes that a broker may send, PUBLISH aside [MQTT-2.2.2-2]; the last two in 5.0 alone.
_FROM_BROKER = b"\x20\x40\x50\x62\x70\x90\xb0\xd0\xe0\xf0"


class ProtocolError(Exception):
    """The broker sent what MQTT does not allow: `clause` is broken. `code` is the reason code that
    says so to it: 0x81 malformed packet, 0x82 protocol error, 0x95 packet too large.
    """

    def __init__(self, clause, code=0x81):
        super().__init__("the broker broke MQTT " + clause)
        self.code = code


# ---- writing


def head(out, at, first, length):
    """The fixed header: first byte and remaining length (section 2.2)."""
    out[at] = first
    at += 1
    while length > 0x7F:
        out[at] = length & 0x7F | 0x80
        length >>= 7
        at += 1
    out[at] = length
    return at + 1


def publish(out, at, first, topic, packet_id, payload, properties=b""):
    """PUBLISH (section 3.3); a packet id of 0 is left out: QoS 0 [MQTT-2.3.1-5]."""
    length = len(topic)
    more = 4 if packet_id else 2
    at = head(out, at, first, more + length + len(properties) + len(payload))
    out[at] = length >> 8
    out[at + 1] = length & 0xFF
    at += 2
    end = at + length
    out[at:end] = topic
    at = end
    if packet_id:
        out[at] = packet_id >> 8
        out[at + 1] = packet_id & 0xFF
        at += 2
    if properties:
        end = at + len(properties)
        out[at:end] = properties
        at = end
    end = at + len(payload)
    out[at:end] = payload
    return end


def ack(out, at, kind, packet_id, code=0):
    """PUBACK, PUBREC, PUBREL or PUBCOMP (sections 3.4 to 3.7), at most 5 bytes. A code of 0 is
    left out, as 5.0 allows and 3.1.1 demands.
    """
    at = head(out, at, kind << 4 | (2 if kind == _PUBREL else 0), 3 if code else 2)
    out[at] = packet_id >> 8
    out[at + 1] = packet_id & 0xFF
    if code:
        out[at + 2] = code
        at += 1
    return at + 2


# ---- text


def encoded(data, without=b""):
    """Text or bytes as the bytes of a UTF-8 string. A topic is `without` wildcards, and not empty
    [MQTT-3.3.2-2] [MQTT-4.7.3-1]. Raises ValueError.
    """
    given = data
    if isinstance(data, str):
        data = data.encode()
    good = len(data) < 65536 and is_text(data) and (data or not without)
    for char in without:
        good = good and char not in data
    if not good:
        raise ValueError("not for MQTT: %r" % given[:40])
    return data


def is_text(data):
    """Whether `data` is well-formed UTF-8 without U+0000 [MQTT-1.5.3-1] [MQTT-1.5.3-2]."""
    try:
        chars = str(data, "utf-8")
    except UnicodeError:
        return False
    if len(chars) < len(data):  # not ASCII alone
        from .utf8 import strict

        if not strict(chars, len(data)):
            return False
    return "\0" not in chars


# ---- reading


class Splitter:
    """Finds the packets in a stream. Memory: `size` bytes, the largest packet that is kept whole;
    of a larger one the beginning is kept and the rest skipped. `strict`: a length must have the
    fewest bytes, as 5.0 demands [MQTT-1.5.5-1] (5).
    """

    def __init__(self, size, strict=False):
        self.strict = strict
        self._packet = bytearray(size)
        self._view = memoryview(self._packet)
        self.have = 0  # bytes of the packet so far, skipped ones included
        self.head = 0  # length of the fixed header, 0 until it is complete
        self.end = 0  # length of the packet

    def take(self, data, at):
        """Take bytes of `data` from `at` on, up to a packet's end; returns where it stopped. A
        packet is complete when `first` is not 0: `body` is what follows its header, until the next
        call, `skipped` the length of one too large to be kept. Raises ProtocolError.
        """
        self.first = 0
        have = self.have
        if not self.head:
            self._packet[have] = byte = data[at]
            self.have = have = have + 1
            at += 1
            if have == 1:
                # QoS 3 [MQTT-3.3.1-4], DUP at QoS 0 [MQTT-3.3.1-2], reserved flags, or no MQTT
                known = byte >> 4 == 3 or byte in _FROM_BROKER
                if byte & 6 == 6 or byte & 14 == 8 or not known:
                    raise ProtocolError("2.2.2-2")
            elif byte < 0x80:
                if self.strict and have > 2 and not byte:
                    raise ProtocolError("1.5.5-1 (5)")
                length = 0
                for i in range(have - 1, 0, -1):
                    length = length << 7 | self._packet[i] & 0x7F
                self.head = have
                self.end = have + length
            elif have == 5:
                raise ProtocolError("2.2.3")
        else:
            n = min(len(data) - at, self.end - have)
            keep = min(n, len(self._packet) - have)
            if keep > 0:
                self._packet[have : have + keep] = data[at : at + keep]
            at += n
            self.have = have + n
        if self.head and self.have == self.end:
            size = len(self._packet)
            self.skipped = self.end if self.end > size else 0
            self.body = self._view[self.head : min(self.end, size)]
            self.first = self._packet[0]
            self.have = self.head = 0
        return at
