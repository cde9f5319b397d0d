"""Prints what a way of keeping records costs the flash, as JSON: programmed bytes a byte of
payload, erases a thousand records, and the least share of the occupied blocks that is payload.
"""

import json
import os

from counting_flash import BLOCK, QUEUE, free_blocks, inline, mounted

from journal import Journal

LIMIT = 65536
BLOCKS = 64
GROUP = 20  # records that are spilled together


class Always:
    """Each record made durable as it comes, nothing delivered: a full queue drops its oldest."""

    group = 1

    def __init__(self, program):
        self.journal = Journal(QUEUE, LIMIT, inline=inline(program))

    def put(self, record):
        self.journal.append(record)

    def full(self):
        return self.journal.dropped

    def kept(self, size):
        """Bytes of payload in the queue."""
        return len(self.journal) * size


class Acked(Always):
    """The same with the link up: each is released at once."""

    def put(self, record):
        self.journal.release(self.journal.append(record))

    def full(self):
        return True


class Spill(Always):
    """Nothing delivered, records made durable in groups."""

    group = GROUP

    def put(self, record):
        n = self.journal.n
        self.journal.append_many((n + i, record) for i in range(1, GROUP + 1))


class Line:
    """The first baseline: a line appended to one file and flushed, a new file at the limit."""

    group = 1

    def __init__(self, program):
        self._bytes = LIMIT
        self._open = None

    def put(self, record):
        if self._bytes + len(record) > LIMIT:
            if self._open:
                self._open.close()
            self._open = open(QUEUE + "/lines", "wb")
            self._bytes = 0
        self._open.write(record)
        self._open.flush()
        self._bytes += len(record)

    def full(self):
        return True

    def kept(self, size):
        return self._bytes


class BTree:
    """The second baseline: MicroPython's database, the oldest deleted at the limit."""

    group = 1

    def __init__(self, program):
        import btree

        self._file = open(QUEUE + "/db", "w+b")
        self._db = btree.open(self._file, pagesize=512)
        self._first = self._next = 1

    def put(self, record):
        self._db[b"%08x" % self._next] = record
        self._next += 1
        if self.kept(len(record)) > LIMIT * 3 // 4:
            del self._db[b"%08x" % self._first]
            self._first += 1
        self._db.flush()

    def full(self):
        return self._first > 1

    def kept(self, size):
        return (self._next - self._first) * size


def measure(way, program, size, count):
    flash = mounted(BLOCKS, program)
    free = free_blocks() + 2  # the directory's own two count
    queue = way(program)
    record = b"x" * size
    while not queue.full():
        queue.put(record)
    flash.forget()
    least = 1
    rounds = count // queue.group
    for i in range(rounds):
        queue.put(record)
        if i % 7 == 0:
            least = min(least, queue.kept(size) / ((free - free_blocks()) * BLOCK))
    done = rounds * queue.group
    return {
        "programmed": flash.programmed / (done * size), "erases": flash.erased * 1000 / done,
        "payload": least,
    }


print(json.dumps(measure(
    globals()[os.getenv("WAY")], int(os.getenv("PROGRAM")), int(os.getenv("SIZE")),
    int(os.getenv("COUNT")),
)))
