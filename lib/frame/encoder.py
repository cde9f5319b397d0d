"""Pack readings into frames. Nothing here allocates once an Encoder is made.

    encoder = Encoder(schema, 60)
    encoder.begin(stream)
    if not encoder.add(time_ms, (2550, None)):    # full, or the clock leapt: close the frame
        size = encoder.encode_into(buffer, seq)   # seq: the number of the first reading
        encoder.clear()

docs/WIRE.md defines the bytes, model.py the arrays `ctl` and `nodes`.
"""
from array import array
from struct import pack_into

from .loops import column, crc24, narrow, seed, survey
from .model import CRC, FRESH, PRESETS, mean_of, median_of, scale_of
from .readings import Readings


class Encoder(Readings):
    """Readings that become a frame."""

    def __init__(self, schema, batch):
        from .schema import pack  # the caller may forget it now

        super().__init__(schema, batch)
        self._fields = pack(schema)
        self.ctl = array("i", bytes(72))
        self._nodes = array("i", FRESH)
        self.profile = self._ref = self._out = None
        self._hi_s = self._lo_s = self._rest_ms = 0     # the first time by halves of its seconds
        self.begin(0)

    def begin(self, stream):
        """Say which stream the readings to come are of: 31 bits, the id of the queue's life."""
        if self.count or not 0 <= stream < 1 << 31:
            raise ValueError("close the frame first; a stream has 31 bits")
        self.stream = stream
        self._stream_hi = stream >> 16
        self._stream_lo = stream & 65535

    def use(self, blob):
        """Write REF frames by this profile, SELF frames if it is None."""
        self._ref = self.profile = None
        if blob:
            from .reference import Reference

            self._ref = Reference(self, blob)
            self.profile = blob

    def encode_into(self, out, seq, count=0):
        """Write the first `count` (0: all) readings as a frame; `seq` numbers the first.

        Returns the frame's length, 0 if `out` is too small for it.
        """
        count = count or self.count
        if not 0 < count <= self.count or not 0 <= seq < 1 << 30:
            raise ValueError("no such readings")
        ctl = self.ctl
        ctl[0] = ctl[2] = 0
        ctl[1] = 0x1000000
        ctl[3] = len(out) - 3
        ctl[4] = count
        self._out = out
        self._split_start()
        crc = 0
        ref = self._ref
        self._bits(15 if ref else 14, 4)
        if ref:
            crc = ref.head(seq, count)
        else:
            self._head_self(seq, count)
        self._time_column(count)
        for c in range(self.width):
            self._channel(c, count)
        return self._finish(out, crc)

    def _finish(self, out, crc):
        """Settle the fewest bytes that name the interval whatever follows them, then the CRC.

        So no frame is the beginning of another: one that was cut is found out for certain.
        """
        ctl = self.ctl
        self._out = None
        low = ctl[0]
        unit = 65536
        if (low + 65535 & -65536) + 65536 > low + ctl[1]:
            unit = 256
        narrow(ctl, out, (low + unit - 1 & -unit) - low, unit >> 8)
        end = ctl[2]
        if end > ctl[3]:
            return 0
        crc = crc24(out, end, crc, CRC)
        out[end] = crc >> 16
        out[end + 1] = crc >> 8 & 255
        out[end + 2] = crc & 255
        return end + 3

    # -- numbers -------------------------------------------------------------------------

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
        x = t[2]
        self._hi_s = x // 1000 << 16
        x = x % 1000 << 16 | t[1]
        self._hi_s += x // 1000
        x = x % 1000 << 16 | t[0]
        self._lo_s = x // 1000
        self._rest_ms = x % 1000

    # -- columns ------------------------------------------------------------------------

    def _time_column(self, n):
        at = self.divided_column(self.times, n, 0, 1000)
        whole = at >= 0
        if not whole:
            at = self.times
        if self._ref and self._ref.times(at, n, whole):
            return
        self._flag(not whole, 3)
        self._free(at, n)

    def _channel(self, c, n):
        at = c * self.batch
        ref = self._ref
        often = ref.describe() & 2 if ref else 0
        gone = self.flags[c] & 2
        self._flag(gone != often, 4)
        if gone:
            # A column of its own says what is missing.
            first = self.first_value(at, n)
            self._bits(first > 0, 1)
            gone = self.mask_column(at, n)
            if self._flag(self._change(gone, n) > 0, 1):
                self._preset(4, 2)
                self._code(gone)
            if first == n:
                return
        if ref and ref.channel(c, at, n):
            return
        if self._flag(self.flags[c] > 3, 6):
            self._value_and_free(self.upper_column(at, n), n)
        self._value_and_free(at, n)

    def _value_and_free(self, at, n):
        first = (self.cols[at] >> 1) - 0x10000000
        self._number(abs(first))
        if first:
            self._flag(first < 0, 3)
        self._free(at, n)

    def _free(self, at, n):
        """Code a column with the preset and the scale that suit it, and say which."""
        ctl = self.ctl
        ctl[15] = at
        survey(ctl, self.cols)
        least = ctl[8]
        if self._flag(least == 0, 3):
            return
        best = 0
        for i in range(1, 4):
            size = ctl[8 + i]
            size += size >> 3
            if size < least:
                least = size
                best = i
        step = self._common_step(at, n)
        if self._flag(step > 1, 3):
            self._number(step)
            at = self.divided_column(at, n, (self.cols[at] >> 1) - 0x10000000, step)
        scale = scale_of((least << 4) // n // step)
        if self._flag(best > 0, 2):
            self._bits(best, 2)
        self._flag(scale > 15, 3)
        self._bits(scale, 4)
        self._preset(best, scale)
        self._code(at)

    def _preset(self, preset, scale):
        """Set a predictor and a scale that are no profile's."""
        ctl = self.ctl
        for i in range(4):
            ctl[8 + i] = 16380 + PRESETS[4 * preset + i]
        ctl[12] = ctl[13] = 16384
        ctl[7] = preset and 2
        ctl[14] = 0x10000000
        ctl[6] = mean_of(scale)
        ctl[5] = median_of(scale)
        pack_into("888s", self._nodes, 0, FRESH)
        seed(self._nodes, scale, ctl[5])

    def _code(self, at):
        self.ctl[15] = at
        column(self.ctl, self._nodes, self.cols, self._out)

    def _change(self, at, n):
        """The sum of the sizes of a column's changes."""
        cols = self.cols
        size = 0
        last = cols[at] >> 1
        for i in range(at, at + n):
            v = cols[i] >> 1
            d = v - last
            last = v
            if d < 0:
                d = -d
            size += d if d < 8191 else 8191
        return size

    def _common_step(self, at, n):
        """The greatest common divisor of a column's changes."""
        cols = self.cols
        step = 0
        last = cols[at] >> 1
        for i in range(at + 1, at + n):
            v = cols[i] >> 1
            d = abs(v - last)
            last = v
            while d:
                r = step % d
                step = d
                d = r
            if step == 1:
                break
        return step
