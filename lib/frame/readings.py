"""The readings of a frame in the making, in memory that is all taken beforehand.

(5 x channels + 6) B a reading for the readings, 12 B for the columns that the coder works on.
"""
from array import array
from struct import pack_into

_TIME_END = 1 << 48
_SIGNED_END = 1 << 31
_COUNT_END = 1 << 32


class Readings:
    """Up to `batch` readings of `width` channels; `counts`: those of kind "count"."""

    def __init__(self, batch, width, interval_ms, counts):
        if not 0 < batch <= 1024:
            raise ValueError("batch is 1 to 1024 readings")
        self.width = width
        self.interval = interval_ms
        self.batch = batch
        self.counts = counts
        self.cols = array("i", bytes(12 * batch))           # a column, two of changes
        self.raw = array("H", bytes(4 * batch * width))    # lower, upper half; by channel
        self.here = bytearray(batch * width)                # 0 where a value is missing
        self.gaps = bytearray(width)                        # 1 for a channel with such values
        self._seconds = array("i", bytes(4 * batch))        # since the first reading
        self._ms = array("H", bytes(2 * batch))
        self._eight = bytearray(8)
        self.clear()

    def clear(self):
        """Forget the readings."""
        self.count = 0
        self.whole = True       # all times so far are the same number of ms past a second
        for c in range(self.width):
            self.gaps[c] = 0

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
        raw = self.raw
        at = i
        j = i + i
        for v in values:
            self.here[at] = v is not None
            if v is None:
                self.gaps[at // self.batch] = 1
                if i:
                    raw[j] = raw[j - 2]
                    raw[j + 1] = raw[j - 1]
            elif 0 <= v < 0x20000000:
                raw[j] = v & 65535
                raw[j + 1] = v >> 16
            else:
                if not (0 <= v < _COUNT_END if self.counts[at // self.batch]
                        else -_SIGNED_END <= v < _SIGNED_END):
                    raise ValueError("a value has 32 bits")
                # A heap object on a 32-bit board: arithmetic would allocate, this does not.
                eight = self._eight
                pack_into("<q", eight, 0, v)
                raw[j] = eight[0] | eight[1] << 8
                raw[j + 1] = eight[2] | eight[3] << 8
            at += self.batch
            j = at + at
        self.count = i + 1
        return True

    def _add_time(self, i, time_ms):
        """Store a time as seconds and ms; False if it is too far from the first."""
        if not 0 <= time_ms < _TIME_END:
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
            self.ms = ms        # and ms past it
        hi -= self.hi
        if not -2048 < hi < 2048:
            return False
        lo += (hi << 16) - self.lo
        whole = self.whole and ms == self.ms
        # What is coded, the deviation from the nominal time, must stay below 2**27.
        step = self.interval
        reach = 67000
        if whole and step % 1000 == 0:
            step //= 1000
            reach = 67000000
        if not -reach < lo < reach or i * step > 67000000:
            return False
        self.whole = whole
        self._seconds[i] = lo
        self._ms[i] = ms
        return True

    def load_time(self, n, whole):
        """Fill `cols` with the deviations from the nominal times, in seconds or ms."""
        step = self.interval
        if whole:
            step //= 1000
        due = -0x10000000
        for i in range(n):
            d = self._seconds[i]
            if not whole:
                d = d * 1000 + self._ms[i] - self.ms
            self.cols[i] = (d - due) << 1 | 1
            due += step

    def first(self, c, n):
        """The first reading that has a value of channel c, n if none has."""
        c *= self.batch
        for i in range(n):
            if self.here[c + i]:
                return i
        return n

    def upper(self, c, i):
        """The upper half of a value."""
        hi = self.raw[2 * (c * self.batch + i) + 1]
        return hi if self.counts[c] else (hi ^ 32768) - 32768

    def lower(self, c, i):
        return self.raw[2 * (c * self.batch + i)]

    def divide(self, n, step):
        """Divide what was loaded into `cols` by `step`; False if that leaves a rest."""
        cols = self.cols
        for i in range(n):
            x = (cols[i] >> 1) - 0x10000000
            if x % step:
                return False
            cols[i] = (x // step + 0x10000000) << 1 | cols[i] & 1
        return True
