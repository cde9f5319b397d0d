"""What sender and receiver know of a stream beforehand: its schema and its habits.

A profile is a string of bytes (docs/WIRE.md, "The profile"), published retained. A REF frame
names it by its mark, the lower 16 bits of its CRC-24; all 24 go into the frame's checksum.
This is the receiver's view; the encoder reads the bytes as it needs them.
"""
from .describe import mantissa_at
from .errors import ProtocolError
from .loops import crc24
from .model import CRC
from .rangecoder import Numbers
from .schema import INTERVALS_S, KEYS, UNITS, Channel, Schema

MAGIC = 0xE1        # 0xE0 + version
HEAD_LEN = 22


def _broken():
    return ProtocolError("the profile does not hold together")


class Profile:
    """A profile whose every number has been checked; `blob` is what is stored and published.

    `priors` holds one for the times and one for each channel: (flags, Prior or None).
    """

    def __init__(self, blob):
        if len(blob) < HEAD_LEN + 3 or blob[0] != MAGIC:
            raise ProtocolError("no profile of version 1")
        if crc24(blob, len(blob), 0, CRC):
            raise ProtocolError("the profile's checksum does not match")
        self.blob = blob = bytes(blob)
        self.crc = int.from_bytes(blob[-3:], "big")
        self.mark = self.crc & 0xFFFF
        self.revision = int.from_bytes(blob[1:3], "big")
        self.stream = int.from_bytes(blob[3:7], "big")
        self.seq = int.from_bytes(blob[7:11], "big")            # of the reading that is due
        self.seconds = int.from_bytes(blob[11:16], "big")       # at this second
        self.ms = int.from_bytes(blob[16:18], "big")            # and ms
        self.count = int.from_bytes(blob[18:20], "big")         # readings in a usual frame
        columns = HEAD_LEN + int.from_bytes(blob[20:22], "big")
        fields = _FieldReader(blob[HEAD_LEN:columns])
        self.schema = read_schema(fields)
        if fields.left() or columns > len(blob) - 3:
            raise _broken()
        take = _Taker(blob, columns, len(blob) - 3)
        self.priors = []
        for index in range(-1, len(self.schema.channels)):
            flags = take.number()
            size = take.number()
            end = take.at + size
            self.priors.append((flags, Prior(take, index) if size else None))
            if take.at != end:
                raise _broken()
        if take.at != len(blob) - 3:
            raise _broken()


class Prior:
    """What a profile says of one column; channel -1 is the time."""

    def __init__(self, take, index):
        if index >= 0:
            ref = take.number()
            self.ref = ref >> 1 ^ -(ref & 1)
            self.step = take.number()
            self.usual = take.number()
            take.number()       # the usual change, from which the encoder sees whether it fits
            if self.step == 0 or self.usual > 28:
                raise _broken()
        self.median = take.byte()
        self.mean = take.byte()
        self.shift = take.byte()
        which = take.byte()
        self.others = [take.byte() if which >> i & 1 else None for i in (4, 5)]
        self.weights = [(take.byte() << 8 | take.byte()) - 16384 if which >> i & 1 else 0
                        for i in range(6)]
        longest = take.byte()
        if (self.median > 15 or self.shift > 14 or longest > 15 or which > 63
                or any(other is not None and other >= index for other in self.others)
                or any(not -16384 < weight < 16384 for weight in self.weights)):
            raise _broken()
        self.nodes = [(j, take.byte() << 7 | 64) for j in range(mantissa_at(longest + 1))
                      if j >= 48 or j & 15 <= longest]


class _Taker:
    """Takes numbers (7 bits a byte, low ones first) and bytes out of a profile."""

    def __init__(self, blob, at, end):
        self._blob = blob
        self._end = end
        self.at = at

    def byte(self):
        if self.at >= self._end:
            raise _broken()
        self.at += 1
        return self._blob[self.at - 1]

    def number(self):
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise _broken()


class _FieldReader(Numbers):
    """Reads a schema out of a profile: pairs of bytes, number of bits (0: a flag) and value."""

    def __init__(self, fields):
        self._fields = fields
        self._at = 0

    def left(self):
        return len(self._fields) - self._at

    def _take(self, count):
        if self.left() < 2 or self._fields[self._at] != count:
            raise _broken()
        self._at += 2
        if self._fields[self._at - 1] >> max(count, 1):
            raise _broken()
        return self._fields[self._at - 1]

    def bits(self, count):
        value = 0
        while count:
            some = min(count, 8)
            count -= some
            value = value << some | self._take(some)
        return value

    def flag(self, shift):
        return self._take(0)


def read_schema(reader):
    """Read what pack() of schema.py wrote."""
    width = 1 + reader.bits(5 if reader.flag(3) else 3)
    interval = reader.bits(4)
    interval = reader.number() if interval == 15 else INTERVALS_S[interval] * 1000
    if interval >= 1 << 28:
        raise ProtocolError("the interval is too long")
    units = UNITS.split("|")
    channels = []
    for _ in range(width):
        unit = reader.bits(4)
        if unit == 15:
            unit += reader.bits(6)
        unit_text = units[unit] if unit < 78 else reader.text()
        key = KEYS[unit] if unit < 15 and reader.bits(1) else None
        if key is None:
            if unit > 14 and reader.bits(1):
                raise ProtocolError("no encoder writes this")
            key = reader.text()
        decimals = reader.bits(2)
        if decimals == 3:
            decimals += reader.bits(3)
        step = None
        if reader.flag(3):
            exponent = -reader.bits(4)
            step = (reader.number(), exponent)
        kind = "count" if reader.flag(3) else ""
        if decimals > 9 or (step and not 0 < step[0] < 1 << 29):
            raise ProtocolError("no encoder writes this")
        channels.append(Channel(key, unit_text, decimals, step, kind))
    return Schema(tuple(channels), interval)
