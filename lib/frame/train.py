"""Learn a stream's habits from its own frames, on the device.

    trainer = Trainer(encoder)
    for _ in range(Trainer.PASSES):
        for each of some frames (about 20 are enough, others in each pass will do):
            fill the encoder; trainer.feed(seq); encoder.clear()
        trainer.next_pass()
    blob = trainer.blob(revision)

The passes: 0 extents, steps and means; 1 sums for the least-squares predictors; 2 how long
the residuals of each candidate are; 3 the probabilities of each candidate and what it costs,
by the encoder's own loop. Takes about 3 KB a channel while it lives, and floats: what it finds
goes into the profile as integers, so that the model itself never sees one.
"""
from array import array

from .describe import record, varint
from .habits import NODES, OWN, Candidate, Habits
from .least_squares import solve
from .loops import column, crc24
from .model import CRC, fresh_nodes

ZERO = 0x10000000   # the biases of numbers in `cols` and of weights, see model.py
WEIGHT_BIAS = 16384


class Trainer:
    """See the module's docstring."""

    PASSES = 4

    def __init__(self, encoder):
        self._encoder = encoder
        self._habits = [Habits(i) for i in range(-1, encoder.width)]
        self._nodes = fresh_nodes()[0]
        self._pass = 0
        self._frames = 0
        self._whole = True
        self._batch = encoder.batch
        self._base = None

    def feed(self, seq):
        """Take in the readings that the encoder holds; `seq` numbers the first."""
        e = self._encoder
        start = int.from_bytes(e.start, "little") + e.count * e.interval
        self._base = (seq + e.count, start + (e.cols[e.times + e.count - 1] >> 1) - ZERO)
        self._frames += 1
        e.ctl[4] = e.count
        if self._pass == 0:
            self._whole = self._whole and e.divided_column(e.times, e.count, 0, 1000) >= 0
            self._batch = e.count
        work = (self._extents, self._least_squares, self._residuals, self._learn)[self._pass]
        for habits in self._habits:
            if not habits.stray:
                work(habits, e, e.count)

    def next_pass(self):
        """End a pass."""
        for h in self._habits:
            if self._pass == 0:
                h.step = h.step or 1
                if h.index >= 0 and h.count and not h.stray:
                    h.ref = h.first + h.step * round(h.sum / h.count / h.step)
                h.stray = h.stray or (h.index >= 0 and not h.count)
                size = 8 * (OWN + len(h.others))
                h.squares = [array("d", bytes(size)) for _ in range(size // 8)]
                h.products = array("d", bytes(size))
            elif self._pass == 1:
                if not h.stray:
                    _propose(h)
                h.squares = h.products = None
            elif self._pass == 2:
                # The last value, which keeps a lattice, and the best of the others go on.
                best = min(h.candidates, key=Candidate.size)
                h.candidates = [h.candidates[0]] + [best] * (best is not h.candidates[0])
                fresh = fresh_nodes()[1]
                for candidate in h.candidates:
                    candidate.settle(self._nodes, fresh)
        self._pass += 1
        self._frames = 0

    # -- the passes ---------------------------------------------------------------------

    def _extents(self, h, e, n):
        if h.index < 0:
            return
        flags = e.flags[h.index]
        at = h.index * e.batch
        h.gaps += 1 if flags & 2 else -1
        if flags > 3:
            h.stray = True
            return
        for i in range(at, at + n):
            if e.cols[i] & 1:
                v = (e.cols[i] >> 1) - ZERO
                if h.first is None:
                    h.first = v
                v -= h.first
                h.sum += v
                h.count += 1
                a, b = h.step, abs(v)
                while b:
                    a, b = b, a % b
                h.step = a

    def _load(self, h, e, n):
        """Return where a column is, as a REF frame would code it; -1 if it would not."""
        h.level = 0
        if h.index < 0:
            return e.divided_column(e.times, n, 0, 1000) if self._whole else e.times
        at = h.index * e.batch
        if e.flags[h.index] > 3 or e.first_value(at, n) == n:
            return -1
        h.change = e._change(at, n)
        if h.step > 1:
            return e.divided_column(at, n, h.ref, h.step)
        h.level = h.ref
        return at

    def _rows(self, h, e, n, others):
        """Yield (change, features) of each value that is there."""
        at = self._load(h, e, n)
        if at < 0:
            return
        cols = e.cols
        others = [other * e.batch - at for other in others if e.flags[other] < 4]
        d = [0, 0, 0]
        last = (cols[at] >> 1) - ZERO
        for i in range(at + 1, at + n):
            v = (cols[i] >> 1) - ZERO
            if cols[i] & 1:
                yield v - last, d + [_clip(h.level - last)] + [
                    _clip((cols[i + x] >> 1) - (cols[i + x - 1] >> 1)) for x in others]
            d = [_clip(v - last)] + d[:2]
            last = v

    def _least_squares(self, h, e, n):
        for change, features in self._rows(h, e, n, h.others):
            usual = h.offs // (h.count + 1) + 1
            h.offs += min(abs(change), 16 * usual)
            h.count += 1
            if abs(change) > 32 * usual:
                continue        # a glitch must not shape the predictor
            h.energy += change * change
            for i, x in enumerate(features):
                if x:
                    h.products[i] += x * change
                    row = h.squares[i]
                    for j, y in enumerate(features):
                        row[j] += x * y

    def _residuals(self, h, e, n):
        for candidate in h.candidates:
            half = 1 << candidate.shift >> 1
            for change, features in self._rows(h, e, n, candidate.others):
                guess = half
                for w, x in zip(candidate.weights, features):
                    guess += w * x
                size = abs(change - (guess >> candidate.shift))
                length = 0
                while size >> length:
                    length += 1
                candidate.lengths[length] += 1

    def _learn(self, h, e, n):
        ctl = e.ctl
        for candidate in h.candidates:
            at = self._load(h, e, n)
            if at < 0:
                return
            if candidate is h.candidates[0] and h.index >= 0:
                self._note_values(h, e, at, n)
            for i, other in enumerate(candidate.others):
                ctl[16 + i] = other * e.batch
            ctl[0] = ctl[2] = ctl[3] = 0
            ctl[1] = 0xFFFFFF
            ctl[5] = candidate.median
            ctl[6] = candidate.mean
            ctl[7] = candidate.shift
            for i in range(6):
                ctl[8 + i] = WEIGHT_BIAS + candidate.weights[i]
            ctl[14] = ZERO + h.level
            ctl[15] = at
            nodes = self._nodes
            for j in range(2 * NODES):
                nodes[j] = candidate.nodes[j]
            column(ctl, nodes, e.cols, e._eight)
            bits = 24
            while ctl[1] >> bits == 0:
                bits -= 1
            candidate.cost += 8 * ctl[2] + 23 - bits
            for j in range(2 * NODES):
                candidate.nodes[j] = nodes[j]
            for j in range(NODES):
                candidate.sums[j] += nodes[j]
            candidate.frames += 1

    def _note_values(self, h, e, at, n):
        """Add up the bit lengths of the values and the sizes of the changes."""
        if not h.noted:
            h.sum = h.count = 0
            h.noted = True
        h.changes += h.change
        for i in range(at, at + n):
            v = abs((e.cols[i] >> 1) - ZERO - h.level)
            while v:
                h.sum += 1
                v >>= 1
            h.count += 1

    # -- the result ---------------------------------------------------------------------

    def blob(self, revision, stream=None):
        """Return the profile."""
        e = self._encoder
        seq, time_ms = self._base
        out = bytearray([0xE1])
        seconds, ms = divmod(time_ms, 1000)
        for value, size in ((revision, 2), (e.stream if stream is None else stream, 4), (seq, 4),
                            (seconds >> 16, 3), (seconds & 65535, 2), (ms, 2),
                            (self._batch, 2), (len(e._fields), 2)):
            for i in range(size - 1, -1, -1):
                out.append(value >> 8 * i & 255)
        out += e._fields
        for h in self._habits:
            best = min(h.candidates, key=lambda c: c.cost)
            flags = 2 if h.gaps > 0 else 0
            if h.index < 0:
                flags = 1 if self._whole else 0
            if h.stray or not best.frames:
                varint(out, flags)
                varint(out, 0)
                continue
            rest = record(h, best)
            varint(out, flags)
            varint(out, len(rest))
            out += rest
        crc = crc24(out, len(out), 0, CRC)
        out += bytes([crc >> 16, crc >> 8 & 255, crc & 255])
        return bytes(out)


def _clip(delta):
    return max(-8191, min(8191, delta))


def _propose(h):
    """Add the least-squares predictors to the candidates."""
    own = list(range(OWN))
    energy, weights = solve(h, own)
    if weights:
        _candidate(h, own, weights)
    chosen = []
    for _ in range(2):
        best = None
        for i in range(len(h.others)):
            if OWN + i not in chosen:
                found = solve(h, own + chosen + [OWN + i])
                if found[1] and found[0] < 0.995 * energy and (not best or found[0] < best[0]):
                    best = (found[0], OWN + i, found[1])
        if not best:
            break
        energy = best[0]
        chosen.append(best[1])
        weights = best[2]
    if chosen:
        _candidate(h, own + chosen, weights)
        _, weights = solve(h, chosen)
        if weights:
            _candidate(h, chosen, weights)


def _candidate(h, features, weights):
    six = [0.0] * 6
    others = []
    for f, w in zip(features, weights):
        if f < OWN:
            six[f] = w
        else:
            six[OWN + len(others)] = w
            others.append(h.others[f - OWN])
    top = max(abs(w) for w in six)
    shift = 12
    while shift and top * (1 << shift) > 16000:
        shift -= 1
    if shift:
        six = [round(w * (1 << shift)) for w in six]
        if any(six):
            h.candidates.append(Candidate(shift, six, others))


def saved(encoder, blob, out, seq):
    """The bytes that `blob` would save on the readings the encoder holds, as against now.

    A profile pays when that, over the frames it will serve, is more than its own length.
    """
    old = encoder.profile
    now = encoder.encode_into(out, seq)
    encoder.use(blob)
    then = encoder.encode_into(out, seq)
    encoder.use(old)
    return now - then if now and then else 0
