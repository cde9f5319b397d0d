"""A bounded queue of byte records in RAM, numbered like a journal's.

The memory is one bytearray, allocated when the queue is made:

    |  free  | len  record | len  record | ... | free |
              ^ tail (oldest)                   ^ head

`len` is two bytes, big-endian. A record is never split: one that does not fit behind `head` goes
to the start of the memory, and what it left behind is skipped (`_WRAP` marks it where two bytes
are left to hold the mark).

The interface is the flash journal's, so that either can stand behind the outbox.
"""

try:
    from micropython import const
except ImportError:

    def const(value):  # CPython
        return value


_WRAP = const(0xFFFF)


class RingQueue:
    """Holds records of at most `limit_bytes` in all, counting two bytes a record for its length.

    Numbers start at 1 and rise by one an append. When the queue is full the oldest records make
    room; a record that was dropped keeps its number, so that whoever receives the others sees the
    gap, and `dropped` counts them.
    """

    def __init__(self, limit_bytes):
        self._memory = bytearray(limit_bytes)
        self._head = self._tail = 0
        self.next = 1  # the number of the next record
        self._count = 0
        self.bytes_used = 0
        self.dropped = 0

    def __len__(self):
        return self._count

    def append(self, record, length=None):
        """Store a copy of `record` (or of its first `length` bytes) and return its number.
        Allocates nothing.

        Raises ValueError for a record that could never fit.
        """
        if length is None:
            length = len(record)
        size = length + 2
        memory = self._memory
        if size > len(memory) or length >= _WRAP:
            raise ValueError(
                "a record of %d bytes can't fit a queue of %d" % (length, len(memory))
            )
        while not self.room(size):
            self._remove_oldest()
            self.dropped += 1
        at = self._head
        memory[at] = length >> 8
        memory[at + 1] = length & 0xFF
        for i in range(length):  # a slice would allocate
            memory[at + 2 + i] = record[i]
        self._head = at + size
        self._count += 1
        self.bytes_used += size
        self.next += 1
        return self.next - 1

    def pending(self, after=0):
        """Yield (number, record as a memoryview) of every record above `after`, oldest first.

        Appends, drops and releases may happen in between. A record's bytes stay valid until it is
        dropped or released.
        """
        view = memoryview(self._memory)
        number = self.next - self._count
        at = self._tail
        while True:
            oldest = self.next - self._count
            if number <= oldest:  # what was next was dropped or released, or the memory begun anew
                number = oldest
                at = self._tail
            if number >= self.next:
                return
            at = self._start(at)
            length = view[at] << 8 | view[at + 1]
            if number > after:
                yield number, view[at + 2 : at + 2 + length]
            number += 1
            at += 2 + length

    def release(self, number):
        """Forget every record up to and including `number`: they are delivered."""
        while self._count and self.next - self._count <= number:
            self._remove_oldest()

    def _remove_oldest(self):
        at = self._start(self._tail)
        size = 2 + (self._memory[at] << 8 | self._memory[at + 1])
        self._tail = at + size
        self._count -= 1
        self.bytes_used -= size

    def _start(self, at):
        """Where the record begins that stands at `at` or, if the memory was wrapped there, at
        0.
        """
        left = len(self._memory) - at
        if left < 2 or self._memory[at] << 8 | self._memory[at + 1] == _WRAP:
            return 0
        return at

    def room(self, size):
        """Point `head` at `size` free bytes, two of them for the length, or return False."""
        if not self._count:
            self._head = self._tail = 0
        elif self._head <= self._tail:  # wrapped (equal: full)
            return self._tail - self._head >= size
        left = len(self._memory) - self._head
        if left >= size:
            return True
        if self._tail < size:
            return False
        if left >= 2:
            self._memory[self._head] = self._memory[self._head + 1] = 0xFF
        self._head = 0
        return True
