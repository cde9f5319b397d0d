"""Pack readings into frames. Nothing here allocates once an Encoder is made.

    encoder = Encoder(schema, 60)
    encoder.stream = stream_id
    if not encoder.add(time_ms, (2550, None)):    # full, or the clock leapt: close the frame
        size = encoder.encode_into(buffer, seq)   # seq: the number of the first reading
        encoder.clear()

docs/WIRE.md defines the bytes, model.py the arrays `ctl` and `nodes`.
"""
from array import array
from struct import pack_into

from .model import CRC, PRESETS, fresh_nodes, mantissa_at, mean_of, median_of, scale_of
from .readings import Readings
from .schema import pack

try:
    from ._fast import column, crc24, narrow, seed, survey
except (ImportError, ValueError, SyntaxError, AttributeError):
    # No native code here, or none for this chip: the same loops as bytecode.
    from ._plain import column, crc24, narrow, seed, survey

try:
    from micropython import const
except ImportError:
    def const(value):
        return value

_LOW = const(0)
_RANGE = const(1)
_POS = const(2)
_END = const(3)
_COUNT = const(4)
_MEDIAN = const(5)
_MEAN = const(6)
_SHIFT = const(7)
_WEIGHTS = const(8)     # survey() leaves its sums here
_LEVEL = const(14)
_AT = const(15)
_OTHERS = const(16)
_ZERO = const(0x10000000)
_NO_WEIGHT = const(16384)


