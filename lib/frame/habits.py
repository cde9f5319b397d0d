"""What a trainer knows of a column while it learns: see train.py."""
from array import array

from .model import mean_of

OWN = 4             # features of the column itself: three changes, distance from the level
OTHERS = 8          # how many earlier channels are tried as features
SPAN = 10           # bits that a feature keeps in the sums


class Candidate:
    """A way to predict a column, and what it was found to cost."""

    def __init__(self, shift, weights, others):
        self.shift = shift
        self.weights = array("h", weights)      # six, scaled by 2**shift
        self.others = others                    # channels of the last two weights
        self.lengths = array("i", bytes(64))    # how many residuals had 0, 1 ... 15 or more bits
        self.cost = 0                           # bits
        self.median = self.mean = self.longest = 0

    def measure(self):
        """Set median, mean and longest bit length from the histogram; return their scale."""
        total = size = below = 0
        for i in range(16):
            if self.lengths[i]:
                total += self.lengths[i]
                size += i * self.lengths[i]
                self.longest = i
        total = total or 1
        self.mean = 16 * size // total
        self.median = -1
        while 2 * below < total and self.median < 15:
            self.median += 1
            below += self.lengths[self.median]
        scale = 31
        while scale and mean_of(scale) > self.mean:
            scale -= 1
        return scale


class Habits:
    """What is known of one column."""

    def __init__(self, index):
        self.index = index          # -1: time
        self.first = None           # the first value ever, from which `sum` counts
        self.low = self.high = self.sum = self.count = 0
        self.step = 0
        self.stray = False          # no profile describes it
        self.gaps = 0               # above 0: values are usually missing
        self.changes = 0            # the sum of the changes' sizes
        self.ref = self.level = 0
        self.bits = self.firsts = 0     # the bit lengths of frames' first values, and how many
        self.others = bytes(range(max(0, index - OTHERS), index)) if index > 0 else b""
        self.shifts = None          # of each feature and of the change itself, for the sums
        self.sums = None            # of their products, a triangle
        self.candidates = [Candidate(0, bytes(12), b"")]
        self.nodes = self.mean_nodes = None
        self.frames = 0

    def settle(self):
        """Know the extents: make place for the sums."""
        self.step = step = self.step or 1
        if self.index >= 0:
            if not self.count:
                self.stray = True
                return
            self.ref = self.first + step * ((2 * self.sum + self.count * step)
                                            // (2 * self.count * step))
        usual = _shift(self.changes // (self.count or 1) // step >> 5)
        self.shifts = bytearray(OWN + len(self.others) + 1)
        for f in (0, 1, 2, -1):
            self.shifts[f] = usual
        self.shifts[3] = _shift((self.high - self.low) // step >> SPAN)
        size = len(self.shifts)
        self.sums = array("i", bytes(2 * size * (size + 1)))


def _shift(size):
    shift = 0
    while size >> shift:
        shift += 1
    return shift
