"""Pack readings into frames, within memory that is all allocated beforehand.

    encoder = Encoder(schema, 60)
    encoder.stream = stream_id
    if not encoder.add(time_ms, (2550, None)):    # full, or the clock leapt: close the frame
        size = encoder.encode_into(buffer, seq)   # seq: the number of the first reading
        encoder.clear()

`add` and `encode_into` allocate nothing. Times are Unix milliseconds, 0 to 2**48 - 1; values
are integers of 32 bits, signed, or unsigned for counters, None where a value is missing.
The encoder takes about 330 B + 2 B x nodes + (4 x channels + 18) B a reading.
"""
from array import array
from struct import pack_into

from .model import (
    ABSOLUTE, CONSTANT, COUNT, CTL_LEN, DELTA_BIAS, DRY, END, LEVEL, LIMIT, LOW,
    MAX_READINGS, MEAN, MEDIAN, NODES, NODES_LEN, PLAIN, POS, PRESETS, RANGE, REF, SEEN_FRESH,
    SEEN_TRAINED, SELF, SHIFT, STRIDE, VALUE_BIAS, WEIGHT_BIAS, WEIGHTS,
    mean_of, median_of, rates, scale_of, seed,
)
from .schema import pack

try:
    from ._fast import column, crc24, narrow
except (ImportError, ValueError, SyntaxError):
    # No native code here, or none for this chip: the same loops as bytecode.
    from ._plain import column, crc24, narrow

TIME_END = 1 << 48


