"""The readings of a frame in the making, and its columns as the coder wants them.

All memory is taken when a Readings is made: (4 x channels + 6) B a reading, and 12 B for the
columns. A column is written to `cols`, one number a reading: (value + VALUE_BIAS) x 2 + 1, or
+ 0 where the value is missing and the one before it stands in.
"""
from array import array
from struct import pack_into

from .model import DELTA_BIAS, MAX_READINGS, VALUE_BIAS

TIME_END = 1 << 48
VALUE_END = 1 << 31
COUNT_END = 1 << 32
WHOLE = 0
UPPER = 1
LOWER = 2


class Readings:
    """Up to `batch` readings of a schema."""

    def __init__(self, schema, batch):
        if not 0 < batch <= MAX_READINGS:
            raise ValueError("batch is 1 to %d readings" % MAX_READINGS)
        self.width = width = len(schema.channels)
        self.interval = schema.interval_ms
        self.batch = batch
        self.cols = array("i", bytes(12 * batch))           # a column, two of deltas
        self._unsigned = bytes([ch.kind == "count" for ch in schema.channels])
        self._raw = array("H", bytes(4 * batch * width))    # low, high half; by channel
        self._gone = bytearray((batch + 7 >> 3) * width)    # a bit a missing value
        self._seconds = array("i", bytes(4 * batch))        # since the first reading
        self._ms = array("H", bytes(2 * batch))
        self._eight = bytearray(8)
        self.clear()

    def clear(self):
        """Forget the readings."""
        self.count = 0
        self.whole = True       # all times so far are the same number of ms past a second
        self.hi = self.lo = 0   # the first reading's second: hi << 16 | lo
        self.ms = 0             # and ms past it
        gone = self._gone
        for i in range(len(gone)):
            gone[i] = 0

    def add(self, time_ms, values):
        """Take a reading; False if the frame must be closed before it."""
        i = self.count
        if i == self.batch:
            return False
        if not 0 <= time_ms < TIME_END:
            raise ValueError("time_ms is 0 to 2**48 - 1")
        if len(values) != self.width:
            raise ValueError("one value for each channel")
        c = 0
        for v in values:
            if v is not None and not 0 <= v < 0x20000000:
                if not (0 <= v < COUNT_END if self._unsigned[c] else -VALUE_END <= v < VALUE_END):
                    raise ValueError("a value is not of 32 bits")
            c += 1
        if not self._add_time(i, time_ms):
            return False
        raw = self._raw
        at = i + i
        step = 2 * self.batch
        c = 0
        for v in values:
            if v is None:
                self._gone[c * (self.batch + 7 >> 3) + (i >> 3)] |= 1 << (i & 7)
                raw[at] = raw[at - 2] if i else 0
                raw[at + 1] = raw[at - 1] if i else 0
            elif -0x20000000 < v < 0x20000000:
                raw[at] = v & 65535
                raw[at + 1] = v >> 16 & 65535
            else:
                # A heap object on a 32-bit board: arithmetic would allocate, this does not.
                eight = self._eight
                pack_into("<q", eight, 0, v)
                raw[at] = eight[0] | eight[1] << 8
                raw[at + 1] = eight[2] | eight[3] << 8
            c += 1
            at += step
        self.count = i + 1
        return True

    def _add_time(self, i, time_ms):
        """Store a time as seconds and ms; False if it is too far from the first."""
        eight = self._eight
        pack_into("<q", eight, 0, time_ms)
        x = eight[4] | eight[5] << 8
        hi = x // 1000 << 16
        x = x % 1000 << 16 | eight[2] | eight[3] << 8
        hi += x // 1000
        x = x % 1000 << 16 | eight[0] | eight[1] << 8
        lo = x // 1000
        ms = x % 1000
        if i == 0:
            self.hi = hi
            self.lo = lo
            self.ms = ms
        hi -= self.hi
        if not -2048 < hi < 2048:
            return False
        seconds = (hi << 16) + lo - self.lo
        whole = self.whole and ms == self.ms
        # What is coded, the deviation from the nominal time, must stay below 2**27.
        step = self.interval
        if whole and step % 1000 == 0:
            if i * (step // 1000) > 67000000 or not -67000000 < seconds < 67000000:
                return False
        elif i * step > 67000000 or not -67000 < seconds < 67000:
            return False
        self.whole = whole
        self._seconds[i] = seconds
        self._ms[i] = ms
        return True

    def last_time(self):
        """The time of the last reading, in ms."""
        i = self.count - 1
        return ((self.hi << 16) + self.lo + self._seconds[i]) * 1000 + self._ms[i]

    # -- columns ----------------------------------------------------------------------

    def load_time(self, n, whole):
        """What the times deviate from the nominal ones, in seconds or ms."""
        cols = self.cols
        seconds = self._seconds
        step = self.interval
        if whole:
            step //= 1000
            for i in range(n):
                cols[i] = (seconds[i] - i * step + VALUE_BIAS) << 1 | 1
        else:
            for i in range(n):
                d = seconds[i] * 1000 + self._ms[i] - self.ms - i * step
                cols[i] = (d + VALUE_BIAS) << 1 | 1

    def load_mask(self, c, n):
        """1 where a value is missing; returns how many are."""
        cols = self.cols
        at = c * (self.batch + 7 >> 3)
        some = 0
        for i in range(n):
            v = self._gone[at + (i >> 3)] >> (i & 7) & 1
            some += v
            cols[i] = (v + VALUE_BIAS) << 1 | 1
        return some

    def gone(self, c, n):
        """Is a value of the channel missing?"""
        at = c * (self.batch + 7 >> 3)
        for i in range(at, at + (n + 7 >> 3)):
            if self._gone[i]:
                return n > (i - at) * 8 + 7 or self._gone[i] & (1 << (n & 7)) - 1 > 0
        return False

    def first(self, c, n):
        """The first reading at which the channel has a value, n if it has none."""
        at = c * (self.batch + 7 >> 3)
        for i in range(n):
            if not self._gone[at + (i >> 3)] >> (i & 7) & 1:
                return i
        return n

    def load(self, c, n, half, hi0, lo0):
        """A channel less (hi0 << 16) + lo0, or one half of it; False if it strays too far."""
        cols = self.cols
        raw = self._raw
        at = 2 * c * self.batch
        sign = 0 if self._unsigned[c] else 32768
        for i in range(n):
            lo = raw[at] - lo0
            if half != LOWER:
                hi = ((raw[at + 1] ^ sign) - sign) - hi0
                if half == UPPER:
                    lo = hi
                elif -2048 < hi < 2048:
                    lo += hi << 16
                else:
                    return False
            cols[i] = (lo + VALUE_BIAS) << 1 | 1
            at += 2
        return True

    def strike(self, c, n, first):
        """Mark the missing values of a loaded column; those before the first are like it."""
        cols = self.cols
        at = c * (self.batch + 7 >> 3)
        for i in range(n):
            if self._gone[at + (i >> 3)] >> (i & 7) & 1:
                cols[i] = cols[i if i > first else first] & -2

    def upper(self, c, i):
        """The upper half of a value."""
        hi = self._raw[2 * (c * self.batch + i) + 1]
        return hi if self._unsigned[c] else (hi ^ 32768) - 32768

    def lower(self, c, i):
        return self._raw[2 * (c * self.batch + i)]

    def load_deltas(self, c, n, to):
        """The changes of a channel, at most 8191 each, to region `to` (1 or 2) of `cols`."""
        cols = self.cols
        raw = self._raw
        to *= self.batch
        at = 2 * c * self.batch
        sign = 0 if self._unsigned[c] else 32768
        start = self.first(c, n)
        d = 0
        lo0 = hi0 = 0
        for i in range(n):
            lo = raw[at]
            hi = (raw[at + 1] ^ sign) - sign
            d = hi - hi0
            if i <= start:
                d = 0
            elif d > 1:
                d = 8191
            elif d < -1:
                d = -8191
            else:
                d = min(max(lo - lo0 + (d << 16), -8191), 8191)
            lo0 = lo
            hi0 = hi
            cols[to + i] = d + DELTA_BIAS
            at += 2
