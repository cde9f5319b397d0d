"""Learn a stream's habits from its own frames, on the device.

    trainer = Trainer(encoder)
    for _ in range(Trainer.PASSES):
        for each of some frames (others in each pass will do):
            fill the encoder
            for _ in trainer.feed(seq): let others have their turn; break if the encoder is needed
        for _ in trainer.next_pass(): let others have their turn
    blob = trainer.blob(revision)

The passes: 0 extents, steps and means; 1 sums for the least-squares predictors; 2 what each
candidate leaves and costs, by the encoder's own loop; 3 the probabilities of the best one.
Between two turns it works for a few ms on a board. Takes about 1.2 KB a channel while it lives.
Integers but for the few equations of pass 1: what it finds goes into the profile as integers, so
that the model itself never sees a float.
"""
from array import array
from struct import pack_into

from .describe import mantissa_at, record, varint
from .habits import OWN, SPAN, Habits
from .least_squares import propose
from .loops import column, seed
from .model import FRESH
from .renew import seal

ZERO = 0x10000000   # the biases of numbers in `cols` and of weights, see model.py
WEIGHT_BIAS = 16384
ROWS = 2            # that are added to the sums in one turn


class Trainer:
    """See the module's docstring."""

    PASSES = 4

    def __init__(self, encoder):
        self._encoder = encoder
        self._habits = [Habits(i) for i in range(-1, encoder.width)]
        self._pass = 0
        self._whole = True      # times are in whole seconds
        self._count = 0         # readings in a usual frame
        self._base = (0, 0)     # the number of the reading that is due, and when
        self._row = array("i", bytes(4 * (OWN + 8 + 1)))
        self._last = 0

    def feed(self, seq):
        """Take in the readings that the encoder holds, `seq` the first; a generator."""
        e = self._encoder
        n = e.count
        self._base = (seq + n, e.next_due(n))
        self._count = n
        if self._pass == 0:
            self._whole = self._whole and e.divided_column(e.times, n, 0, 1000) >= 0
        work = (self._extents, self._products, self._costs, self._learn)[self._pass]
        for h in self._habits:
            if not h.stray:
                for _ in work(h, n):
                    yield
                yield

    def next_pass(self):
        """End a pass; a generator."""
        for h in self._habits:
            if self._pass == 0:
                h.settle()
            elif h.stray:
                pass
            elif self._pass == 1:
                for _ in propose(h):
                    yield
                h.sums = None
            elif self._pass == 2:
                best = h.candidates[0]
                for candidate in h.candidates:
                    if candidate.cost < best.cost:
                        best = candidate
                h.candidates = [best]
                self._reset(best)
                self._keep(h, mantissa_at(best.longest + 1))
                h.mean_nodes = array("H", (x >> 8 for x in h.nodes))
            yield
        self._pass += 1

    # -- the passes ---------------------------------------------------------------------

    def _extents(self, h, n):
        e = self._encoder
        at = self._load(h, n)
        if h.index < 0:
            h.changes += e._change(at, n)
            h.count += n
            return
        h.gaps += 1 if e.flags[h.index] & 2 else -1
        if e.flags[h.index] > 3:
            h.stray = True
        if at < 0:
            return
        h.changes += e._change(at, n)
        step = h.step
        for i in range(at, at + n):
            v = (e.cols[i] >> 1) - ZERO
            if h.first is None:
                h.first = v
            v -= h.first
            h.sum += v
            if v < h.low:
                h.low = v
            if v > h.high:
                h.high = v
            while v:
                step, v = v, step % v
            step = abs(step)
        h.step = step
        h.count += n
        yield

    def _load(self, h, n):
        """Return where a column is, as a REF frame would code it; -1 if it would not."""
        e = self._encoder
        h.level = 0
        if h.index < 0:
            return e.divided_column(e.times, n, 0, 1000) if self._whole else e.times
        at = h.index * e.batch
        if e.flags[h.index] > 3 or e.first_value(at, n) == n:
            return -1
        if h.step > 1 and self._pass:
            at = e.divided_column(at, n, h.ref, h.step)
        else:
            h.level = h.ref
        return at

    def _begin(self, h, n):
        """Load a column and start its rows; returns where it is or -1."""
        at = self._load(h, n)
        if at >= 0:
            for f in range(len(self._row)):
                self._row[f] = 0
            self._last = (self._encoder.cols[at] >> 1) - ZERO
        return at

    def _next_row(self, h, at, i, others):
        """Put the features of value `i` into `_row`, after them its change; return that."""
        row = self._row
        e = self._encoder
        end = OWN + len(others)
        row[2] = row[1]
        row[1] = row[0]
        row[0] = _clip(row[end])
        row[3] = _clip(h.level - self._last)
        f = OWN
        for other in others:
            j = other * e.batch + i
            row[f] = _clip((e.cols[j] >> 1) - (e.cols[j - 1] >> 1)) if e.flags[other] < 4 else 0
            f += 1
        v = (e.cols[at + i] >> 1) - ZERO
        row[end] = v - self._last
        self._last = v
        return row[end]

    def _products(self, h, n):
        at = self._begin(h, n)
        if at < 0:
            return
        sums = h.sums
        shifts = h.shifts
        size = len(shifts)
        scaled = array("i", bytes(4 * size))
        for i in range(1, n):
            self._next_row(h, at, i, h.others)
            fits = self._encoder.cols[at + i] & 1
            for f in range(size):
                x = self._row[f] + (1 << shifts[f] >> 1) >> shifts[f]
                if not -1 << SPAN < x < 1 << SPAN:
                    fits = fits and f < size - 1    # a glitch must not shape the predictor
                    x = (1 << SPAN) - 1 if x > 0 else 1 - (1 << SPAN)
                scaled[f] = x
            if fits:
                k = 0
                for f in range(size):
                    x = scaled[f]
                    for g in range(f + 1):
                        sums[k] += x * scaled[g]
                        k += 1
            if i % ROWS == 0:
                _halve(sums)
                yield
        self._note_first(h, at)

    def _note_first(self, h, at):
        v = abs((self._encoder.cols[at] >> 1) - ZERO - h.level)
        while v:
            h.bits += 1
            v >>= 1
        h.firsts += 1

    def _costs(self, h, n):
        at = self._begin(h, n)
        if at < 0:
            return
        self._note_first(h, at)
        for candidate in h.candidates:
            self._begin(h, n)
            lengths = candidate.lengths
            half = 1 << candidate.shift >> 1
            for i in range(1, n):
                if i % (4 * ROWS) == 0:
                    yield
                change = self._next_row(h, at, i, candidate.others)
                if self._encoder.cols[at + i] & 1:
                    guess = half
                    for f in range(OWN + len(candidate.others)):
                        guess += candidate.weights[f] * self._row[f]
                    size = abs(change - (guess >> candidate.shift))
                    length = 0
                    while size and length < 15:
                        length += 1
                        size >>= 1
                    lengths[length] += 1
            self._reset(candidate)
            candidate.cost += self._code(h, candidate, at, n)
            yield

    def _learn(self, h, n):
        at = self._load(h, n)
        if at < 0:
            return
        size = len(h.nodes)
        nodes = self._encoder._nodes
        self._reset(h.candidates[0])
        nodes[:size] = h.nodes
        self._code(h, h.candidates[0], at, n)
        self._keep(h, size)
        h.frames += 1
        for j in range(size):
            h.mean_nodes[j] += ((nodes[j] >> 8) - h.mean_nodes[j]) // h.frames
        self._note_first(h, at)
        yield

    def _keep(self, h, size):
        h.nodes = self._encoder._nodes[:size]

    def _reset(self, candidate):
        """Set the nodes to what the candidate's residuals so far make one expect."""
        e = self._encoder
        scale = candidate.measure()
        pack_into("888s", e._nodes, 0, FRESH)
        seed(e._nodes, scale, candidate.median)

    def _code(self, h, candidate, at, n):
        """Code a column by the nodes; return the bits that it takes."""
        e = self._encoder
        ctl = e.ctl
        for i in range(len(candidate.others)):
            ctl[16 + i] = candidate.others[i] * e.batch
        ctl[0] = ctl[2] = ctl[3] = 0
        ctl[1] = 0xFFFFFF
        ctl[4] = n
        ctl[5] = candidate.median
        ctl[6] = candidate.mean
        ctl[7] = candidate.shift
        for i in range(6):
            ctl[8 + i] = WEIGHT_BIAS + candidate.weights[i]
        ctl[14] = ZERO + h.level
        ctl[15] = at
        column(ctl, e._nodes, e.cols, e._eight)
        bits = 24
        while ctl[1] >> bits == 0:
            bits -= 1
        return 8 * ctl[2] + 23 - bits

    # -- the result ---------------------------------------------------------------------

    def blob(self, revision):
        """Return the profile."""
        e = self._encoder
        out = bytearray()
        for h in self._habits:
            flags = self._whole if h.index < 0 else 2 if h.gaps > 0 else 0
            rest = record(h, h.candidates[0]) if h.frames else b""
            varint(out, flags)
            varint(out, len(rest))
            out += rest
        return seal(revision, e.stream, *self._base, self._count, e._fields, out)


def _clip(delta):
    return -8191 if delta < -8191 else 8191 if delta > 8191 else delta


def _halve(sums):
    """Halve the sums before they could leave 31 bits."""
    if max(sums) >> 28:
        for k in range(len(sums)):
            sums[k] >>= 1