class Encoder(Readings):
    """Readings that become a frame."""

    def __init__(self, schema, batch):
        super().__init__(schema, batch)
        self._fields = pack(schema)
        self._nodes, self._fresh = fresh_nodes()
        self.ctl = array("i", bytes(72))
        self._out = self._blob = None
        self._at = self._after = 0      # where the profile describes this and the next column
        self.stream = 0

    @property
    def stream(self):
        """The id of the queue's life that the readings belong to, 31 bits."""
        return self._stream_hi << 16 | self._stream_lo

    @stream.setter
    def stream(self, value):
        if self.count:
            raise ValueError("close the frame first: it has one stream")
        self._stream_hi = value >> 16 & 32767
        self._stream_lo = value & 65535

    def use(self, blob):
        """Write REF frames by this profile, SELF frames if it is None."""
        end = 22 + len(self._fields)
        if blob and (crc24(blob, len(blob), 0, CRC) or blob[0] != 0xE1
                     or blob[22:end] != self._fields):
            raise ValueError("this is no profile of these channels")
        self._blob = blob

    def encode_into(self, out, seq, count=0):
        """Write the first `count` (0: all) readings as a frame; `seq` numbers the first.

        Returns the frame's length, 0 if `out` is too small for it.
        """
        count = count or self.count
        if not 0 < count <= self.count or not 0 <= seq < 1 << 30:
            raise ValueError("no such readings")
        if len(out) < 7:
            return 0
        ctl = self.ctl
        ctl[_LOW] = ctl[_POS] = 0
        ctl[_RANGE] = 0x1000000
        ctl[_END] = len(out) - 3
        ctl[_COUNT] = count
        self._out = out
        crc = 0
        if self._blob:
            crc = self._field(len(self._blob) - 3, 3)
            self._bits(15, 4)
            self._bits(crc, 16)
            self._head_ref(seq, count)
        else:
            self._bits(14, 4)
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
        low = ctl[_LOW]
        unit = 65536
        if (low + 65535 & -65536) + 65536 > low + ctl[_RANGE]:
            unit = 256
        narrow(ctl, out, (low + unit - 1 & -unit) - low, unit >> 8)
        end = ctl[_POS]
        if end > ctl[_END]:
            return 0
        crc = crc24(out, end, crc, CRC)
        out[end] = crc >> 16
        out[end + 1] = crc >> 8 & 255
        out[end + 2] = crc & 255
        return end + 3

    # -- numbers that are no residuals --------------------------------------------------

    def _bits(self, value, count):
        """`count` bits as they are."""
        while count:
            some = 8 if count > 8 else count
            count -= some
            size = self.ctl[_RANGE] >> some
            narrow(self.ctl, self._out, (value >> count & (1 << some) - 1) * size, size)

    def _flag(self, bit, shift):
        """A bit that is 1 once in 2**shift times; returns it."""
        size = self.ctl[_RANGE]
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
        if self._flag(self.hi >> 16 > 0, 6):
            self._bits(self.hi >> 16, 8)
        self._bits(self.hi, 16)
        self._bits(self.lo, 16)
        if self._flag(self.ms[0] > 0, 3):
            self._bits(self.ms[0], 10)

    def _field(self, at, size):
        """A number in the profile's head."""
        value = 0
        for i in range(at, at + size):
            value = value << 8 | self._blob[i]
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
        hi = self.hi - self._field(11, 3)
        if self._flag(not -2048 < hi < 2048 or self.ms[0] != self._field(16, 2)
                      or passed > 0x7000000 // (step or 1) or self.interval % 1000 > 0, 4):
            self._start()
            return
        off = (hi << 16) + self.lo - self._field(14, 2) - passed * step
        step = step or 1
        rest = (off + (step >> 1)) % step - (step >> 1)
        self._near((off - rest) // step, 1)
        self._near(rest, 1)

    # -- columns ------------------------------------------------------------------------

    def _time_column(self, n):
        whole = self.whole and self.interval % 1000 == 0
        if self._blob:
            fits = self._describe() & 1 == whole
            if not self._flag(not fits, 5):
                self._trained(self.time_column(n, whole), n, 0)
                return
        self._flag(not whole, 3)
        self._free(self.time_column(n, whole), n)

    def _channel(self, c, n):
        at = c * self.batch
        often = self._describe() & 2 if self._blob else 0
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
        if self._blob and self._known(c, at, n):
            return
        if self._flag(self.flags[c] > 3, 6):
            self._value_and_free(self.upper_column(at, n), n)
        self._value_and_free(at, n)

    def _value_and_free(self, at, n):
        first = (self.cols[at] >> 1) - _ZERO
        self._number(abs(first))
        if first:
            self._flag(first < 0, 3)
        self._free(at, n)

    def _free(self, at, n):
        """Code a column with the preset and the scale that suit it, and say which."""
        ctl = self.ctl
        ctl[_AT] = at
        survey(ctl, self.cols)
        least = ctl[_WEIGHTS]
        if self._flag(least == 0, 3):
            return
        best = 0
        for i in range(1, 4):
            size = ctl[_WEIGHTS + i]
            size += size >> 3
            if size < least:
                least = size
                best = i
        step = self._common_step(at, n)
        if self._flag(step > 1, 3):
            self._number(step)
            at = self.divided_column(at, n, (self.cols[at] >> 1) - _ZERO, step)
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
        weights = PRESETS[preset]
        for i in range(6):
            ctl[_WEIGHTS + i] = _NO_WEIGHT + (weights[i] - 4 if i < 4 else 0)
        ctl[_SHIFT] = preset and 2
        ctl[_LEVEL] = _ZERO
        ctl[_MEAN] = mean_of(scale)
        ctl[_MEDIAN] = median_of(scale)
        pack_into("556s", self._nodes, 0, self._fresh)
        seed(self._nodes, scale, ctl[_MEDIAN])

    def _code(self, at):
        self.ctl[_AT] = at
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

    # -- columns that a profile describes -----------------------------------------------

    def _describe(self):
        """Go to the next column of the profile; returns its flags."""
        self._at = self._after
        flags = self._next()
        self._after = self._next()
        self._after += self._at
        return flags

    def _next(self):
        """The next number (7 bits a byte, low ones first) of the profile."""
        value = shift = 0
        while True:
            byte = self._blob[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def _known(self, c, at, n):
        """Code a channel as the profile describes it; False if it is unlike it."""
        fits = self._at < self._after and self.flags[c] < 4
        if fits:
            ref = self._next()
            ref = ref >> 1 ^ -(ref & 1)
            step = self._next()
            usual = self._next()
            usual_change = self._next()
            change = (self._change(at, n) << 4) // n
            fits = change <= 8 * usual_change + 16 and usual_change <= 8 * change + 16
            if fits and step > 1:
                at = self.divided_column(at, n, ref, step)
                ref = 0
                fits = at >= 0
        if not self._flag(not fits, 5):
            self._near((self.cols[at] >> 1) - _ZERO - ref, usual)
            self._trained(at, n, ref)
        return fits

    def _trained(self, at, n, ref):
        """Code a column by the rest of its description."""
        ctl = self.ctl
        nodes = self._nodes
        ctl[_MEDIAN] = self._next()
        ctl[_MEAN] = self._next()
        ctl[_SHIFT] = self._next()
        ctl[_LEVEL] = ref + _ZERO
        which = self._next()
        usable = which
        for i in range(2):
            if which >> 4 + i & 1:
                other = self._next()
                ctl[_OTHERS + i] = other * self.batch
                if self.flags[other] > 3:
                    usable &= ~(16 << i)
        for i in range(6):
            w = self._next() if which >> i & 1 else _NO_WEIGHT
            ctl[_WEIGHTS + i] = w if usable >> i & 1 else _NO_WEIGHT
        pack_into("556s", nodes, 0, self._fresh)
        longest = self._next()
        blob = self._blob
        p = self._at
        j = 0
        end = mantissa_at(longest + 1)
        while j < end:
            nodes[j] = blob[p] << 7 | 64
            nodes[j + 139] = 30
            p += 1
            j += 1
            if j < 48 and j & 15 > longest:
                j = (j | 15) + 1
        self._code(at)
