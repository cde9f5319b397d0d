"""Read frames, on the host.

    frame = decode(data, profiles)     # profiles: {mark: Profile}
    frame.stream, frame.seq, frame.times, frame.values

Trusts nothing: every count is capped before anything is allocated, a CRC-24 covers all bytes
(and, in a REF frame, the profile), and a frame is read to exactly its end. Raises ProtocolError.
"""
from array import array

from .describe import mantissa_at
from .errors import ProtocolError, UnknownProfile
from .loops import crc24, seed
from .model import CRC, FRESH, PRESETS, mean_of, median_of
from .profile import read_schema
from .rangecoder import RATES, RangeDecoder

SELF = 14
REF = 15
MAX_READINGS = 1024
SEEN_TRAINED = RATES + 30   # how often a node out of a profile counts as seen
REACH = 1 << 28         # no column strays further from its base


class Frame:
    """A decoded frame: `times` in ms, `values` a tuple of int or None for each reading."""

    def __init__(self, mode, stream, seq, schema):
        self.mode = mode
        self.stream = stream
        self.seq = seq
        self.schema = schema
        self.times = []
        self.values = []


def decode(data, profiles=None):
    """Return the Frame that `data` (bytes) holds."""
    if len(data) < 8:
        raise ProtocolError("a frame has at least 8 bytes")
    mode = data[0] >> 4
    if mode not in (SELF, REF):
        raise ProtocolError("no frame of version 1: it starts with 0x%02x" % data[0])
    profile = None
    crc = 0
    if mode == REF:
        mark = mark_of(data)
        profile = (profiles or {}).get(mark)
        if profile is None:
            raise UnknownProfile(mark)
        crc = profile.crc
    if crc24(data, len(data), crc, CRC):
        raise ProtocolError("the checksum does not match")
    return _Decoder(data, profile).frame()


def mark_of(data):
    """The mark of the profile that a REF frame needs, None if it needs none."""
    if len(data) < 3 or data[0] >> 4 != REF:
        return None
    return (data[0] << 16 | data[1] << 8 | data[2]) >> 4 & 0xFFFF


