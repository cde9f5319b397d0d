"""What is special in a REF frame: its head, and the columns that its profile describes.

docs/WIRE.md, "The head" and "The profile". Imported when an encoder gets its first profile;
reads the profile's bytes as it needs them, and allocates nothing.
"""
from struct import pack_into

from .loops import crc24, recall
from .model import CRC, FRESH

HEAD_LEN = 22


class Reference:
    """The profile `blob` in the hands of an encoder; ValueError if it is none of its channels."""

    def __init__(self, encoder, blob):
        fields = encoder._fields
        self._columns = HEAD_LEN + len(fields)
        if (crc24(blob, len(blob), 0, CRC) or blob[0] != 0xE1
                or blob[HEAD_LEN:self._columns] != fields):
            raise ValueError("no profile of these channels")
        self._encoder = encoder
        self._blob = blob
        self._at = 0            # where this column is described
        self._after = 0         # and the next

    def head(self, seq, count):
        """Write the head; returns the profile's CRC."""
        e = self._encoder
        crc = self._field(len(self._blob) - 3, 3)
        e._bits(crc, 16)
        self._after = self._columns
        if e._flag(count != self._field(18, 2), 2):
            e._near(count, 6)
        passed = seq - self._field(7, 4)
        if e._flag(passed < 0 or e._stream_hi != self._field(3, 2)
                   or e._stream_lo != self._field(5, 2), 4):
            e._stream_and_seq(seq)
            e._start()
            return crc
        if e._flag(passed % count > 0, 2):
            e._number(passed)
        else:
            e._number(passed // count)
        # How far the clock is from where the sequence number makes one expect it.
        step = e.interval // 1000
        hi = e._hi_s - self._field(11, 3)
        if e._flag(not -2048 < hi < 2048 or e._rest_ms != self._field(16, 2)
                   or passed > 0x7000000 // (step or 1) or e.interval % 1000 > 0, 4):
            e._start()
            return crc
        off = (hi << 16) + e._lo_s - self._field(14, 2) - passed * step
        step = step or 1
        rest = (off + (step >> 1)) % step - (step >> 1)
        e._near((off - rest) // step, 1)
        e._near(rest, 1)
        return crc

    def _field(self, at, size):
        """A number in the profile's head."""
        value = 0
        for i in range(at, at + size):
            value = value << 8 | self._blob[i]
        return value

    def describe(self):
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

    def times(self, at, n, whole):
        """Code the times as the profile describes them; False if they are unlike it."""
        fits = self.describe() & 1 == whole and self._at < self._after
        if not self._encoder._flag(not fits, 5):
            self._trained(at, n, 0)
        return fits

    def channel(self, c, at, n):
        """Code a channel as the profile describes it; False if it is unlike it."""
        e = self._encoder
        ref = usual = 0
        fits = self._at < self._after and e.flags[c] < 4
        if fits:
            ref = self._next()
            ref = ref >> 1 ^ -(ref & 1)
            step = self._next()
            usual = self._next()
            usual_change = self._next()
            change = (e._change(at, n) << 4) // n
            # A short column may be calm by chance.
            fits = change <= 8 * usual_change + 16
            if n > 15 and usual_change > 8 * change + 16:
                fits = False
            if fits and step > 1:
                at = e.divided_column(at, n, ref, step)
                ref = 0
                fits = at >= 0
        if not e._flag(not fits, 5):
            e._near((e.cols[at] >> 1) - 0x10000000 - ref, usual)
            self._trained(at, n, ref)
        return fits

    def _trained(self, at, n, ref):
        """Code a column by the rest of its description."""
        e = self._encoder
        ctl = e.ctl
        blob = self._blob
        p = self._at
        for i in range(5, 8):
            ctl[i] = blob[p]
            p += 1
        ctl[14] = ref + 0x10000000
        which = usable = blob[p]
        p += 1
        for i in range(2):
            if which >> 4 + i & 1:
                ctl[16 + i] = blob[p] * e.batch
                if e.flags[blob[p]] > 3:
                    usable &= ~(16 << i)
                p += 1
        for i in range(6):
            ctl[8 + i] = 16384
            if which >> i & 1:
                if usable >> i & 1:
                    ctl[8 + i] = blob[p] << 8 | blob[p + 1]
                p += 2
        pack_into("888s", e._nodes, 0, FRESH)
        recall(e._nodes, blob, p + 1, blob[p])
        e._code(at)
