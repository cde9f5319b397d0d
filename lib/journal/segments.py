"""The long files of a journal: each takes entries until it is full, and goes away as a whole.

A segment is called after the lowest number it may hold. Entries are appended in batches, because
LittleFS copies the last block of a file at every append. The first two entries of a segment, and
of every break in the numbers, are full: one of them may be damaged without harm to those behind.
"""

from . import entry

_SUFFIX = ".j1"
_FIRST, _SIZE = 0, 1
_EACH = 64  # bytes of memory that an entry takes beside its record
_FULL_EVERY = 16  # entries: as many may be lost behind several damaged ones in a row


def name_of(first):
    return "%08x" % first + _SUFFIX


class Segments:
    """`newest` is the highest number in the segments, `files` [[first number, bytes]], oldest
    first; the last one is the one appended to, unless it is `sealed`: its end is damaged.
    """

    def __init__(self, directory, most_bytes):
        self.most_bytes = most_bytes
        self._directory = directory
        self._file = None  # open while a batch is written
        self._load_nothing()

    def _load_nothing(self):
        self.files = []
        self.void = []  # those without an entry
        self.newest = 0
        self.sealed = False
        self._size = 0  # of the last file with what is written but not committed
        self._written = None  # the last (seq, stream, n)
        self._full = 0  # so many entries more are written full
        self._since = 0  # entries since the last full one
        self._place = None  # (first number of a file, the last entry that was read there)

    def load(self, sizes):
        """Learn from {name: bytes} what there is, and read the last file that has an entry.
        Returns the last entry or None, and the highest floor in that file.
        """
        self._load_nothing()
        for name in sizes:
            if len(name) == 8 + len(_SUFFIX):
                self.files.append([int(name[:8], 16), sizes[name]])
        self.files.sort()
        last = None
        floor = at = size = 0
        while self.files and last is None:
            first, size = self.files[-1]
            with self._directory.open(name_of(first), "rb") as file:
                last, at, floor = self._last_entry(file, size)
            if last is None:  # just begun, or all damaged
                self.void.append(self.files.pop())
        if last:
            self.newest = last[entry.SEQ]
            self._written = last[: entry.N + 1]
            self.sealed = at < size
            self._size = size
        return last, floor

    @staticmethod
    def _last_entry(file, size):
        last = None
        at = floor = 0
        while True:
            found = entry.first(file, at, size, last)
            if found is None:
                return last, at, floor
            last = found
            at = found[entry.NEXT]
            floor = max(floor, found[entry.FLOOR] or 0)

    # ---- writing a batch

    @property
    def bytes_left(self):
        """How many bytes of entries the last segment has room for."""
        return 0 if not self.files or self.sealed else self.most_bytes - self._size

    @property
    def growth(self):
        """How many bytes of blocks the last segment may still take."""
        if not self.bytes_left:
            return 0
        return self._directory.occupied(self.most_bytes) - self._directory.occupied(self._size)

    def add(self, seq, stream, n, record, floor):
        """Write an entry, not yet durable; False if the last segment is full."""
        before = self._written
        if before != (seq - 1, stream, n - 1):
            self._full = 2
        elif self._since >= _FULL_EVERY:
            self._full = max(1, self._full)
        content = entry.encode(seq, stream, n, record, floor if self._full else None)
        if len(content) > self.bytes_left:
            return False
        if self._file is None:
            self._file = self._directory.open(name_of(self.files[-1][_FIRST]), "ab")
        self._file.write(content)
        self._size += len(content)
        self._written = (seq, stream, n)
        self._since = 0 if self._full else self._since + 1
        self._full = max(0, self._full - 1)
        return True

    def commit(self):
        """Make durable what was added. Returns the highest number."""
        if self._file:
            self._file.flush()
            self._file.close()
            self._file = None
            self.files[-1][_SIZE] = self._size
            self.newest = self._written[0]
        return self.newest

    def abandon(self):
        """Something failed in between: what was added may be there or not."""
        if self._file:
            file = self._file
            self._file = None
            try:
                file.close()
            except OSError:
                pass  # the error that brought us here is the one to tell

    def begin(self, first):
        """Start a new segment whose numbers are not below `first`."""
        while self.void:
            self._directory.remove(name_of(self.void[-1][_FIRST]))
            self.void.pop()
        self._file = self._directory.open(name_of(first), "wb")
        self.files.append([first, 0])
        self.sealed = False
        self._size = 0
        self._written = self._place = None

    # ---- reading

    def last_of(self, index):
        """The highest number that the segment `files[index]` may hold."""
        if index + 1 < len(self.files):
            return self.files[index + 1][_FIRST] - 1
        return self.newest

    def remove_oldest(self):
        self._directory.remove(name_of(self.files[0][_FIRST]))
        self.files.pop(0)
        self._place = None

    def read(self, after, most_bytes):
        """Some entries with numbers above `after`, from one segment, and the number up to which
        there are no others.
        """
        index = len(self.files) - 1
        while index > 0 and self.files[index][_FIRST] > after + 1:
            index -= 1
        first, size = self.files[index]
        before = None
        if self._place and self._place[0] == first and self._place[1][entry.SEQ] <= after:
            before = self._place[1]
        found = []
        room = most_bytes
        with self._directory.open(name_of(first), "rb") as file:
            while room > 0:
                read = entry.first(file, before[entry.NEXT] if before else 0, size, before)
                if read is None:
                    return found, max(after, self.last_of(index))
                before = read
                if read[entry.SEQ] > after:
                    found.append(read)
                    room -= len(read[entry.RECORD]) + _EACH
        self._place = (first, before)
        return found, before[entry.SEQ]
