"""What a journal remembers beside its records: how far it is released, and its counters.

Two small files take turns, so that where a file system can leave one half written the other one
is whole. Each holds one entry, whose record is the turn and the dropped counter.
"""

from struct import pack, unpack

from . import entry


def name_of(turn):
    return "m%d.j1" % (turn & 1)


class Marks:
    """Whoever opens a journal and writes takes the next turn. So it shows in the file of the turn
    before if another one does the same.
    """

    def __init__(self, directory):
        self._directory = directory
        self._turn = 0
        self._own = self._before = b""  # what is in the files of this turn and the one before

    def load(self):
        """The newest mark as an entry, or None, and its dropped counter."""
        newest = None
        counter = self._turn = 0
        contents = []
        for index in (0, 1):
            contents.append(self._directory.read(name_of(index)))
            mark = self._entry(index, len(contents[index]))
            if mark is not None and len(mark[entry.RECORD]) == 8:
                turn, dropped = unpack("<II", mark[entry.RECORD])
                if turn > self._turn:
                    newest = mark
                    self._turn = turn
                    counter = dropped
        self._own = contents[self._turn & 1]
        self._before = contents[self._turn & 1 ^ 1]
        return newest, counter

    def _entry(self, index, size):
        if not size:
            return None
        with self._directory.open(name_of(index), "rb") as file:
            return entry.first(file, 0, size)

    def write(self, seq, stream, n, floor, dropped):
        """Make a mark durable: the newest number, the last `n` of the stream that is safe, and the
        number up to which everything is released or dropped.
        """
        turn = self._turn + 1
        mark = entry.encode(seq, stream, n, pack("<II", turn, dropped), floor)
        self._directory.write(name_of(turn), mark)
        self._turn = turn
        self._before = self._own
        self._own = mark

    def others(self):
        """Whether somebody else has made a mark since."""
        return self._directory.read(name_of(self._turn + 1)) != self._before
