"""The outbox: readings wait here until the peer has taken responsibility for them.

    put(due, values) -> queue -> take() -> Message -> done(message) -> forgotten
                          ^---- rewind(): the connection is gone, everything not done is sent again

A message leaves once `batch` readings wait, the oldest has waited `max_age_ms`, or `flush` is
set; it holds as many of them as fit `message_bytes`, never part of one. This is all of
`"durability": "ram"`; `firmware/durable.py` adds the flash.
"""

from wake import Wake

from . import reading
from .links import Message


class Outbox:
    """`messages` is how many may be under way at once (the link's window).

    `queue` has the journal's interface. Memory: the queue's, `messages` buffers of
    `message_bytes`, one record.
    """

    flash = None

    def __init__(self, queue, encoder, channels, clock, message_bytes, messages=1):
        self.batch = 1
        self.max_age_ms = 60_000
        self.flush = False  # send at once whatever waits
        self.sampled = 0  # the last number put
        self.acked = 0  # the last number delivered, all before it delivered or dropped
        self._queue = queue
        self.encoder = encoder
        self._clock = clock
        self.message_bytes = message_bytes
        self._record = bytearray(reading.most_bytes(channels))
        self._values = [None] * channels
        self._free = [bytearray(message_bytes + 1) for _ in range(messages)]
        self._out = []  # [message, its buffer, done] under way, oldest first
        self._owed = []  # (first, last) of messages to be made as they were
        self._taken = 0  # the last number that went into a message
        self._next = None  # the record after it, (number, memoryview), when known
        self._records = iter(())
        self._spared = 0  # readings that were under way when the queue dropped them, and arrived
        self.changed = Wake()  # there may be something to send, or room

    def __len__(self):
        """Readings that are not delivered yet."""
        return len(self._queue)

    @property
    def dropped(self):
        """Readings that had to make room and were never delivered."""
        spared = self._spared
        for message, _, done in self._out:
            if done:
                spared += self._gone(message)
        return self._queue.dropped - spared

    def put(self, due_ms, values, unix_ms=None):
        """Queue a reading and return its number. Allocates nothing.

        `due_ms` is uptime, `values` a scaled integer or None a channel, `unix_ms` a recorded time
        that overrides.
        """
        length = reading.pack_into(self._record, due_ms, values, unix_ms)
        self.sampled = self._queue.append(self._record, length)
        self.changed.set()
        return self.sampled

    def due_in(self):
        """Milliseconds until a message should leave: 0 is now, None when there is none to send."""
        record = self._peek()
        if record is None or not self._free:
            return None
        if self.flush or self._owed or self.sampled - record[0] + 1 >= self.batch:
            return 0
        return max(0, reading.due_ms(record[1]) + self.max_age_ms - self._clock.now())

    def take(self):
        """Return the next Message; it is under way until `done` or `rewind`. Call it when
        `due_in` says 0.
        """
        buffer = self._free.pop()
        encoder = self.encoder
        encoder.begin(buffer, self.message_bytes)
        first = last = self._peek()[0]
        for _ in range(self._count(first)):
            record = self._peek()
            if record is None or not self._add(record):
                break
            last = self._taken = record[0]
            self._next = None
        start, end = encoder.finish()
        if first + encoder.count <= last:  # not all of them fitted
            last = self._taken = first + encoder.count - 1
            self._next = None
            self._records = iter(())
        message = Message("data", memoryview(buffer)[start:end], first, last)
        self._out.append([message, buffer, False])
        return message

    def _count(self, first):
        """How many readings go into the message that begins with number `first`, at most."""
        count = self.batch
        while self._owed and self._owed[0][0] <= first:
            last = self._owed.pop(0)[1]
            if last >= first:  # else the queue has dropped it
                return last - first + 1
        return min(count, self._owed[0][0] - first) if self._owed else count

    def done(self, message):
        """The peer has taken responsibility for `message`."""
        for entry in self._out:
            if entry[0] is message:
                entry[2] = True
        while self._out and self._out[0][2]:
            message, buffer, _ = self._out.pop(0)
            self._spared += self._gone(message)
            self._free.append(buffer)
            self._queue.release(message.last)
            self.acked = message.last
        self.changed.set()

    def rewind(self, owed=()):
        """Nothing is under way any more: what is not acknowledged will be taken again, and with it
        what was acknowledged before its turn. `owed` are (first, last) of messages that the peer
        may have already: they are made of the same readings again.
        """
        self._owed = list(owed)
        for message, buffer, done in self._out:
            self._free.append(buffer)
            if done:
                self._spared += self._gone(message)
        self._out = []
        self._taken = self.acked
        self._next = None
        self._records = iter(())

    def _gone(self, message):
        """How many of a message's readings the queue dropped while it was under way."""
        return max(0, min(message.last + 1, self._oldest()) - message.first)

    def _oldest(self):
        return self.sampled - len(self._queue) + 1

    def _peek(self):
        """The first (number, record) that is in no message yet, or None."""
        if self._next and self._next[0] < self._oldest():
            self._next = None  # dropped to make room
        if self._next is None:
            self._next = next(self._records, None)
            if self._next is None and self._taken < self.sampled:
                self._records = self._queue.pending(self._taken)
                self._next = next(self._records, None)
        return self._next

    def _add(self, record):
        number, packed = record
        due_ms, unix_ms = reading.unpack_into(packed, self._values)
        if unix_ms is None:
            unix_ms = self._clock.unix_ms(due_ms)
        return self.encoder.add(number, (unix_ms, due_ms), self._values)
