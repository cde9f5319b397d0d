"""Pack readings into frames, within memory that is all taken beforehand.

    encoder = Encoder(schema, 60)
    encoder.stream = stream_id
    if not encoder.add(time_ms, (2550, None)):    # full, or the clock leapt: close the frame
        size = encoder.encode_into(buffer, seq)   # seq: the number of the first reading
        encoder.clear()

`add` and `encode_into` allocate nothing. Times are Unix milliseconds, 0 to 2**48 - 1; values
are integers of 32 bits, signed, or unsigned for counters; None where a value is missing.
"""
from array import array

from .model import (
    ABSOLUTE, CONSTANT, COUNT, CTL_LEN, DRY, END, LEVEL, LIMIT, LOW, MEAN, MEDIAN, NODES,
    NODES_LEN, PLAIN, POS, PRESETS, RANGE, REF, SEEN_FRESH, SEEN_TRAINED, SELF, SHIFT, STRIDE,
    VALUE_BIAS, WEIGHT_BIAS, WEIGHTS, mantissa_at, mean_of, median_of, rates, scale_of, seed,
)
from .readings import LOWER, UPPER, WHOLE, Readings
from .schema import pack

try:
    from ._fast import column, crc24, narrow
except (ImportError, ValueError, SyntaxError):
    # No native code here, or none for this chip: the same loops as bytecode.
    from ._plain import column, crc24, narrow


