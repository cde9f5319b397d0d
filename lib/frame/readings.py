"""The readings of a frame in the making, in memory that is all taken beforehand.

`cols` holds a column a channel, one for the times, and one to work in. An entry is
(value + 2**28) x 2, + 1 if the value is there; where it is missing the one before stands in. A
time is its deviation from the nominal one in ms. A channel that ever leaves 28 bits is *wide*:
its entries are the values' lower halves, the upper ones are in `uppers`. `flags` of a channel:
1 it is a count, 2 values are missing, 4 it is wide.
(6 x channels + 8) B a reading.
"""
from array import array
from struct import pack_into


class Readings:
    """Up to `batch` readings of the channels of `schema`."""

    def __init__(self, schema, batch):
        if not 0 < batch <= 1024:
            raise ValueError("batch is 1 to 1024 readings")
        self.width = width = len(schema.channels)
        self.interval = schema.interval_ms
        self.batch = batch
        self.times = width * batch      # where in `cols` the times are
        self.work = self.times + batch
        self.cols = array("i", bytes(4 * batch * (width + 2)))
        self.uppers = array("H", bytes(2 * batch * width))
        self.flags = bytearray([channel.kind == "count" for channel in schema.channels])
        self._eight = array("H", bytes(8))
        self.start = array("H", bytes(8))   # the first time in ms, by 16 bits
        self._hi = self._lo = 0         # halves of 24 bits of the last time
        self._off = 0                   # and its deviation
        self.clear()

    def clear(self):
        """Forget the readings."""
        self.count = 0
        self._odd = 0               # is any channel not as most are?
        for c in range(self.width):
            self.flags[c] &= 1
            self._odd |= self.flags[c]

    def add(self, time_ms, values):
        """Take a reading; False if the frame must be closed before it.

        time_ms: 0 to 2**48 - 1; values: one a channel, None if it is missing, else an integer
        of 32 bits, signed unless the channel is a count.
        """
        at = self.count
        batch = self.batch
        if at == batch or not self._add_time(at, time_ms):
            return False
        if len(values) != self.width:
            raise ValueError("one value a channel")
        cols = self.cols
        if not self._odd:
            for v in values:
                if v is None or not -0x8000000 < v < 0x8000000:
                    break
                cols[at] = v + v + 0x20000001
                at += batch
            else:
                self.count += 1
                return True
            at = self.count     # once more from the first, now that one is odd
        flags = self.flags
        c = 0
        for v in values:
            if v is None or flags[c] or not -0x8000000 < v < 0x8000000:
                self._add_odd(c, at, v)
            else:
                cols[at] = v + v + 0x20000001
            at += batch
            c += 1  # noqa: SIM113, enumerate() would allocate
        self.count += 1
        return True

    def _add_odd(self, c, at, v):
        """Add a value that is missing, of a channel that is odd, or makes it wide."""
        cols = self.cols
        flags = self.flags[c]
        if v is None:
            flags |= 2
            cols[at] = cols[at - 1] & -2 if self.count else 0x20000000
            self.uppers[at] = self.uppers[at - 1]
        elif not (0 <= v < 1 << 32 if flags & 1 else -1 << 31 <= v < 1 << 31):
            raise ValueError("a value has 32 bits")
        elif -0x8000000 < v < 0x8000000 and not flags & 4:
            cols[at] = v + v + 0x20000001
        else:
            if not flags & 4:
                flags |= 4
                for i in range(at - self.count, at):
                    v0 = cols[i]
                    self.uppers[i] = v0 - 0x20000000 >> 17 & 65535
                    cols[i] = v0 & 0x1FFFF | 0x20000000
            # It may be a heap object, with which arithmetic would allocate.
            eight = self._eight
            pack_into("<q", eight, 0, v)
            cols[at] = eight[0] << 1 | 0x20000001
            self.uppers[at] = eight[1]
        self.flags[c] = flags
        self._odd |= flags

    def _add_time(self, i, time_ms):
        """Store a time; False if it is too far from where it is due."""
        if not 0 <= time_ms < 1 << 48:
            raise ValueError("time_ms is 0 to 2**48 - 1")
        eight = self._eight if i else self.start
        pack_into("<q", eight, 0, time_ms)
        hi = eight[1]
        lo = (hi & 255) << 16 | eight[0]
        hi = hi >> 8 | eight[2] << 8
        off = 0
        if i:
            gap = hi - self._hi
            if not -16 < gap < 16:
                return False
            off = (gap << 24) + lo - self._lo - self.interval + self._off
            if not -0x8000000 < off < 0x8000000:
                return False
        self._hi = hi
        self._lo = lo
        self._off = off
        self.cols[self.times + i] = off + off + 0x20000001
        return True

    def next_due(self, n):
        """When the reading after the first `n` is due, in ms."""
        off = (self.cols[self.times + n - 1] >> 1) - 0x10000000
        return int.from_bytes(self.start, "little") + n * self.interval + off

    # -- columns: each returns where in `cols` it is ------------------------------------

    def mask_column(self, at, n):
        """1 where a value of the column `at` is missing."""
        to = self.work
        for i in range(n):
            self.cols[to + i] = 0x20000003 - 2 * (self.cols[at + i] & 1)
        return to

    def upper_column(self, at, n):
        """The upper halves of a wide channel."""
        to = self.work
        sign = 0 if self.flags[at // self.batch] & 1 else 32768
        for i in range(n):
            x = (self.uppers[at + i] ^ sign) - sign
            self.cols[to + i] = 0x20000000 + x + x + (self.cols[at + i] & 1)
        return to

    def divided_column(self, at, n, base, step):
        """(value - base) / step; -1 if that leaves a rest."""
        to = self.work
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
                    if self.flags[at // self.batch] & 4:
                        self.uppers[j] = self.uppers[i]
                return i - at
        return n
