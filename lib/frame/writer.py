"""The head of a frame, and the numbers in it that are no residuals.

docs/WIRE.md, "Numbers" and "The head".
"""
from array import array

from .loops import narrow
from .readings import Readings


class Writer(Readings):
    """Readings, and the range coder that writes them into `_out`."""

    def __init__(self, schema, batch):
        from .schema import pack  # the caller may forget it now

        super().__init__(schema, batch)
        self._fields = pack(schema)
        self.ctl = array("i", bytes(72))
        self._out = None
        self.profile = None     # its bytes, see Encoder.use()
        self._after = 0         # where the profile describes the next column
        self._hi_s = self._lo_s = self._rest_ms = 0     # the first time by halves of its seconds
        self.begin(0)

    def begin(self, stream):
        """Say which stream the readings to come are of: 31 bits, the id of the queue's life."""
        if self.count or not 0 <= stream < 1 << 31:
            raise ValueError("close the frame first: it has one stream, an id of 31 bits")
        self.stream = stream
        self._stream_hi = stream >> 16
        self._stream_lo = stream & 65535

    def _bits(self, value, count):
        """`count` bits as they are."""
        while count:
            some = 8 if count > 8 else count
            count -= some
            size = self.ctl[1] >> some
            narrow(self.ctl, self._out, (value >> count & (1 << some) - 1) * size, size)

    def _flag(self, bit, shift):
        """A bit that is 1 once in 2**shift times; returns it."""
        size = self.ctl[1]
        part = size >> shift
        if bit:
            narrow(self.ctl, self._out, 0, part)
        else:
            narrow(self.ctl, self._out, part, size - part)
        return bit

    def _number(self, value):
        """0 to 2**30 - 1: 4 bits of bit length or 15 and 4 more, the bits below the top one."""
        length = 0
        while value >> length:
            length += 1
        self._bits(length if length < 15 else 15, 4)
        if length > 14:
            self._bits(length - 15, 4)
        if length:
            self._bits(value, length - 1)

    def _near(self, value, usual):
        """A signed number of about `usual` bits: length up or down from there, sign, bits."""
        size = abs(value)
        length = usual
        if self._flag(size >> usual > 0, 3):
            length += 1
            while self._flag(size >> length > 0, 1):
                length += 1
        else:
            while length and not self._flag(size >> length - 1, 1):
                length -= 1
        if length:
            self._bits(value < 0, 1)
            self._bits(size, length - 1)

    # -- the head -----------------------------------------------------------------------

    def _head_self(self, seq, count):
        self._stream_and_seq(seq)
        self._start()
        self._near(count, 6)
        fields = self._fields
        for i in range(0, len(fields), 2):
            if fields[i]:
                self._bits(fields[i + 1], fields[i])
            else:
                self._flag(fields[i + 1], 3)

    def _stream_and_seq(self, seq):
        self._bits(self._stream_hi, 15)
        self._bits(self._stream_lo, 16)
        self._number(seq)

    def _start(self):
        """The first time as it is: seconds in 32 bits, the seldom part above them, and ms."""
        if self._flag(self._hi_s >> 16 > 0, 6):
            self._bits(self._hi_s >> 16, 8)
        self._bits(self._hi_s, 16)
        self._bits(self._lo_s, 16)
        if self._flag(self._rest_ms > 0, 3):
            self._bits(self._rest_ms, 10)

    def _split_start(self):
        """Divide the first time by 1000, in halves that fit 31 bits."""
        t = self.start
        x = t[4] | t[5] << 8
        self._hi_s = x // 1000 << 16
        x = x % 1000 << 16 | t[2] | t[3] << 8
        self._hi_s += x // 1000
        x = x % 1000 << 16 | t[0] | t[1] << 8
        self._lo_s = x // 1000
        self._rest_ms = x % 1000

    def _field(self, at, size):
        """A number in the profile's head."""
        value = 0
        for i in range(at, at + size):
            value = value << 8 | self.profile[i]
        return value

    def _head_ref(self, seq, count):
        self._after = 22 + len(self._fields)
        if self._flag(count != self._field(18, 2), 2):
            self._near(count, 6)
        passed = seq - self._field(7, 4)
        if self._flag(passed < 0 or self._stream_hi != self._field(3, 2)
                      or self._stream_lo != self._field(5, 2), 4):
            self._stream_and_seq(seq)
            self._start()
            return
        if self._flag(passed % count > 0, 2):
            self._number(passed)
        else:
            self._number(passed // count)
        # How far the clock is from where the sequence number makes one expect it.
        step = self.interval // 1000
        hi = self._hi_s - self._field(11, 3)
        if self._flag(not -2048 < hi < 2048 or self._rest_ms != self._field(16, 2)
                      or passed > 0x7000000 // (step or 1) or self.interval % 1000 > 0, 4):
            self._start()
            return
        off = (hi << 16) + self._lo_s - self._field(14, 2) - passed * step
        step = step or 1
        rest = (off + (step >> 1)) % step - (step >> 1)
        self._near((off - rest) // step, 1)
        self._near(rest, 1)