class Encoder(Readings):
    """Readings that become a frame; see the module's docstring."""

    def __init__(self, schema, batch):
        super().__init__(schema, batch)
        self._fields = bytes(pack(schema).data)
        self._nodes = array("H", bytes(2 * NODES_LEN))
        self._ctl = array("i", bytes(4 * CTL_LEN))
        rates(self._nodes)
        self._ctl[STRIDE] = batch
        self._out = None
        self._at = 0            # where in the profile the next column is described
        self.profile = None
        self.stream_hi = self.stream_lo = 0

    def use(self, profile):
        """Write REF frames from now on, or SELF frames with None."""
        if profile and profile.fields != self._fields:
            raise ValueError("the profile is of another schema")
        self.profile = profile

    @property
    def stream(self):
        """The id of the queue's life that the readings belong to, 31 bits."""
        return self.stream_hi << 16 | self.stream_lo

    @stream.setter
    def stream(self, value):
        if not 0 <= value < 1 << 31:
            raise ValueError("a stream id has 31 bits")
        self.stream_hi = value >> 16
        self.stream_lo = value & 65535

    def encode_into(self, out, seq, count=0):
        """Write the first `count` (0: all) readings as a frame; `seq` numbers the first.

        Returns the frame's length, 0 if `out` is too small for it.
        """
        count = count or self.count
        if not 0 < count <= self.count or not 0 <= seq < 1 << 30:
            raise ValueError("no readings, or seq not of 30 bits")
        if len(out) < 7:
            return 0
        ctl = self._ctl
        profile = self.profile
        ctl[LOW] = 0
        ctl[RANGE] = 0xFFFFFF
        ctl[END] = len(out) - 3
        ctl[COUNT] = count
        self._out = out
        crc = 0
        if profile:
            out[0] = REF
            out[1] = profile.crc >> 8 & 255
            out[2] = profile.crc & 255
            crc = profile.crc
            ctl[POS] = 3
            self._head_ref(profile, seq, count)
            self._at = profile.columns
        else:
            out[0] = SELF
            ctl[POS] = 1
            self._head_self(seq, count)
        self._time_column(count)
        for c in range(self.width):
            self._channel(c, count)
        self._out = None
        return self._finish(out, crc)

    def _finish(self, out, crc):
        """Settle the fewest bytes that name the interval whatever follows them, then the CRC.

        So no frame is the beginning of another: one that was cut is found out for certain.
        """
        ctl = self._ctl
        low = ctl[LOW]
        unit = 65536
        point = low + unit - 1 & -unit
        if point + unit > low + ctl[RANGE]:
            unit = 256
            point = low + unit - 1 & -unit
        narrow(ctl, out, point - low, unit >> 8)
        end = ctl[POS]
        if end > ctl[END]:
            return 0
        crc = crc24(out, end, crc)
        out[end] = crc >> 16
        out[end + 1] = crc >> 8 & 255
        out[end + 2] = crc & 255
        return end + 3

    # -- numbers that are no residuals --------------------------------------------------

    def _bits(self, value, count):
        """`count` bits as they are."""
        while count:
            some = min(count, 8)
            count -= some
            size = self._ctl[RANGE] >> some
            narrow(self._ctl, self._out, (value >> count & 255 >> 8 - some) * size, size)

    def _flag(self, bit, shift):
        """A bit that is 1 once in 2**shift times."""
        size = self._ctl[RANGE]
        part = size >> shift
        if bit:
            narrow(self._ctl, self._out, 0, part)
        else:
            narrow(self._ctl, self._out, part, size - part)

    def _number(self, value):
        """0 to 2**30 - 1: 5 bits of bit length, the bits below the top one."""
        length = 0
        while value >> length:
            length += 1
        self._bits(length, 5)
        if length > 1:
            self._bits(value - (1 << length - 1), length - 1)

    def _signed(self, value):
        self._number(abs(value))
        if value:
            self._bits(value < 0, 1)

    def _near(self, value, usual):
        """A signed number of about `usual` bits: length up or down from there, sign, bits."""
        size = abs(value)
        length = usual
        above = size >> length > 0
        self._flag(above, 3)
        if above:
            length += 1
            while size >> length:
                self._bits(1, 1)
                length += 1
            self._bits(0, 1)
        else:
            while length and not size >> length - 1:
                self._bits(0, 1)
                length -= 1
            if length:
                self._bits(1, 1)
        if length:
            self._bits(value < 0, 1)
            if length > 1:
                self._bits(size - (1 << length - 1), length - 1)

    # -- the head -----------------------------------------------------------------------

    def _stream_and_seq(self, seq):
        self._bits(self.stream_hi, 15)
        self._bits(self.stream_lo, 16)
        self._number(seq)

    def _start(self):
        """The first time as it is: seconds in 32 bits, the seldom part above them, and ms."""
        self._flag(self.hi >> 16 > 0, 6)
        if self.hi >> 16:
            self._bits(self.hi >> 16, 8)
        self._bits(self.hi & 65535, 16)
        self._bits(self.lo, 16)
        self._flag(self.ms > 0, 2)
        if self.ms:
            self._bits(self.ms, 10)

    def _head_self(self, seq, count):
        self._stream_and_seq(seq)
        self._start()
        self._number(count - 1)
        fields = self._fields
        for i in range(0, len(fields), 2):
            self._bits(fields[i + 1], fields[i])

    def _head_ref(self, profile, seq, count):
        self._flag(count != profile.count, 2)
        if count != profile.count:
            self._number(count - 1)
        passed = seq - profile.seq
        known = passed >= 0 and (self.stream_hi == profile.stream_hi
                                 and self.stream_lo == profile.stream_lo)
        self._flag(not known, 4)
        if known:
            odd = passed % count
            self._flag(odd > 0, 2)
            self._number(passed if odd else passed // count)
        else:
            self._stream_and_seq(seq)
        # How far the clock is from where the sequence number makes one expect it.
        step = max(self.interval // 1000, 1)
        hi = self.hi - profile.hi
        near = (known and self.ms == profile.ms and passed <= 0x8000000 // step
                and -2048 < hi < 2048)
        self._flag(not near, 4)
        if near:
            off = (hi << 16) + self.lo - profile.lo
            off -= passed * (self.interval // 1000)
            off -= _thousandths(passed, self.interval % 1000)
            rest = off % step
            if rest > step >> 1:
                rest -= step
            self._signed((off - rest) // step)
            self._signed(rest)
        else:
            self._start()

    # -- columns ------------------------------------------------------------------------

    def _next(self):
        """The next number (7 bits a byte, low ones first) of the profile."""
        blob = self.profile.blob
        at = self._at
        value = shift = 0
        while blob[at] > 127:
            value |= (blob[at] & 127) << shift
            shift += 7
            at += 1
        value |= blob[at] << shift
        self._at = at + 1
        return value

    def _time_column(self, n):
        whole = self.whole and self.interval % 1000 == 0
        if self.profile:
            flags = self._next()
            after = self._next()
            after += self._at
            fits = whole == (flags & 1 > 0)
            if fits:
                self.load_time(n, whole)
                fits = self._prior(n)
            self._flag(not fits, 5)
            if fits:
                self._trained(n)
            self._at = after
            if fits:
                return
        self._flag(not whole, 2)
        self.load_time(n, whole)
        self._free_column(n)

    def _channel(self, c, n):
        first = 0
        often = False
        if self.profile:
            often = self.profile.blob[self._at] & 2 > 0
        gone = self.gone(c, n)
        self._flag(gone != often, 4)
        if gone:
            self._mask_column(c, n)
            first = self.first(c, n)
        if self.profile and self._trained_channel(c, n, gone, first) or first == n:
            return
        hi = self.upper(c, first)
        lo = self.lower(c, first)
        fits = -2048 < hi < 2048 and self.load(c, n, WHOLE, hi, lo)
        self._flag(not fits, 6)
        if fits:
            self._value_column(c, n, gone, first, (hi << 16) + lo)
        else:
            self.load(c, n, UPPER, hi, lo)
            self._value_column(c, n, gone, first, hi)
            self.load(c, n, LOWER, hi, lo)
            self._value_column(c, n, gone, first, lo)

    def _value_column(self, c, n, gone, first, start):
        self._signed(start)
        if gone:
            self.strike(c, n, first)
        self._free_column(n)

    def _mask_column(self, c, n):
        """Which values of a channel are missing."""
        some = self.load_mask(c, n)
        self._bits(self.cols[0] >> 1 & 1, 1)
        self._bits(some < n, 1)
        if some < n:
            scale = scale_of((some << 4) // n)
            self._bits(scale, 5)
            self._scaled(ABSOLUTE, scale)

    def _free_column(self, n):
        """Code `cols` with the best preset and the scale that fits, and say which."""
        step = self._common_step(n)
        if not step:
            self._bits(CONSTANT, 3)
            return
        if step > 1:
            self._divide(n, step)
        best = PLAIN
        least = self._measure(PLAIN)
        for preset in range(2, 7):
            size = self._measure(preset)
            if size < least:
                best = preset
                least = size
        self._bits(best, 3)
        there = 0
        for i in range(1, n):
            there += self.cols[i] & 1
        scale = scale_of((least << 4) // there)
        self._bits(scale, 5)
        self._flag(step > 1, 3)
        if step > 1:
            self._number(step - 2)
        self._scaled(best, scale)

    def _scaled(self, preset, scale):
        ctl = self._ctl
        self._preset(preset)
        ctl[MEAN] = mean_of(scale)
        ctl[MEDIAN] = median_of(scale)
        ctl[LIMIT] = SEEN_FRESH
        seed(self._nodes, scale, ctl[MEDIAN])
        column(ctl, self._nodes, self.cols, self._out)

    def _preset(self, preset):
        ctl = self._ctl
        weights = PRESETS[preset]
        ctl[SHIFT] = 0 if preset == PLAIN else 2
        for i in range(4):
            ctl[WEIGHTS + i] = WEIGHT_BIAS + weights[i] - 4
        ctl[WEIGHTS + 4] = ctl[WEIGHTS + 5] = WEIGHT_BIAS
        ctl[LEVEL] = VALUE_BIAS
        ctl[DRY] = 0

    def _measure(self, preset):
        """The sum of the bit lengths of the residuals that a preset leaves."""
        self._preset(preset)
        return self._dry()

    def _dry(self):
        self._ctl[DRY] = 1
        column(self._ctl, self._nodes, self.cols, self._out)
        size = self._ctl[DRY]
        self._ctl[DRY] = 0
        return size

    def _divide(self, n, step):
        """Divide the column by `step`; False if that leaves a rest."""
        cols = self.cols
        for i in range(n):
            v = cols[i]
            x = (v >> 1) - VALUE_BIAS
            if x % step:
                return False
            cols[i] = (x // step + VALUE_BIAS) << 1 | v & 1
        return True

    def _common_step(self, n):
        """The greatest common divisor of the column's changes, 0 if there are none."""
        cols = self.cols
        step = 0
        last = cols[0] >> 1
        for i in range(1, n):
            v = cols[i] >> 1
            d = abs(v - last)
            if d:
                last = v
                while d:
                    r = step % d
                    step = d
                    d = r
                if step == 1:
                    return 1
        return step

    # -- columns that a profile describes -----------------------------------------------

    def _trained_channel(self, c, n, gone, first):
        """Code a channel as the profile describes it; False if it is unlike it."""
        flags = self._next()
        after = self._next()
        after += self._at
        fits = flags & 4 == 0 and first < n
        if fits:
            ref = self._next()
            ref = ref >> 1 ^ -(ref & 1)
            step = self._next()
            fits = self.load(c, n, WHOLE, ref >> 16, ref & 65535)
            if fits and step > 1:
                fits = self._divide(n, step)
            if fits:
                if gone:
                    self.strike(c, n, first)
                usual = self._next()
                fits = self._prior(n)
        if first < n:
            self._flag(not fits, 5)
        if fits:
            self._near((self.cols[0] >> 1) - VALUE_BIAS, usual)
            self._trained(n)
        self._at = after
        return fits

    def _prior(self, n):
        """Read how a column is predicted; False if that does not suit the column at all."""
        ctl = self._ctl
        ctl[MEDIAN] = self._next()
        ctl[MEAN] = self._next()
        ctl[LEVEL] = VALUE_BIAS
        ctl[SHIFT] = self._next()
        which = self._next()
        for i in range(6):
            if which >> i & 1:
                ctl[WEIGHTS + i] = self._next()
                if i > 3:
                    self.load_deltas(self._next(), n, i - 3)
            else:
                ctl[WEIGHTS + i] = WEIGHT_BIAS
        there = 0
        for i in range(1, n):
            there += self.cols[i] & 1
        off = (self._dry() << 4) - there * ctl[MEAN]
        return -48 * there <= off <= 40 * there

    def _trained(self, n):
        ctl = self._ctl
        nodes = self._nodes
        blob = self.profile.blob
        seed(nodes, scale_of(ctl[MEAN]), ctl[MEDIAN])
        longest = self._next()
        at = self._at
        for base in range(0, 48, 16):
            for j in range(base, base + longest + 1):
                nodes[j] = blob[at] << 7 | 64
                nodes[j + NODES] = SEEN_TRAINED
                at += 1
        for j in range(48, mantissa_at(longest + 1)):
            nodes[j] = blob[at] << 7 | 64
            nodes[j + NODES] = SEEN_TRAINED
            at += 1
        ctl[LIMIT] = SEEN_FRESH
        column(ctl, nodes, self.cols, self._out)


def _thousandths(times, part):
    """times * part // 1000 without leaving 31 bits (times < 2**27, part < 1000)."""
    return times // 1000 * part + times % 1000 * part // 1000
