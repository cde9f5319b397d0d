"""What a trainer knows of a column while it learns: see train.py."""
from array import array

from .loops import seed
from .model import mean_of

NODES = 139
OWN = 4             # features of the column itself: three changes, distance from the level
OTHERS = 8          # how many earlier channels are tried as features


class Candidate:
    """A way to predict a column, and what it was found to cost."""

    def __init__(self, shift, weights, others):
        self.shift = shift
        self.weights = weights      # six, scaled by 2**shift
        self.others = others        # channels of the last two weights
        self.lengths = array("i", bytes(128))   # how many residuals had 0, 1, 2 ... bits
        self.cost = 0
        self.nodes = None
        self.sums = None
        self.frames = 0
        self.mean = self.median = 0

    def size(self):
        """The sum of the residuals' bit lengths."""
        return sum(i * n for i, n in enumerate(self.lengths))

    def settle(self, nodes, fresh):
        """Mean and median bit length from the histogram; get ready to learn."""
        total = sum(self.lengths) or 1
        self.mean = min(16 * self.size() // total, 255)
        below = 0
        for i, n in enumerate(self.lengths):
            below += n
            if 2 * below >= total:
                self.median = min(i, 15)
                break
        scale = 31
        while scale and mean_of(scale) > self.mean:
            scale -= 1
        self.nodes = array("H", fresh)
        seed(nodes, scale, self.median)
        for j in range(48):
            self.nodes[j] = nodes[j]
        self.sums = array("i", bytes(4 * NODES))


class Habits:
    """What is known of one column."""

    def __init__(self, index):
        self.index = index          # -1: time
        self.first = None
        self.step = 0
        self.sum = self.count = self.offs = 0
        self.stray = False
        self.gaps = 0
        self.ref = 0
        self.change = self.changes = self.level = 0
        self.noted = False
        self.others = list(range(index))[-OTHERS:] if index > 0 else []
        self.squares = self.products = None
        self.energy = 0.0
        self.candidates = [Candidate(0, [0] * 6, [])]
