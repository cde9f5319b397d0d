"""A workload for a journal that knows what must be in it at each moment. Runs on MicroPython.

A story is a list of steps, (word, number, size):

    append  so many records of `size` bytes, one by one
    many    so many records of `size` bytes together
    release all but the newest so many
    sync    the journal's own
    boot    open the journal again, as after a reset, with a new stream
"""

from journal import Journal

LIMIT = 40960

SCRIPT = (
    ("append", 14, 60),  # fills the slots and pours them
    ("append", 3, 400),
    ("release", 9, 0),
    ("boot", 0, 0),
    ("append", 2, 60),
    ("many", 3, 500),
    ("append", 4, 900),  # too large for a slot
    ("release", 2, 0),  # segments go
    ("append", 5, 12),  # several in one slot
    ("release", 0, 0),  # empty
    ("append", 1, 60),
    ("sync", 0, 0),
    ("boot", 0, 0),
    ("many", 9, 1900),  # to the limit
    ("append", 7, 1500),  # and beyond it
    ("append", 4, 400),
    ("release", 3, 0),
    ("append", 3, 60),
)


def record_of(life, n, size):
    """What the reading `n` of a life looks like, so that it can be told from any other."""
    text = b"%d/%d " % (life, n)
    return (text * (size // len(text) + 1))[:size]


class Story:
    """Plays steps and keeps the truth: `kept` {number: (stream, n, record)}, `last` number,
    `floor`: everything up to it is released or dropped, `dropped`.
    """

    def __init__(self, place, **options):
        self.options = options
        self.place = place
        self.kept = {}
        self.last = self.floor = self.dropped = 0
        self.life = 0
        self.moments = []  # [(operations so far, last, floor, dropped)]
        self.boot()

    def boot(self):
        self.life += 1
        self.n = 0
        self.journal = Journal(self.place, LIMIT, stream=1000 + self.life, **self.options)

    def play(self, steps, operations):
        """`operations()` counts what was done to the flash. Moments are kept after each call of
        the journal.
        """
        self.moment(operations)
        for word, number, size in steps:
            for _ in range(number if word == "append" else 1):
                self.step(word, number, size)
                self.moment(operations)

    def step(self, word, number, size):
        journal = self.journal
        if word == "append":
            _, record = self.expect(size)
            self.refused(0 if journal.append(record) else 1)
        elif word == "many":
            records = [self.expect(size) for _ in range(number)]
            self.refused(number - journal.append_many(records))
        elif word == "release":
            journal.release(self.last - number)
        elif word == "sync":
            journal.sync()
        else:
            self.boot()
            journal = self.journal
        self.dropped = journal.dropped
        self.floor = max(self.floor, self.last - len(journal))

    def expect(self, size):
        self.n += 1
        self.last += 1
        record = record_of(self.life, self.n, size)
        self.kept[self.last] = (1000 + self.life, self.n, record)
        return self.n, record

    def refused(self, count):
        for number in range(self.last - count + 1, self.last + 1):
            del self.kept[number]
        self.last -= count
        if self.journal.last != self.last:
            raise ValueError(f"the last number is {self.journal.last}, not {self.last}")

    def moment(self, operations):
        self.moments.append((operations(), self.last, self.floor, self.dropped))

    def around(self, operation):
        """The moments before and after the call that was under way at an operation."""
        low, high = 0, len(self.moments) - 1
        while high - low > 1:
            middle = (low + high) // 2
            if self.moments[middle][0] <= operation:
                low = middle
            else:
                high = middle
        return self.moments[low], self.moments[high]

    def check(self, journal, before, after):
        """Raises ValueError unless `journal` holds what it must when power failed between two
        moments.
        """
        found = list(journal.entries())
        numbers = [entry[0] for entry in found]
        for number, stream, n, record in found:
            if self.kept.get(number) != (stream, n, record):
                raise ValueError(f"record {number} is another")
        first = numbers[0] if numbers else journal.last + 1
        last = numbers[-1] if numbers else journal.last
        if numbers != list(range(first, last + 1)):
            raise ValueError(f"holes or disorder: {numbers}")
        if first > after[2] + 1:
            raise ValueError(f"{after[2] + 1} to {first - 1} are missing")
        if not before[1] <= last <= after[1]:
            raise ValueError(f"ends with {last}, not {before[1]} to {after[1]}")
        if not before[3] <= journal.dropped <= after[3]:
            raise ValueError(f"dropped {journal.dropped}, not {before[3]} to {after[3]}")
        if journal.damaged or len(journal) != len(found):
            raise ValueError(f"damaged {journal.damaged}, len {len(journal)}")
        if journal.bytes_used > LIMIT:
            raise ValueError(f"too large: {journal.bytes_used}")
