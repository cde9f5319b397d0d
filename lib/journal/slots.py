"""The short files of a journal: where a record is durable first.

LittleFS keeps a file of at most `inline` bytes inside of its directory, where writing it costs a
fraction of a block. A slot takes records until it is `group` bytes long, or one that is longer. It
is free to be written anew once all its records are in a segment, or released and the flash says
so: on FAT a power cut can leave nothing of what was there and nothing of what comes.
"""

from . import entry

_SLOTS = 12
_SUFFIX = ".j1"
_FIRST, _LAST, _SIZE = 0, 1, 2


def name_of(index):
    return "s%d" % index + _SUFFIX


class Slots:
    """`files` is [[first number, last number, bytes]], one a slot, all 0 while it is empty.

    `told` is the floor that the flash knows of; `poured`, an argument of most methods, the highest
    number in the segments. What is up to either may go.
    """

    def __init__(self, directory, inline, budget=850, slots=_SLOTS, group=None):
        self.inline = inline
        self._group = min(inline, 224) * 7 // 8 if group is None else group
        self._budget = budget
        self._directory = directory
        self.files = [[0, 0, 0] for _ in range(slots)]
        self._current = None  # the index of the slot written last
        self.told = 0

    def load(self, sizes):
        """Learn from {name: bytes} what there is, and read it. Returns the newest entry or None,
        the highest floor, and how many slots are damaged.
        """
        newest = None
        floor = damaged = 0
        self._current = None
        for index, slot in enumerate(self.files):
            slot[:] = (0, 0, sizes.get(name_of(index), 0))
            end = 0
            for read in self.entries(index):
                slot[_FIRST] = slot[_FIRST] or read[entry.SEQ]  # pyright: ignore
                slot[_LAST] = read[entry.SEQ]  # pyright: ignore
                end = read[entry.NEXT]
                floor = max(floor, read[entry.FLOOR])
                if newest is None or read[entry.SEQ] > newest[entry.SEQ]:
                    newest = read
            damaged += end < slot[_SIZE]
        return newest, floor, damaged

    def entries(self, index):
        """Yield the entries of a slot."""
        size = self.files[index][_SIZE]
        if not size:
            return
        with self._directory.open(name_of(index), "rb") as file:
            at = 0
            last = None
            while True:
                last = entry.first(file, at, size, last)
                if last is None:
                    return
                at = last[entry.NEXT]
                if last[entry.FLOOR] is not None:
                    yield last

    def live(self, above):
        """The indices of the slots with numbers above `above`, oldest first."""
        live = [(slot[_FIRST], i) for i, slot in enumerate(self.files) if slot[_LAST] > above]
        live.sort()
        return [index for _, index in live]

    def bytes_live(self, above):
        """Bytes of the slots with numbers above `above`."""
        return sum([slot[_SIZE] for slot in self.files if slot[_LAST] > above])

    def count(self, above):
        """How many entries with numbers above `above` can be read."""
        found = 0
        for index in self.live(above):
            found += sum([read[entry.SEQ] > above for read in self.entries(index)])
        return found

    def is_free(self, length, poured):
        """Is there a slot to write anew, and room for `length` bytes beside what must stay?"""
        done = max(poured, self.told)
        oldest = min([slot[_LAST] for slot in self.files])
        return oldest <= done and self.bytes_live(done) + length <= self._budget

    def choose(self, length, poured, floor):
        """(index, mode) of the slot for an entry of `length` bytes, or None if the slots are to be
        emptied first.
        """
        above = max(poured, floor)
        if self.bytes_live(above) + length > self._budget:
            return None
        current = self._current
        if current is not None:
            slot = self.files[current]
            if slot[_LAST] > above and slot[_SIZE] + length <= self._group:
                return current, "ab"
        done = max(poured, self.told)
        for index, slot in enumerate(self.files):
            if slot[_LAST] <= done:
                return index, "wb"
        return None

    def growth(self, choice, length):
        """How many bytes of blocks an entry of `length` bytes will take there in addition."""
        size = self.files[choice[0]][_SIZE]
        return self._blocks(length + (size if choice[1] == "ab" else 0)) - self._blocks(size)

    @property
    def bytes_used(self):
        """Of flash, in whole blocks, beside the directory's own."""
        return sum([self._blocks(slot[_SIZE]) for slot in self.files])

    def _blocks(self, size):
        return self._directory.occupied(size) if size > self.inline else 0

    def write(self, choice, seq, content, poured, floor):
        """Make an entry durable that carries `floor`."""
        index, mode = choice
        self._make_room(index, len(content), poured)
        self._directory.write(name_of(index), content, mode)
        slot = self.files[index]
        if mode == "wb":
            slot[_FIRST] = seq
            slot[_SIZE] = 0
        slot[_LAST] = seq
        slot[_SIZE] += len(content)
        self._current = index
        self.told = floor

    def _make_room(self, chosen, length, poured):
        """Remove old content while there is too much of it: LittleFS splits a directory that grows
        beyond half a block, and never joins it again.
        """
        total = length + sum([s[_SIZE] for i, s in enumerate(self.files) if i != chosen])
        for index, slot in enumerate(self.files):
            if total <= self._budget:
                return
            if index != chosen and slot[_SIZE] and slot[_LAST] <= max(poured, self.told):
                self._directory.remove(name_of(index))
                total -= slot[_SIZE]
                slot[_SIZE] = 0
