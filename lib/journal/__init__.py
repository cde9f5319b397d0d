"""A queue of records that survives power cuts, in a directory of the board's file system.

    append -> slots (short files) --when they are full--> segments (long files) -> pending
    append_many ------------------------------------------^                        release

The format, what it costs and what it promises on which file system are in docs/JOURNAL.md.
"""

from . import entry
from .disk import Directory, random_number
from .errors import (
    JournalError,
    JournalFault,
    JournalFull,
    JournalMissing,
    JournalNewer,
    JournalReadOnly,
    JournalTaken,
    translated,
)
from .holes import Holes
from .marks import Marks
from .segments import Segments
from .slots import Slots

__all__ = (
    "Journal", "JournalError", "JournalFault", "JournalFull", "JournalMissing", "JournalNewer",
    "JournalReadOnly", "JournalTaken",
)

_LEAST_BLOCKS = 10
_SEGMENTS = 14  # at most: with more, LittleFS would split the directory
_DIRECTORY_BLOCKS = 2


class Journal:
    """Holds byte records, numbered from 1 on, in at most `limit_bytes` of occupied flash blocks.

    `stream` is the random number of this life of the queue (made here if None); each record also
    carries its stream and its number `n` in it. A life that has only slept goes on behind its `n`.
    `when_full` is "drop_oldest" or "refuse_newest". `inline` is the size up to which files take no
    block in the file system: 128 on LittleFS with a program size of 32, 512 with 256, 0 on FAT.

    Opening programs nothing, and costs the same whatever is queued. Every method may raise a
    JournalError; what was durable before stays so, and the next call starts from the flash again.
    """

    handful = 1024  # bytes of memory for what is read at a time; 64: a single entry

    def __init__(
        self, directory, limit_bytes=65536, stream=None, when_full="drop_oldest", inline=128, n=0
    ):
        self.stream, self.n = stream, n  # n: the last number in this stream
        self._refuse = when_full == "refuse_newest"
        self._limit = limit_bytes
        self._claimed = self._taken = self._reload = False
        self.floor = 0  # everything up to this number is released or dropped
        self.last = 0  # the newest number
        self._safe = 0  # the floor in the marks
        self._holes = Holes()
        try:
            self._directory = Directory(directory)
            block = self._directory.block
            if limit_bytes < _LEAST_BLOCKS * block:
                raise ValueError("a journal takes %d bytes or more" % (_LEAST_BLOCKS * block))
            each = -(-(limit_bytes // block - _DIRECTORY_BLOCKS) // _SEGMENTS) * block
            # In a file of several blocks LittleFS takes a few bytes of each but the first.
            self._segments = Segments(self._directory, each - 8 * (each // block - 1))
            self._slots = Slots(self._directory, inline)
            self._marks = Marks(self._directory)
            self._load()
        except (OSError, UnicodeError) as error:
            raise translated(error, directory)
        while not self.stream or (self.stream == self.before[0] and self.n < self.before[1]):
            self.stream, self.n = random_number(), 0

    # ---- what is there

    def __len__(self):
        """Records that are not released, but those known to be damaged."""
        return self.last - self.floor - len(self._holes)

    @property
    def damaged(self):
        """Records found unreadable since the start."""
        return self._holes.damaged

    @property
    def bytes_used(self):
        """Of flash, in whole blocks, the directory's own included."""
        used = _DIRECTORY_BLOCKS * self._directory.block + self._slots.bytes_used
        for _, size in self._segments.files + self._segments.void:
            used += self._directory.occupied(size)
        return used

    def pending(self, after=0):
        """Yield (number, record) of every record above `after`, oldest first."""
        for read in self.entries(after):
            yield read[0], read[3]

    def entries(self, after=0):
        """Yield (number, stream, n, record) of every record above `after`, oldest first.

        Appends and releases may happen in between. Holds a few records at a time.
        """
        while True:
            after = max(after, self.floor)
            handful, seen = self._guarded(self._read, after)
            for read in handful:
                if read[entry.SEQ] > max(after, self.floor):
                    self._hole(after + 1, read[entry.SEQ] - 1)
                    after = read[entry.SEQ]
                    yield after, read[entry.STREAM], read[entry.N], read[entry.RECORD]
            self._hole(after + 1, seen)
            after = max(after, seen)
            if after >= self.last:
                return

    def _read(self, after):
        """Some entries above `after`, and the number up to which there are no others."""
        if self._reload:
            self._load()
        if after < self._segments.newest and self._segments.files:
            return self._segments.read(after, self.handful)
        for index in self._slots.live(after):
            found = [read for read in self._slots.entries(index) if read[entry.SEQ] > after]
            if found:
                return found, found[-1][entry.SEQ]
        return (), self.last

    # ---- what comes

    def append(self, record, length=None, n=None):
        """Store `record` (or its first `length` bytes); when this returns its number, it is
        durable. Returns 0 if the queue is full and refuses it.

        `n` is its number in the stream, above all before it; one more than the last if None.
        Raises ValueError for a record that could never fit.
        """
        if length is not None:
            record = memoryview(record)[:length]
        return self._guarded(self._append, self._numbered(n), self._checked(record))

    def append_many(self, records):
        """Store every (n, record) of an iterable; all are durable when this returns how many were
        taken. Costs far less than `append` for each.
        """
        return self._guarded(self._append_many, records)

    def _numbered(self, n):
        if n is None:
            return self.n + 1
        if n <= self.n:
            raise ValueError("n must rise: %d comes after %d" % (n, self.n))
        return n

    def _checked(self, record):
        most = self._segments.most_bytes - entry.MOST_BYTES
        if len(record) > most:
            raise ValueError("a record of %d bytes can't fit; at most %d" % (len(record), most))
        return bytes(record)

    def _append(self, n, record):
        self._ready()
        slots = self._slots
        seq = self.last + 1
        content = entry.encode(seq, self.stream, n, record, self.floor)
        if slots.told < self.floor and not slots.is_free(len(content), self._segments.newest):
            self._mark()
        choice = slots.choose(len(content), self._segments.newest, self.floor)
        if choice is None:
            return self.last if self._pour(((n, record),)) else 0
        growth = slots.growth(choice, len(content))
        if growth > 0 and not self._room(growth + self._segments.growth):
            return self._refused(1, n)
        slots.write(choice, seq, content, self._segments.newest, self.floor)
        self.last, self.n = seq, n
        return seq

    def _append_many(self, records):
        self._ready()
        return self._pour((self._numbered(n), self._checked(record)) for n, record in records)

    def _pour(self, fresh):
        """Append to the segments what the slots hold, then `fresh`. Returns how many of these."""
        taken = refused = n = 0
        room = self._pour_slots()
        for n, record in fresh:
            room = room and self._add(self.last + 1, self.stream, n, record)
            if room:
                taken += 1
                self.last += 1
                self.n = n
            else:
                refused += 1
        self._segments.commit()
        if refused:
            self._refused(refused, n)
        return taken

    def _pour_slots(self):
        done = max(self._segments.newest, self.floor)
        for index in self._slots.live(done):
            for seq, stream, n, _, record, _ in self._slots.entries(index):
                if seq > done and not self._add(seq, stream, n, record):
                    return False
        return True

    def _add(self, seq, stream, n, record):
        """Write an entry to the last segment or to a new one; durable with the next commit."""
        segments = self._segments
        if segments.add(seq, stream, n, record, self.floor):
            return True
        segments.commit()
        if not self._room(segments.most_bytes):
            return False
        segments.begin(seq)
        return segments.add(seq, stream, n, record, self.floor)

    def has_room(self, length):
        """Would a record of `length` bytes be taken, and no other dropped for it?"""
        length += entry.MOST_BYTES + self._slots.bytes_live(max(self._segments.newest, self.floor))
        free = self._limit - self.bytes_used
        return length <= self._segments.bytes_left or free >= self._segments.most_bytes

    # ---- what goes

    def release(self, seq):
        """Everything up to and including `seq` is delivered.

        That is durable with the next record, or at once when a segment can go. Kept records are
        not written again.
        """
        self._guarded(self._release, seq)

    def sync(self, n=None):
        """Make durable what was released and, if given, that all up to `n` is safe: for a polite
        stop.
        """
        self._guarded(self._sync, n)

    def _release(self, seq):
        self._raise_floor(min(seq, self.last))
        if self._segments.files and self._segments.last_of(0) <= self.floor:
            self._ready()
            self._mark()
            self._sweep()

    def _sync(self, n):
        self._ready()
        self.n = max(self.n, n or 0)
        self._mark()

    def _raise_floor(self, seq):
        self.floor = self._holes.raised(max(self.floor, seq))

    def _sweep(self):
        """Remove the segments of which nothing is kept, and that is durable."""
        while self._segments.files and self._segments.last_of(0) <= self._safe:
            self._segments.remove_oldest()

    def _room(self, length):
        """Make sure that `length` bytes more are within the limit, or return False."""
        while length and self.bytes_used + length > self._limit:
            if self._refuse or not self._segments.files:
                return False
            before = len(self)
            self._raise_floor(self._segments.last_of(0))
            self.dropped += before - len(self)
            self._mark()  # first, so that a power cut can't make it count twice, or never
            self._sweep()
        return True

    def _refused(self, count, n):
        self.dropped += count
        self.n = n
        self._mark()
        return 0

    def _hole(self, first, last):
        """There are no records from `first` to `last` where there should be."""
        self._holes.add(first, last, self.floor)
        self._raise_floor(0)

    # ---- the flash

    def _ready(self):
        """Before anything is written: know what is there, and that nobody else writes."""
        if self._reload:
            self._load()
        if not self._claimed:
            self._mark()
            self._claimed = True
            self._load()  # what another may have written until now
        elif self._taken or self._marks.others():
            self._taken = True
            raise JournalTaken(
                "another program writes to %s; end one of the two" % self._directory.path
            )
        self._sweep()

    def _mark(self):
        """Make the floor, the counters and the stream durable."""
        self._marks.write(self.last, self.stream, self.n, self.floor, self.dropped)
        self._safe = self._slots.told = self.floor

    def _load(self):
        sizes = self._directory.sizes()
        mark, self.dropped = self._marks.load()
        last, floor = self._segments.load(sizes)
        slot, slot_floor, damaged = self._slots.load(sizes)
        floor = max(floor, slot_floor)
        self.last = self._segments.newest
        newest = last
        for found in (slot, mark):
            if found is not None:
                floor = max(floor, found[entry.FLOOR])
                if found[entry.SEQ] >= self.last:
                    newest = found
                    self.last = found[entry.SEQ]
        self.last = max(self.last, floor)
        ours = newest and newest[entry.STREAM] == self.stream
        self.n = newest[entry.N] if ours else 0
        self._raise_floor(floor)
        self._safe = self._slots.told = floor
        if not self._claimed:
            self.before = newest[entry.STREAM : entry.N + 1] if newest else (0, 0)
            self._holes.damaged = self._untold(damaged) if damaged else 0
        self._reload = False

    def _untold(self, damaged):
        """How many of so many damaged slots leave no hole in the numbers, which will be counted
        when it is met: those at the end.
        """
        done = max(self.floor, self._segments.newest)
        return max(0, damaged - (self.last - done - self._slots.count(done)))

    def _guarded(self, action, *args):
        """Call `action`; if it fails, the next call starts from what the flash holds."""
        done = False
        try:
            result = action(*args)
            done = True
            return result
        except (OSError, UnicodeError) as error:
            raise translated(error, self._directory.path)
        finally:
            if not done:
                self._segments.abandon()
                self._reload = True
