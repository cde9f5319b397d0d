"""The range decoder, and the numbers that frames and profiles are made of.

docs/WIRE.md, "The coder". The decoder never looks further than it must: a valid frame is no
beginning of another, so that `end` knows from the decoded numbers alone where it must stop.
"""
from .errors import ProtocolError

RATES = 139             # where `nodes` says how much a node learns
SEEN_LIMIT = RATES + 40     # where a node stops counting


class Numbers:
    """Numbers and names out of bits(count) and flag(shift)."""

    def number(self):
        """0 to 2**30 - 1."""
        length = self.bits(4)
        if length == 15:
            length += self.bits(4)
        if length > 30:
            raise ProtocolError("a number is too large")
        return 1 << length - 1 | self.bits(length - 1) if length else 0

    def text(self):
        """A key or unit, as text() of schema.py writes it."""
        short = self.bits(1)
        data = bytearray()
        for _ in range(1 if short else self.bits(6)):
            x = self.bits(5)
            if 25 < x < 31 or (short and x > 25):
                raise ProtocolError("no encoder writes this")
            data.append(97 + x if x < 26 else self.bits(8))
        try:
            return bytes(data).decode()
        except UnicodeError:
            raise ProtocolError("a name is no UTF-8") from None


class RangeDecoder(Numbers):
    """Reads what narrow() in _fast.py wrote."""

    def __init__(self, data):
        self._data = data
        self._pos = 0
        self._range = 0x1000000
        self._code = 0
        for _ in range(3):
            self._code = self._code << 8 | self._next()

    def _next(self):
        if self._pos == len(self._data):
            raise ProtocolError("the frame is cut short")
        self._pos += 1
        return self._data[self._pos - 1]

    def _narrow(self, start, size):
        self._code -= start
        while size < 65536:
            self._code = self._code << 8 | self._next()
            size <<= 8
        self._range = size

    def bits(self, count):
        """`count` bits as they are."""
        value = 0
        while count:
            some = min(count, 8)
            count -= some
            size = self._range >> some
            part = self._code // size
            if part >> some:
                raise ProtocolError("no encoder writes this")
            value = value << some | part
            self._narrow(part * size, size)
        return value

    def flag(self, shift):
        """A bit that is 1 once in 2**shift times."""
        part = self._range >> shift
        if self._code < part:
            self._narrow(0, part)
            return 1
        self._narrow(part, self._range - part)
        return 0

    def near(self, usual):
        """A signed number of about `usual` bits."""
        length = usual
        if self.flag(3):
            length += 1
            while self.flag(1):
                length += 1
                if length > 30:
                    raise ProtocolError("a number is too large")
        else:
            while length and not self.flag(1):
                length -= 1
        if not length:
            return 0
        sign = self.bits(1)
        size = 1 << length - 1 | self.bits(length - 1)
        return -size if sign else size

    def decide(self, nodes, j):
        """One adaptive decision."""
        p = nodes[j] >> 8
        seen = nodes[j] & 255
        part = (self._range >> 9) * p >> 6
        more = seen < SEEN_LIMIT
        if self._code < part:
            nodes[j] += ((32768 - p) * nodes[seen] >> 14 << 8) + more
            self._narrow(0, part)
            return 1
        nodes[j] += more - (p * nodes[seen] >> 14 << 8)
        self._narrow(part, self._range - part)
        return 0

    def end(self):
        """Check that the stream ends as the encoder ends it; return the position after it."""
        seen = int.from_bytes(self._data[self._pos - 3:self._pos], "big")
        low = seen - self._code & 0xFFFFFF
        size = 1
        unit = 65536
        point = low + unit - 1 & -unit
        if point + unit > low + self._range:
            size = 2
            unit = 256
            point = low + unit - 1 & -unit
        if point & 0xFFFFFF != seen & -unit:
            raise ProtocolError("the frame does not end as it must")
        return self._pos - 3 + size
