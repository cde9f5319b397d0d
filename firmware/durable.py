"""The outbox that survives: RAM before a journal in flash.

    put() -> RAM --------- taken while it is fresh ---------> take() -> Message -> done()
              |                                                 ^
              +--- flash -- the backlog, oldest first ----------+

`"always"`: a reading is in the flash too when `put` returns; RAM saves reading it back.
`"spill"`: RAM alone while all goes well.

    CALM: RAM  -- the oldest of them is older than `spill_after_ms`,
      ^           or than 10 s while the link is down,                   -->  SPILL: all of RAM
      |           or the RAM is three quarters full, or this life ends            to flash
      +---------------------------------------------------------------------------+

Both leave the flash alone in steady operation but for what `always` says. Where the flash fails
(`firmware/flash.py`), the RAM drops its oldest as an outbox without flash does.

`oldest_first`: the backlog goes first, but every fourth send is for the fresh, and every second
one when they have waited `max_age_ms`. `newest_first`: the fresh go first.
"""

import asyncio

from micropython import const

from . import reading
from .backlog import FROM_FLASH, Backlog
from .log import log
from .outbox import Outbox

_DOWN_MS = const(10_000)
_STEP = const(24)  # readings that are written without a break
_FRESH_EVERY = const(4)
_TICK_MS = const(1_000)
_MOST_SPANS = const(16)


