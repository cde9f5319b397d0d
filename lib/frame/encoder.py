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

from .loops import column, crc24, narrow, recall, seed, survey
from .model import CRC, FRESH, PRESETS, mean_of, median_of, scale_of
from .writer import Writer


class Encoder(Writer):
    """Readings that become a frame."""

    def __init__(self, schema, batch):
        super().__init__(schema, batch)
        self._nodes = array("H", FRESH)
        self._at = 0            # where the profile describes this column

    def use(self, blob):
        """Write REF frames by this profile, SELF frames if it is None."""
        end = 22 + len(self._fields)
        if blob and (crc24(blob, len(blob), 0, CRC) or blob[0] != 0xE1
                     or blob[22:end] != self._fields):
            raise ValueError("no profile of these channels")
        self.profile = blob

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
        ctl[0] = ctl[2] = 0
        ctl[1] = 0x1000000
        ctl[3] = len(out) - 3
        ctl[4] = count
        self._out = out
        self._split_start()
        crc = 0
        if self.profile:
            crc = self._field(len(self.profile) - 3, 3)
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

    # -- columns ------------------------------------------------------------------------

    def _time_column(self, n):
        at = self.divided_column(self.times, n, 0, 1000)
        whole = at >= 0
        if not whole:
            at = self.times
        if self.profile:
            fits = self._describe() & 1 == whole and self._at < self._after
            if not self._flag(not fits, 5):
                self._trained(at, n, 0)
                return
        self._flag(not whole, 3)
        self._free(at, n)

    def _channel(self, c, n):
        at = c * self.batch
        often = self._describe() & 2 if self.profile else 0
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
        if self.profile and self._known(c, at, n):
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
        pack_into("768s", self._nodes, 0, FRESH)
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
            byte = self.profile[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def _known(self, c, at, n):
        """Code a channel as the profile describes it; False if it is unlike it."""
        ref = usual = 0
        fits = self._at < self._after and self.flags[c] < 4
        if fits:
            ref = self._next()
            ref = ref >> 1 ^ -(ref & 1)
            step = self._next()
            usual = self._next()
            usual_change = self._next()
            change = (self._change(at, n) << 4) // n
            # A short column may be calm by chance.
            fits = change <= 8 * usual_change + 16
            if n > 15 and usual_change > 8 * change + 16:
                fits = False
            if fits and step > 1:
                at = self.divided_column(at, n, ref, step)
                ref = 0
                fits = at >= 0
        if not self._flag(not fits, 5):
            self._near((self.cols[at] >> 1) - 0x10000000 - ref, usual)
            self._trained(at, n, ref)
        return fits

    def _trained(self, at, n, ref):
        """Code a column by the rest of its description."""
        ctl = self.ctl
        blob = self.profile
        p = self._at
        for i in range(5, 8):
            ctl[i] = blob[p]
            p += 1
        ctl[14] = ref + 0x10000000
        which = usable = blob[p]
        p += 1
        for i in range(2):
            if which >> 4 + i & 1:
                ctl[16 + i] = blob[p] * self.batch
                if self.flags[blob[p]] > 3:
                    usable &= ~(16 << i)
                p += 1
        for i in range(6):
            ctl[8 + i] = 16384
            if which >> i & 1:
                if usable >> i & 1:
                    ctl[8 + i] = blob[p] << 8 | blob[p + 1]
                p += 2
        pack_into("768s", self._nodes, 0, FRESH)
        recall(self._nodes, blob, p + 1, blob[p])
        self._code(at)
