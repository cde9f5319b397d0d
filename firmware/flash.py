"""The journal as the outbox sees it: what fails there is one line in the log, and the app goes on
in RAM.

            a write failed                a read failed, another program writes too
    WORKING --------------> READABLE -----------------------------------------------> GONE
       ^                       |                                                       ^
       +-----------------------+ a write, tried every minute, succeeds                 |
    (start) --- there is no journal to be had -----------------------------------------+

While it is READABLE what waits in the flash is still delivered; GONE lasts until the next start.

A read or write for which memory is short changes no state: it is counted, told once, and tried
again until it succeeds, a write with the next reading, a read after a second. What is in the flash
stays there.
"""

import os

from micropython import const

from journal import Journal, JournalError, JournalTaken
from journal.errors import translated

from .log import log

_WORKING = const(0)
_READABLE = const(1)
_GONE = const(2)

_EEXIST = const(17)
_RETRY_MS = const(60_000)
_STARVED_MS = const(1_000)
_FEW = const(6)  # records that cost less one by one than together
_LEAST_KB = const(40)  # that a journal takes
_LEAST = const(64)  # bytes read at a time: a single entry


class Flash:
    """`options` are the config's; `n` is the stream's last number, above 0 after a deep sleep.
    What fails is told by the birth too, at once if there is an `uplink`. `starved` counts what
    failed because memory was short.
    """

    def __init__(self, directory, options, identity, clock, n=0):
        self.directory = directory
        self.uplink = None  # made after us, and set then
        self._identity = identity
        self._durability = options["durability"]
        self._clock = clock
        self._retry_ms = 0
        self._read_ms = 0  # reading is not tried before
        self._more_ms = 0  # nor more at a time
        self.starved = 0
        self._short = set()  # "read", "write": what fails for want of memory
        self._set(_WORKING, None)
        self.journal = None
        try:
            _make(directory)
            limit = max(options["limit_kb"], _LEAST_KB) * 1024
            refuse = options["when_full"] == "drop_newest"
            give_way = "refuse_newest" if refuse else "drop_oldest"
            self.journal = Journal(directory, limit, identity.stream, give_way, n=n)
        except (JournalError, ValueError) as error:
            self._failed(error, _GONE)
        self.dropped_before = self.journal.dropped if self.journal else 0

    def there(self):
        """Can what waits in the flash be read?"""
        return self._state != _GONE

    def works(self):
        """Can it be written? Tried again now and then when it could not."""
        if self._state == _READABLE and self._clock.now() >= self._retry_ms:
            self._retry_ms = self._clock.now() + _RETRY_MS
            if self._done(self.journal.sync):
                self._set(_WORKING, None)
                log("flash", "%s can be written again" % self.directory)
        return self._state == _WORKING and ("write" not in self._short or self._done(self._look))

    def _look(self):
        """After a write that had too little memory: makes the journal see what of it is there."""
        next(self.journal.entries(self.journal.last), None)

    def write(self, records, count):
        """Make durable `count` records [(n, record)], and return how many of them the journal has
        taken; None if it failed.
        """
        try:
            taken = self._append(records, count)
            self._enough("write")
            return taken
        except JournalError as error:
            self._failed(error, _READABLE)
        except MemoryError:
            self._starve("write", "going on in RAM")
        return None

    def _append(self, records, count):
        if count > _FEW:
            return self.journal.append_many(records)
        taken = 0
        for n, record in records:
            taken += self.journal.append(record, None, n) > 0
        return taken

    def release(self, seq):
        """Everything up to `seq` is delivered."""
        if self._state == _WORKING:
            self._done(self.journal.release, seq)

    def sync(self, n):
        """Everything up to `n` is safe; say so for the next life."""
        if self.works():
            self._done(self.journal.sync, n)

    def _done(self, write, *number):
        try:
            write(*number)
            return True
        except JournalError as error:
            self._failed(error, _READABLE)
        except MemoryError:
            self._starve("write", "going on in RAM")
        return False

    def next(self, entries):
        """The next of `journal.entries()`, or None; also None until `read_in()` is over."""
        if self._clock.now() < self._read_ms:
            return None
        try:
            found = next(entries, None)
            if found:
                self._enough("read")
                self._more_at_a_time()
            return found
        except JournalError as error:
            self._failed(error, _GONE)
        except MemoryError:
            self._starve("read", "it stays there")
        return None

    def read_in(self):
        """Milliseconds until a read that has failed is tried again, None if none is to be."""
        if "read" not in self._short or not self.there():
            return None
        return max(1, self._read_ms - self._clock.now())

    def _starve(self, what, until):
        """A read or a write had too little memory: fewer are read at a time."""
        self.starved += 1
        if what == "read":
            if self.journal.handful == _LEAST:
                self._read_ms = self._clock.now() + _STARVED_MS
            self.journal.handful = max(_LEAST, self.journal.handful // 4)
            self._more_ms = self._clock.now() + _RETRY_MS
        if what not in self._short:
            self._short.add(what)
            log("flash", "too little memory is free to %s; %s, tried again" % (what, until))

    def _more_at_a_time(self):
        """A minute after memory was short, see whether it is enough for more again."""
        if self.journal.handful < Journal.handful and self._clock.now() >= self._more_ms:
            self.journal.handful *= 4
            self._more_ms = self._clock.now() + _RETRY_MS

    def _enough(self, what):
        if what in self._short:
            self._short.remove(what)
            log("flash", "memory is enough again to %s" % what)

    def _failed(self, error, state):
        if isinstance(error, JournalTaken):
            state = _GONE
        if self._state != state:
            log("flash", "%s; going on in RAM" % error)
        self._retry_ms = self._clock.now() + _RETRY_MS
        self._set(state, str(error))

    def _set(self, state, problem):
        self._state = state
        about = self._identity.about
        about["durability"] = "ram" if problem else self._durability
        about.pop("problem", None)
        if problem:
            about["problem"] = problem
        if self.uplink:
            self.uplink.post("status", self._identity.birth())


def _make(directory):
    try:
        os.mkdir(directory)
    except OSError as error:
        if error.errno != _EEXIST:
            raise translated(error, directory)