class DurableOutbox(Outbox):
    """`parts` are an Outbox's, `described` what an encoder is made with beside channels and
    stream.

    Memory: the RAM queue's, the buffers, what an open journal takes; nothing a reading.
    """

    session = None  # `once.Session`, if the link's must outlive a reset

    def __init__(self, parts, flash, lives, described):
        Outbox.__init__(self, *parts)
        self.always = self.newest_first = False
        self.refuse = False  # the newest when all is full, in place of dropping the oldest
        self.refused = 0
        self.spill_after_ms = 120_000
        self._online = False  # somebody asks what is due
        self.flash = flash
        self._described = described
        self.free = self._free
        self.values = self._values
        self._lives = lives
        self.sampled = self.acked = self._taken = flash.journal.n  # above 0 after a deep sleep
        self._written = self.sampled  # readings up to it are in flash, or were delivered before
        self._spans = []  # [first, last, offset]: readings in flash; there they count from higher
        self._goal = 0  # what is in RAM up to this number is to go to flash
        self._turn = 0  # messages of the backlog since one of the fresh
        self.backlog = Backlog(self, flash, lives, self._edge)

    def __len__(self):
        """Readings that are not delivered yet."""
        if not self.flash.there():
            return len(self._queue)
        both = max(0, self._written + 1 - self._oldest())
        return len(self._queue) - both + len(self.backlog)

    @property
    def dropped(self):
        """Readings that found no room, or had to make it and were never delivered."""
        spared = self._spared
        for message, _, done in self._out:
            if done:
                spared += self._gone(message)
        from_ram = self._queue.dropped - spared
        from_flash = self.flash.journal.dropped - self.flash.dropped_before - self.backlog.spared
        return from_ram + from_flash + self.backlog.lost + self.refused

    def encoder_of(self, channels, stream):
        """An encoder for a life with other channels."""
        return type(self.encoder)(channels, stream, *self._described)

    def health(self):
        """What health says of the flash: readings "queued" there, "bytes" of blocks, "dropped" and
        "damaged" readings since the journal was begun and since the start, and how often a read or
        write was "starved" of memory.
        """
        journal = self.flash.journal
        return {
            "queued": len(self.backlog),
            "bytes": journal.bytes_used,
            "dropped": journal.dropped,
            "damaged": journal.damaged,
            "starved": self.flash.starved,
        }

    # ---- in

    def put(self, due_ms, values, unix_ms=None):
        """As an Outbox's; allocates when it writes to flash."""
        length = reading.pack_into(self._record, due_ms, values, unix_ms)
        room = self._make_room(length + 2)
        if self.refuse and not (room and (not self.always or self._takes(length))):
            self.refused += 1
            return None
        self.sampled = number = self._queue.append(self._record, length)
        if self.always:
            self._store(number, memoryview(self._record)[:length])
        self.changed.set()
        return number

    def _make_room(self, length):
        """Move the oldest out of RAM until so many bytes are free; False if they can't be."""
        while not self._queue.room(length):
            if not self._move():
                return False
        return True

    def _takes(self, length):
        """Does the flash take so many bytes more without dropping what it must not?"""
        if not self.refuse or not self.flash.works():
            return True
        return self.flash.journal.has_room(length)

    # ---- to flash

    async def run(self, vitals):
        """Move readings to flash when their time has come, a few at a time."""
        while True:
            wait = self._spill_in()
            if wait == 0 and not self._step():
                wait = _TICK_MS
            if self._spans:
                self._tell()
            vitals.within("outbox", wait)
            await asyncio.sleep_ms(wait)

    def close(self):
        """This life ends: move everything to flash, and return how many readings end with it."""
        self.rewind()
        while self._step():
            pass
        if self._spans:
            self._tell()
        safe = max(self._written, self._oldest() - 1)
        self.flash.sync(safe)
        lost = self.sampled - safe
        if len(self) > lost:
            log("outbox", "%d readings were not delivered; flash keeps them" % (len(self) - lost))
        return lost

    def _spill_in(self):
        """Milliseconds until readings in RAM should be in flash too, at most _TICK_MS."""
        oldest = max(self._written + 1, self._oldest())
        if oldest > self.sampled or not self.flash.works():
            return _TICK_MS
        if self.always or oldest <= self._goal:
            return 0
        after = self.spill_after_ms if self._online else min(_DOWN_MS, self.spill_after_ms)
        _, record = next(self._queue.pending())
        wait = reading.due_ms(record) + after - self._clock.now()
        if wait > 0:
            return min(wait, _TICK_MS)
        self._goal = self.sampled  # all of them, so that one write serves many
        return 0

    def _step(self):
        """Bring a few more readings to flash; False if there are none, or it fails."""
        if not self.always:
            return self._move()
        first = max(self._written + 1, self._oldest())
        return first <= self.sampled and self._store(min(self.sampled, first + _STEP - 1))

    def _move(self):
        """Move the oldest few out of RAM; False if there are none, or it fails."""
        first = self._oldest()
        last = min(self.sampled, max(first - 1, self._written) + _STEP)
        if first > last or not self._store(last):
            return False
        last = self.session.whole(last) if self.session else last
        self._queue.release(last)
        self._taken = max(self._taken, last)
        return True

    def _store(self, last, record=None):
        """Make readings durable up to the number `last`, whose `record` may be given."""
        flash = self.flash
        if not flash.works():
            return False
        journal = flash.journal
        if journal.n > self._written:  # a write that failed has left them there all the same
            self._note(self._written + 1, journal.n)
        first = max(self._written + 1, self._oldest())
        if first > last:
            return True
        count = last - first + 1
        if not self._takes(count * len(self._record)):
            return False
        self._tell()
        if self.session:
            self.session.save(soon=True)
        one = record is not None and count == 1
        taken = flash.write(((last, record),) if one else self._between(first, last), count)
        if taken:
            self._note(first, first + taken - 1)
        if taken is None:
            return False
        self._written = last  # also those that the journal has refused, and counted
        return True

    def _between(self, first, last):
        for number, record in self._queue.pending(first - 1):
            if number > last:
                return
            yield number, record

    def _note(self, first, last):
        """These readings are the newest in flash."""
        offset = self.flash.journal.last - last
        self._written = last
        spans = self._spans
        if spans and spans[-1][1] == first - 1 and spans[-1][2] == offset:
            spans[-1][1] = last
            return
        spans.append([first, last, offset])
        if len(spans) > _MOST_SPANS:
            spans.pop(1)  # the first one bounds `acked`

    def _tell(self):
        """Write down what is needed to understand this life's readings after it."""
        try:
            self._lives.tell(alone=not len(self.backlog))
        except (OSError, MemoryError):
            pass  # the journal will say what is wrong

    # ---- out

    def due_in(self):
        self._online = True
        if self._free and self.backlog.ready():
            return 0
        due, again = Outbox.due_in(self), self.backlog.ready_in() if self._free else None
        return again if due is None else due if again is None else min(due, again)

    def take(self):
        fresh = Outbox.due_in(self) == 0
        if fresh and (self._turn_of_the_fresh() or not self.backlog.ready()):
            self._turn = 0
            self.encoder.stream(self.flash.journal.stream)
            return Outbox.take(self)
        self._turn += 1
        return self.backlog.take()

    def _turn_of_the_fresh(self):
        if self.newest_first or self._turn >= _FRESH_EVERY - 1:
            return True
        waited = self._clock.now() - reading.due_ms(self._peek()[1])
        return self._turn > 0 and waited >= self.max_age_ms

    # ---- back

    def done(self, message):
        before = [entry[0] for entry in self._out]
        if message in before:
            Outbox.done(self, message)
            for gone in before[: len(before) - len(self._out)]:
                self._deliver_in_flash(gone.first, gone.last)
        else:
            self.backlog.done(message)
            self.changed.set()
        self._settle()

    def rewind(self, owed=()):
        oldest = self._oldest()
        for message, _, done in self._out:
            if done:
                self._deliver_in_flash(message.first, min(message.last, oldest - 1))
        Outbox.rewind(self, [pair for pair in owed if oldest <= pair[0] < FROM_FLASH])
        self._online = False
        self._taken = oldest - 1
        self.backlog.rewind([self._in_flash(*pair) for pair in owed if self._in_flash(*pair)])
        self._settle()

    def _deliver_in_flash(self, first, last):
        for start, end, offset in self._spans:
            if start <= last and end >= first:
                self.backlog.deliver(max(first, start) + offset, min(last, end) + offset)

    def has(self, first, last):
        """Are any of these readings here that are not delivered?"""
        if self._oldest() <= last < FROM_FLASH:
            return True
        place = self.place(first, last)
        return place is not None and self.backlog.undelivered(place) <= place + last - first

    def place(self, first, last, soon=False):
        """The number that a message's first reading has in flash, or gets there if it is written
        `soon`, else None.
        """
        if first >= FROM_FLASH:
            return first - FROM_FLASH
        for start, end, offset in self._spans:
            if start <= first <= end:
                return first + offset
        stored = max(self._written, self._oldest() - 1)
        return first + self.flash.journal.last - stored if soon and first > stored else None

    def _in_flash(self, first, last):
        """(first, last) there of a message that is made from there again, else None."""
        if first >= FROM_FLASH:
            return first - FROM_FLASH, last - FROM_FLASH
        for start, end, offset in self._spans:
            if start <= first and last <= min(end, self._oldest() - 1):
                return first + offset, last + offset
        return None

    def _gone(self, message):
        """What went to flash is not gone."""
        first = max(message.first, self._written + 1)
        return max(0, min(message.last + 1, self._oldest()) - first)

    def _claimed(self):
        """The first reading that is under way from RAM, or in it."""
        return self._out[0][0].first if self._out else self._oldest()

    def _edge(self):
        claimed = self._claimed()
        for first, last, offset in self._spans:
            if last >= claimed:
                return max(first, claimed) + offset
        return None

    def _settle(self):
        """Forget the spans that are done with, and see up to where everything is delivered."""
        claimed = self._claimed()
        self.acked = claimed - 1
        if not self._spans:
            return
        floor = self.backlog.floor
        self._spans = [s for s in self._spans if s[1] >= claimed or s[1] + s[2] > floor]
        for first, last, offset in self._spans:
            open_ = self.backlog.undelivered(first + offset) - offset
            if open_ <= last:
                self.acked = min(self.acked, open_ - 1)
                return