class Encoder:
    """One frame in the making; see the module's docstring."""

    def __init__(self, schema, batch, profile=None):
        if not 0 < batch <= MAX_READINGS:
            raise ValueError("batch is 1 to %d readings" % MAX_READINGS)
        self.schema = schema
        self._batch = batch
        self._width = width = len(schema.channels)
        self._interval = schema.interval_ms
        self._fields = bytes(pack(schema).data)
        self._unsigned = bytes([ch.kind == "count" for ch in schema.channels])
        self._stream_hi = self._stream_lo = 0
        self._raw = array("H", bytes(4 * batch * width))    # low, high half; by channel
        self._gone = bytearray((batch + 7 >> 3) * width)    # a bit a missing value
        self._missing = array("H", bytes(2 * width))        # how many, by channel
        self._seconds = array("i", bytes(4 * batch))        # since the first reading
        self._ms = array("H", bytes(2 * batch))
        self._scratch = bytearray(8)
        self._cols = array("i", bytes(12 * batch))
        self._nodes = array("H", bytes(2 * NODES_LEN))
        self._ctl = array("i", bytes(4 * CTL_LEN))
        rates(self._nodes)
        self._ctl[STRIDE] = batch
        self._out = None
        self._u0 = self._g = 0
        self.profile = profile
        self.clear()

    @property
    def stream(self):
        """The id of the queue's life that the readings belong to, 31 bits."""
        return self._stream_hi << 16 | self._stream_lo

    @stream.setter
    def stream(self, value):
        if not 0 <= value < 1 << 31:
            raise ValueError("a stream id has 31 bits")
        self._stream_hi = value >> 16
        self._stream_lo = value & 65535

    def __len__(self):
        return self.count

    def clear(self):
        """Forget the readings."""
        self.count = 0
        self._whole = True      # every time so far is the same number of ms past a second
        self._hi = self._lo = 0
        for i in range(len(self._gone)):
            self._gone[i] = 0
        for c in range(self._width):
            self._missing[c] = 0

    # -- readings in ------------------------------------------------------------------

    def add(self, time_ms, values):
        """Take a reading; False if the frame must be closed before it."""
        i = self.count
        if i == self._batch:
            return False
        if not 0 <= time_ms < TIME_END:
            raise ValueError("time_ms is 0 to 2**48 - 1")
        if len(values) != self._width:
            raise ValueError("one value for each channel")
        c = 0
        for v in values:
            if v is not None and not (0 <= v < 0x100000000 if self._unsigned[c]
                                      else -0x80000000 <= v < 0x80000000):
                raise ValueError("a value is not of 32 bits")
            c += 1
        if not self._add_time(i, time_ms):
            return False
        raw = self._raw
        at = 2 * i
        c = 0
        for v in values:
            if v is None:
                self._gone[c * (self._batch + 7 >> 3) + (i >> 3)] |= 1 << (i & 7)
                self._missing[c] += 1
                if i:
                    raw[at] = raw[at - 2]
                    raw[at + 1] = raw[at - 1]
            elif -0x20000000 < v < 0x20000000:
                raw[at] = v & 65535
                raw[at + 1] = v >> 16 & 65535
            else:
                # A number that is a heap object on a 32-bit board: take it apart in place.
                self._split(v)
                s = self._scratch
                raw[at] = s[0] | s[1] << 8
                raw[at + 1] = s[2] | s[3] << 8
            c += 1
            at += 2 * self._batch
        self.count = i + 1
        return True

    def _split(self, value):
        pack_into("<q", self._scratch, 0, value)

    def _add_time(self, i, time_ms):
        """Store seconds since the first reading and ms; False if they are too far apart."""
        self._split(time_ms)
        s = self._scratch
        x = s[4] | s[5] << 8
        hi = x // 1000 << 16
        x = x % 1000 << 16 | s[2] | s[3] << 8
        hi += x // 1000
        x = x % 1000 << 16 | s[0] | s[1] << 8
        lo = x // 1000
        ms = x % 1000
        if i == 0:
            self._hi = hi
            self._lo = lo
        hi -= self._hi
        if not -2048 < hi < 2048:
            return False
        seconds = (hi << 16) + lo - self._lo
        whole = self._whole and (i == 0 or ms == self._ms[0])
        # The deviation from the nominal times must fit the coder: 2**27 seconds or ms.
        step = self._interval
        if not whole or step % 1000:
            if not -67000 < seconds < 67000 or i * step > 67000000:
                return False
        elif i * (step // 1000) > 67000000 or not -67000000 < seconds < 67000000:
            return False
        self._whole = whole
        self._seconds[i] = seconds
        self._ms[i] = ms
        return True

    # -- frames out -------------------------------------------------------------------

    def encode_into(self, out, seq, count=0):
        """Write the first `count` (0: all) readings as a frame; `seq` numbers the first.

        Returns the frame's length, 0 if `out` is too small for it.
        """
        count = count or self.count
        if not 0 < count <= self.count or not 0 <= seq < 1 << 30:
            raise ValueError("no readings, or seq not of 30 bits")
        ctl = self._ctl
        profile = self.profile
        ctl[LOW] = 0
        ctl[RANGE] = 0xFFFFFF
        ctl[END] = len(out) - 3
        ctl[COUNT] = count
        self._out = out
        crc = 0
        if profile and profile.fits(self):
            if len(out) < 6:
                return 0
            out[0] = REF
            out[1] = profile.crc >> 8 & 255
            out[2] = profile.crc & 255
            ctl[POS] = 3
            crc = profile.crc
            self._start_ref(profile, seq, count)
        else:
            profile = None
            if len(out) < 4:
                return 0
            out[0] = SELF
            ctl[POS] = 1
            self._start_self(seq, count)
        self._time_column(profile)
        for c in range(self._width):
            self._channel(c, profile)
        return self._finish(crc)

    def _finish(self, crc):
        """Settle the fewest bytes that name the interval whatever follows them, then the CRC.

        So no frame is the beginning of another: a truncated one is found for certain.
        """
        ctl = self._ctl
        unit = 65536
        low = ctl[LOW]
        point = low + unit - 1 & ~(unit - 1)
        if point + unit > low + ctl[RANGE]:
            unit = 256
            point = low + unit - 1 & ~(unit - 1)
        narrow(ctl, self._out, point - low, 256 if unit == 65536 else 1)
        out = self._out
        self._out = None
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
        """`count` <= 30 bits as they are."""
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

    def _signed(self, value, usual):
        """A number of about `usual` bits: the length up or down from there, sign, bits."""
        size = abs(value)
        length = usual
        if size >> length:
            self._flag(1, 3)
            length += 1
            while size >> length:
                self._bits(1, 1)
                length += 1
            self._bits(0, 1)
        else:
            self._flag(0, 3)
            while length and not size >> length - 1:
                self._bits(0, 1)
                length -= 1
            if length:
                self._bits(1, 1)
        if length:
            self._bits(value < 0, 1)
            if length > 1:
                self._bits(size - (1 << length - 1), length - 1)

    # -- the head ---------------------------------------------------------------------

    def _start_self(self, seq, count):
        self._bits(self._stream_hi, 15)
        self._bits(self._stream_lo, 16)
        self._number(seq)
        self._start_time()
        self._number(count - 1)
        fields = self._fields
        for i in range(0, len(fields), 2):
            self._bits(fields[i + 1], fields[i])

    def _start_time(self):
        """Seconds as 32 bits, with the seldom part above them, and ms."""
        self._flag(self._hi >> 16 > 0, 6)
        if self._hi >> 16:
            self._bits(self._hi >> 16, 8)
        self._bits(self._hi & 65535, 16)
        self._bits(self._lo, 16)
        self._flag(self._ms[0] > 0, 2)
        if self._ms[0]:
            self._bits(self._ms[0], 10)

    # -- columns ----------------------------------------------------------------------

    def _time_column(self, profile):
        """What the times deviate from the nominal ones, in seconds if all are whole."""
        cols = self._cols
        n = self._ctl[COUNT]
        step = self._interval
        whole = self._whole and step % 1000 == 0
        self._flag(not whole, 2)
        base = self._ms[0]
        unit = 1000 if whole else 1
        for i in range(n):
            if whole:
                d = self._seconds[i] - i * (step // 1000)
            else:
                d = self._seconds[i] * 1000 + self._ms[i] - base - i * step
            cols[i] = (d + VALUE_BIAS) << 1 | 1
        self._free_column(n)

    def _channel(self, c, profile):
        gone = self._missing[c]
        self._flag(gone > 0, 4)
        n = self._ctl[COUNT]
        if gone:
            self._mask_column(c, n)
            if gone == n:
                return
        if self._load(c, n, 0):
            self._flag(0, 6)
            self._free_value(n)
        else:
            self._flag(1, 6)
            self._load(c, n, 1)
            self._free_value(n)
            self._load(c, n, 2)
            self._free_value(n)

    def _load(self, c, n, part):
        """Fill `cols` with a channel less its first value; part 1 is its upper half, 2 the lower.

        False if it does not fit the coder whole. Sets `_u0`, the first value.
        """
        cols = self._cols
        raw = self._raw
        bits = c * (self._batch + 7 >> 3)
        some = self._missing[c] > 0
        first = 0
        if some:
            while self._gone[bits + (first >> 3)] >> (first & 7) & 1:
                first += 1
        at = 2 * (c * self._batch + first)
        sign = 0 if self._unsigned[c] else 32768
        lo0 = raw[at]
        hi0 = (raw[at + 1] ^ sign) - sign
        if part == 1:
            lo0 = 0
        elif part == 2:
            hi0 = 0
        elif not -2048 < hi0 < 2048:
            return False
        at = 2 * c * self._batch
        for i in range(n):
            here = 1
            if some:
                here = self._gone[bits + (i >> 3)] >> (i & 7) & 1 ^ 1
            if i >= first:
                lo = raw[at] - lo0
                hi = ((raw[at + 1] ^ sign) - sign) - hi0
                if part == 1:
                    lo = hi
                    hi = 0
                elif part == 2:
                    hi = 0
                elif not -2048 < hi < 2048:
                    return False
                cols[i] = (hi * 65536 + lo + VALUE_BIAS) << 1 | here
            else:
                cols[i] = VALUE_BIAS << 1
            at += 2
        self._u0 = hi0 if part == 1 else hi0 * 65536 + lo0
        return True

    def _free_value(self, n):
        self._bits_signed(self._u0)
        self._free_column(n)

    def _bits_signed(self, value):
        self._number(abs(value))
        if value:
            self._bits(value < 0, 1)

    def _free_column(self, n):
        """Code `cols` with the best preset and the scale that fits, and say which."""
        step = self._common_step(n)
        if not step:
            self._bits(CONSTANT, 3)
            return
        cols = self._cols
        if step > 1:
            for i in range(n):
                v = cols[i]
                cols[i] = (((v >> 1) - VALUE_BIAS) // step + VALUE_BIAS) << 1 | v & 1
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
            there += cols[i] & 1
        scale = scale_of((least << 4) // there)
        self._bits(scale, 5)
        self._flag(step > 1, 3)
        if step > 1:
            self._number(step - 2)
        self._scaled(best, scale)

    def _mask_column(self, c, n):
        """Code which values of a channel are missing."""
        cols = self._cols
        at = c * (self._batch + 7 >> 3)
        some = 0
        for i in range(n):
            v = self._gone[at + (i >> 3)] >> (i & 7) & 1
            some += v
            cols[i] = (v + VALUE_BIAS) << 1 | 1
        self._bits(self._gone[at] & 1, 1)
        self._bits(some < n, 1)
        if some < n:
            scale = scale_of((some << 4) // n)
            self._bits(scale, 5)
            self._scaled(ABSOLUTE, scale)

    def _scaled(self, preset, scale):
        ctl = self._ctl
        self._preset(preset)
        ctl[MEAN] = mean_of(scale)
        ctl[MEDIAN] = median_of(scale)
        ctl[LIMIT] = SEEN_FRESH
        seed(self._nodes, scale, ctl[MEDIAN])
        column(ctl, self._nodes, self._cols, self._out)

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
        self._ctl[DRY] = 1
        column(self._ctl, self._nodes, self._cols, self._out)
        return self._ctl[DRY]

    def _common_step(self, n):
        """The greatest common divisor of the column's changes, 0 if there are none."""
        cols = self._cols
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