class _Decoder:
    def __init__(self, data, profile):
        self._data = data
        self._profile = profile
        self._in = RangeDecoder(data)
        self._in.bits(4)        # SELF or REF, which decode() has looked at
        if profile:
            self._in.bits(16)
        self._nodes = array("i", FRESH)
        self._filled = []       # the channels so far, gaps filled, for those predicted from them

    def frame(self):
        profile = self._profile
        if profile:
            schema = profile.schema
            priors = profile.priors
            stream, seq, start, count = self._head_ref(schema.interval_ms)
        else:
            stream, seq, start, count = self._head_self()
            schema = read_schema(self._in)
            priors = [(0, None)] * (1 + len(schema.channels))
        frame = Frame("ref" if profile else "self", stream, seq, schema)
        frame.times = self._times(start, count, schema.interval_ms, priors[0])
        columns = [self._channel(ch, count, prior)
                   for ch, prior in zip(schema.channels, priors[1:])]
        frame.values = list(zip(*columns))
        if self._in.end() + 3 != len(self._data):
            raise ProtocolError("the frame does not end where it must")
        return frame

    # -- the head -----------------------------------------------------------------------

    def _stream_and_seq(self):
        stream = self._in.bits(15) << 16
        stream |= self._in.bits(16)
        return stream, self._in.number()

    def _start(self):
        read = self._in
        seconds = read.bits(8) << 32 if read.flag(6) else 0
        seconds |= read.bits(16) << 16
        seconds |= read.bits(16)
        ms = read.bits(10) if read.flag(3) else 0
        if ms > 999:
            raise ProtocolError("a second has 1000 ms")
        return seconds * 1000 + ms

    def _count(self):
        count = self._in.near(6)
        if not 0 < count <= MAX_READINGS:
            raise ProtocolError("a frame has 1 to %d readings" % MAX_READINGS)
        return count

    def _head_self(self):
        stream, seq = self._stream_and_seq()
        start = self._start()
        return stream, seq, start, self._count()

    def _head_ref(self, interval_ms):
        read = self._in
        profile = self._profile
        count = self._count() if read.flag(2) else profile.count
        if not 0 < count <= MAX_READINGS:
            raise ProtocolError("the profile does not hold together")
        if read.flag(4):
            stream, seq = self._stream_and_seq()
            return stream, seq, self._start(), count
        passed = read.number() if read.flag(2) else read.number() * count
        seq = profile.seq + passed
        if seq >= 1 << 30:
            raise ProtocolError("the sequence number is out of range")
        if read.flag(4):
            return profile.stream, seq, self._start(), count
        step = interval_ms // 1000
        off = read.near(1) * (step or 1)
        off += read.near(1)
        seconds = profile.seconds + off + passed * step
        return profile.stream, seq, seconds * 1000 + profile.ms, count

    # -- columns ------------------------------------------------------------------------

    def _times(self, start, count, interval_ms, prior):
        flags, prior = prior
        if self._profile and not self._in.flag(5):
            if not prior:
                raise ProtocolError("the profile does not hold together")
            unit = 1000 if flags & 1 else 1
            column = self._trained(0, count, None, prior)
        else:
            unit = 1 if self._in.flag(3) else 1000
            column = self._free(count, None)
        times = [start + i * interval_ms + unit * d for i, d in enumerate(column)]
        if min(times) < 0 or max(times) >> 48:
            raise ProtocolError("a time is out of range")
        return times

    def _channel(self, ch, count, prior):
        """Return the channel's values."""
        flags, prior = prior
        here = None
        wide = False
        if self._in.flag(4) != (flags >> 1 & 1):
            here = self._mask(count)
            if not any(here):
                self._filled.append([0] * count)
                return [None] * count
        if self._profile and not self._in.flag(5):
            if not prior:
                raise ProtocolError("the profile does not hold together")
            first = self._in.near(prior.usual)
            column = self._trained(first, count, here, prior)
            values = [prior.ref + prior.step * x for x in column]
        elif self._in.flag(6):
            high = self._free_value(count, here)
            low = self._free_value(count, here)
            wide = True
            if any(not 0 <= x < 65536 for x in low):
                raise ProtocolError("half of a value is out of range")
            values = [h * 65536 + x for h, x in zip(high, low)]
        else:
            values = self._free_value(count, here)
        low = 0 if ch.kind == "count" else -1 << 31
        if min(values) < low or max(values) >= low + (1 << 32):
            raise ProtocolError("a value is not of 32 bits")
        # The encoder holds a wide channel by halves: no other is predicted from it.
        self._filled.append([0] * count if wide else values)
        if here:
            values = [v if h else None for v, h in zip(values, here)]
        return values

    def _free_value(self, count, here):
        first = self._in.number()
        if first and self._in.flag(3):
            first = -first
        return [first + x for x in self._free(count, here)]

    def _free(self, count, here):
        """Read a column that says itself how it is coded; it starts at 0."""
        read = self._in
        if read.flag(3):
            return [0] * count
        step = read.number() if read.flag(3) else 1
        preset = read.bits(2) if read.flag(2) else 0
        scale = 16 * read.flag(3)
        scale += read.bits(4)
        return [step * x for x in self._scaled(0, count, here, preset, scale)]

    def _trained(self, first, count, here, prior):
        """Read a column as the profile describes it."""
        self._reset()
        nodes = self._nodes
        for j, p in prior.nodes:
            nodes[j] = p << 8 | SEEN_TRAINED
        others = [[0] * count if x is None else _deltas(self._filled[x]) for x in prior.others]
        return self._column(first, count, here, prior.median, prior.mean, prior.shift,
                            prior.weights, others)

    def _mask(self, count):
        """Read which values are there."""
        first = self._in.bits(1)
        if not self._in.flag(1):
            return [not first] * count
        mask = self._scaled(first, count, None, 4, 2)
        if any(x not in (0, 1) for x in mask):
            raise ProtocolError("a value is missing or it is not")
        return [not x for x in mask]

    def _reset(self):
        self._nodes = array("i", FRESH)

    def _scaled(self, first, count, here, preset, scale):
        weights = [x - 4 for x in PRESETS[4 * preset:4 * preset + 4]] + [0, 0]
        self._reset()
        seed(self._nodes, scale, median_of(scale))
        return self._column(first, count, here, median_of(scale), mean_of(scale),
                            2 if preset else 0, weights)

    def _column(self, first, count, here, median, mean, shift, weights, others=()):
        """Undo column() of _fast.py."""
        values = [first]
        deltas = [0, 0, 0]
        lively = mean
        way = 48
        for i in range(1, count):
            last = values[-1]
            guess = last
            if shift:
                parts = deltas + [_clip(-last)] + [other[i] for other in others]
                total = sum(w * x for w, x in zip(weights, parts))
                guess += total + (1 << shift - 1) >> shift
            value = last
            if not here or here[i]:
                off = lively - mean
                base = 0 if off < -12 else 32 if off > 12 else 16
                length = self._length(base, median)
                lively += (16 * length - lively) >> 2
                residual = negative = 0
                if length:
                    negative = self._in.decide(self._nodes, way)
                    residual = self._mantissa(length)
                    residual = -residual if negative else residual
                way = 48 if not length else 50 if negative else 49
                value = guess + residual
                if not -REACH < value < REACH:
                    raise ProtocolError("a value strays too far")
            deltas = [_clip(value - last)] + deltas[:2]
            values.append(value)
        return values

    def _length(self, base, length):
        """The bit length of a residual, sought from the median."""
        decide, nodes = self._in.decide, self._nodes
        if decide(nodes, base + length):
            length += 1
            while decide(nodes, base + min(length, 15)):
                length += 1
                if length > 30:
                    raise ProtocolError("a residual is too large")
            return length
        while length and not decide(nodes, base + length - 1):
            length -= 1
        return length

    def _mantissa(self, length):
        """The size of a residual of this bit length."""
        size = 1
        rest = length - 1
        first = mantissa_at(min(length, 15))
        while rest and rest > length - 4:
            rest -= 1
            size = 2 * size + self._in.decide(self._nodes, first + size - 1)
        while rest:
            some = min(rest, 8)
            rest -= some
            size = size << some | self._in.bits(some)
        return size


def _deltas(values):
    return [0] + [_clip(b - a) for a, b in zip(values, values[1:])]


def _clip(delta):
    return max(-8191, min(8191, delta))
