"""What waits in the flash, on its way out: an outbox over the journal.

Its numbers are the journal's; each record also has the stream and the number that it was born
with. A message holds readings of one life, encoded and dated as that life would have.

    journal -> _peek() -> take() -> Message -> done(message) -> deliver() -> journal.release()
                  ^------- rewind(), but for what is delivered -----'
"""

from journal.delivered import Delivered

from . import reading
from .log import log
from .outbox import Outbox

FROM_FLASH = 1 << 28
"""Added to the numbers of a message of earlier lives: a reading of ours might have the same."""


class Backlog(Outbox):
    """`box` is the outbox whose buffers, encoder and batch are used. `edge()` gives the lowest
    number that it still answers for itself, or None: what is in RAM too, or under way from there.

    Memory: nothing a record; those of one handful while it is read.
    """

    def __init__(self, box, flash, lives, edge):
        self._box = box
        self._flash = flash
        self._journal = flash.journal
        self._lives = lives
        self._edge = edge
        self._free = box.free
        self.message_bytes = box.message_bytes
        self.encoder = box.encoder
        self._life = self._stream = None  # that `encoder` and `_values` are for
        self._values = []
        self._begun = None  # (stream, next number) of the message that is being written
        self._out = []  # [message, its buffer, its first number, its last] under way
        self.delivered = Delivered(self._journal.floor)
        self.spared = 0  # were dropped while they were under way, and arrived
        self.lost = 0  # can't be read by this firmware
        self.rewind()

    def __len__(self):
        """Readings that are not delivered."""
        return self._journal.last - self.floor - len(self.delivered)

    @property
    def last(self):
        """The newest number."""
        return self._journal.last

    @property
    def floor(self):
        """Everything up to this number is delivered or dropped."""
        self.delivered.raise_floor(self._journal.floor)
        return self.delivered.floor

    def undelivered(self, number):
        """The first from `number` on that is not delivered."""
        return self.delivered.next(max(number - 1, self.floor))

    @property
    def batch(self):
        return self._box.batch

    def ready_in(self):
        """Milliseconds until a read that has failed is tried again, None if none is to be."""
        return self._flash.read_in() if len(self) else None

    def ready(self):
        """Is there a reading to send?"""
        return self._peek() is not None

    def take(self):
        """A message of this life has the numbers that its readings have, wherever they are: a link
        may go on with one that was under way from RAM.
        """
        encoder = self.encoder
        stream, n = self._peek()[1:3]
        self._begun = None
        message = Outbox.take(self)
        if not encoder.count:
            log("backlog", "a reading is too long for limits.message_bytes; it is left out")
            self.lost += 1
            self._taken = message.last = message.first
        self._out[-1][2:] = message.first, message.last
        moved = n - message.first if stream == self._journal.stream else FROM_FLASH
        message.first += moved
        message.last += moved
        return message

    def done(self, message):
        for entry in self._out:
            if entry[0] is message:
                self._out.remove(entry)
                self._free.append(entry[1])
                self.deliver(entry[2], entry[3])
                return

    def deliver(self, first, last):
        """The peer has taken responsibility for these numbers."""
        self.spared += max(0, min(last, self._journal.floor) - max(first, self._released + 1) + 1)
        self.delivered.add(first, last)
        if self.floor > self._released:
            self._released = self.floor
            self._flash.release(self.floor)

    def rewind(self, owed=()):
        """Nothing is under way any more: what is not delivered will be taken again."""
        self._owed = sorted(owed)
        for entry in self._out:
            self._free.append(entry[1])
        self._out = []
        self._taken = 0
        self._released = self.floor
        self._next = None
        self._records = iter(())

    def _peek(self):
        """The first (number, stream, n, record) that is neither delivered nor under way, or
        None.
        """
        if self._next and self._next[0] <= self._journal.floor:
            self._next = None  # dropped to make room
        while self._next is None and self._flash.there():
            wanted = self.undelivered(self._taken + 1)
            end = self._edge() or self._journal.last + 1
            found = self._find(wanted) if wanted < end else None
            if found and found[0] > wanted:  # those between are damaged, or dropped
                self.delivered.add(wanted, found[0] - 1)
            if found is None or found[0] >= end:
                break
            if self._fits(found):
                self._next = found
            else:
                self.lost += 1
                self.deliver(found[0], found[0])
        return self._next

    def _find(self, wanted):
        """The first record from number `wanted` on."""
        found = self._flash.next(self._records)
        if found is None or found[0] != wanted:
            self._records = self._journal.entries(wanted - 1)
            found = self._flash.next(self._records)
        return found

    def _fits(self, found):
        """Is a record one of the life that it says? Turns to that life."""
        _, stream, _, packed = found
        if stream != self._stream:
            self._turn_to(stream)
        ends = 0  # of varints
        for i in range(1, len(packed)):
            ends += packed[i] < 0x80
        return ends == len(self._values) + 1 + (packed[0] & 1) and packed[-1] < 0x80

    def _turn_to(self, stream):
        self._stream = stream
        self._life = self._lives.find(stream)
        box, channels = self._box, self._life.channels
        self.encoder = box.encoder_of(channels, stream) if channels else box.encoder
        self._values = [None] * len(channels or box.values)

    def _add(self, record):
        number, stream, n, packed = record
        if self._begun is None:
            self.encoder.stream(stream)
        elif self._begun != (stream, number):
            return False
        self._begun = (stream, number + 1)
        due_ms, unix_ms = reading.unpack_into(packed, self._values)
        if unix_ms is None:
            unix_ms = self._lives.unix_ms(self._life, due_ms)
        return self.encoder.add(n, (unix_ms, due_ms), self._values)
