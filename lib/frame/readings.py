"""The readings of a frame in the making, in memory that is all taken beforehand.

`cols` holds a column a channel and one more to work in. An entry is (value + 2**28) x 2, + 1
if the value is there; where it is missing the one before stands in. A channel that ever leaves
27 bits is *wide*: its entries are the values' lower halves, the upper ones are in `uppers`.
(6 x channels + 10) B a reading.
"""
from array import array
from struct import pack_into

_COUNT = 1      # flags of a channel: it is a count,
_GAPS = 2       # values are missing,
_WIDE = 4       # it is wide


class Readings:
    """Up to `batch` readings of the channels of `schema`."""

    def __init__(self, schema, batch):
        if not 0 < batch <= 1024:
            raise ValueError("batch is 1 to 1024 readings")
        self.width = width = len(schema.channels)
        self.interval = schema.interval_ms
        self.batch = batch
        self.cols = array("i", bytes(4 * batch * (width + 1)))
        self.uppers = array("H", bytes(2 * batch * width))
        self.seconds = array("i", bytes(4 * batch))         # since the first reading
        self.ms = array("H", bytes(2 * batch))
        self.flags = bytearray([channel.kind == "count" for channel in schema.channels])
        self._eight = bytearray(8)
        self.clear()

    def clear(self):
        """Forget the readings."""
        self.count = 0
        self.whole = True       # all times so far are the same number of ms past a second
        for c in range(self.width):
            self.flags[c] &= _COUNT

    def add(self, time_ms, values):
        """Take a reading; False if the frame must be closed before it.

        time_ms: 0 to 2**48 - 1; values: one a channel, None if it is missing, else an integer
        of 32 bits, signed unless the channel is a count.
        """
        i = self.count
        if i == self.batch or not self._add_time(i, time_ms):
            return False
        if len(values) != self.width:
            raise ValueError("one value a channel")
        cols = self.cols
        flags = self.flags
        at = i
        c = 0
        for v in values:
            if v is None or flags[c] or not -0x8000000 < v < 0x8000000:
                self._add_odd(c, at, v)
            else:
                cols[at] = v + v + 0x20000001
            at += self.batch
            c += 1
        self.count = i + 1
        return True

    def _add_odd(self, c, at, v):
        """Add a value that is missing, of a channel that is odd, or makes it wide."""
        cols = self.cols
        flags = self.flags[c]
        if v is None:
            flags |= _GAPS
            cols[at] = cols[at - 1] & -2 if self.count else 0x20000000
            self.uppers[at] = self.uppers[at - 1]
        elif not (0 <= v < 1 << 32 if flags & _COUNT else -1 << 31 <= v < 1 << 31):
            raise ValueError("a value has 32 bits")
        elif -0x8000000 < v < 0x8000000 and not flags & _WIDE:
            cols[at] = v + v + 0x20000001
        else:
            if not flags & _WIDE:
                flags |= _WIDE
                for i in range(at - self.count, at):
                    v0 = cols[i]
                    self.uppers[i] = v0 - 0x20000000 >> 17 & 65535
                    cols[i] = v0 & 0x1FFFF | 0x20000000
            # It may be a heap object, with which arithmetic would allocate.
            eight = self._eight
            pack_into("<q", eight, 0, v)
            cols[at] = (eight[0] | eight[1] << 8) << 1 | 0x20000001
            self.uppers[at] = eight[2] | eight[3] << 8
        self.flags[c] = flags

    def _add_time(self, i, time_ms):
        """Store a time as seconds and ms; False if it is too far from the first."""
        if not 0 <= time_ms < 1 << 48:
            raise ValueError("time_ms is 0 to 2**48 - 1")
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
            self.hi = hi        # the first reading's second: hi << 16 | lo
            self.lo = lo
            self.ms[0] = ms
        hi -= self.hi
        if not -2048 < hi < 2048:
            return False
        lo += (hi << 16) - self.lo
        whole = self.whole and ms == self.ms[0]
        # What is coded, the deviation from the nominal time, must stay below 2**27.
        step = self.interval
        reach = 67000
        if whole and step % 1000 == 0:
            step //= 1000
            reach = 67000000
        if not -reach < lo < reach or i * step > 67000000:
            return False
        self.whole = whole
        self.seconds[i] = lo
        self.ms[i] = ms
        return True

    # -- columns: each returns where in `cols` it is ------------------------------------

    def time_column(self, n, whole):
        """What the times deviate from the nominal ones, in seconds or ms."""
        step = self.interval
        if whole:
            step //= 1000
        due = -0x10000000
        to = self.width * self.batch
        for i in range(n):
            d = self.seconds[i]
            if not whole:
                d = d * 1000 + self.ms[i] - self.ms[0]
            self.cols[to + i] = (d - due) << 1 | 1
            due += step
        return to

    def mask_column(self, at, n):
        """1 where a value of the column `at` is missing."""
        to = self.width * self.batch
        for i in range(n):
            self.cols[to + i] = 0x20000003 - 2 * (self.cols[at + i] & 1)
        return to

    def upper_column(self, at, n):
        """The upper halves of a wide channel."""
        to = self.width * self.batch
        sign = 0 if self.flags[at // self.batch] & _COUNT else 32768
        for i in range(n):
            x = (self.uppers[at + i] ^ sign) - sign
            self.cols[to + i] = 0x20000000 + x + x + (self.cols[at + i] & 1)
        return to

    def divided_column(self, at, n, base, step):
        """(value - base) / step; -1 if that leaves a rest."""
        to = self.width * self.batch
        for i in range(n):
            x = self.cols[at + i]
            v = (x >> 1) - 0x10000000 - base
            if v % step:
                return -1
            self.cols[to + i] = (v // step + 0x10000000) << 1 | x & 1
        return to

    def first_value(self, at, n):
        """Put the first value there is before itself; returns n if there is none, else where."""
        cols = self.cols
        for i in range(at, at + n):
            if cols[i] & 1:
                for j in range(at, i):
                    cols[j] = cols[i] - 1
                    if self.flags[at // self.batch] & _WIDE:
                        self.uppers[j] = self.uppers[i]
                return i - at
        return n
