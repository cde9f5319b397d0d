"""The one thread that writes the spool: a group of messages a transaction.

    put()     ->+---------+   as many as wait    +--------+  on disk   done() of each: the ack
    do()      ->|  queue  |--------------------->| commit |----------> committed(messages)
    advance() ->+---------+                      +--------+
                                                   |    ^
                                                   +----+ the disk is full: the same group again

No timer holds a message back: while a commit takes its milliseconds, the next group gathers. A
group that can't be written is kept and tried again; nothing of it is acknowledged meanwhile, so
whoever sent it still has it.
"""

import concurrent.futures
import queue
import sqlite3
import threading
import time

GROUP_MOST = 1000  # messages a transaction
_SWEEP_S = 1
_CURSORS_S = 0.2  # cursors alone wait so long for messages to be written with
_RETRY_S = 0.5
_STOP = object()


class Writer:
    """Owns a Spool once `start`ed.

    committed(messages): called in this thread after every commit. say(text): told once when the
    disk fails, and once when it works again. problem: why nothing can be written now, or None.
    commits, waiting: transactions so far; arrivals that wait for theirs.
    """

    def __init__(self, spool, committed, say):
        self.spool, self._committed, self._say = spool, committed, say
        self._queue = queue.SimpleQueue()
        self._cursors = {}  # sink -> the last message it has, not written yet
        self._swept = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool writer", daemon=True)
        self.problem = self.failure = None
        self.commits = 0

    def start(self):
        self._thread.start()

    def stop(self):
        """Write what has come, and end; what can't be written is left to its sender."""
        self._stopping.set()
        self._queue.put(_STOP)
        self._thread.join()

    @property
    def waiting(self):
        return self._queue.qsize()

    def put(self, arrival, done):
        """Spool an arrival; done() is called from the writer's thread when it is on disk."""
        self._queue.put((arrival, done))

    def do(self, work):
        """Run work(spool) in the next transaction, again if that fails; returns a Future."""
        future = concurrent.futures.Future()
        self._queue.put((work, future))
        return future

    def advance(self, sink, cursor):
        """A sink has everything up to `cursor`; written with what is written next."""
        self._cursors[sink] = cursor

    # ---- the thread

    def _run(self):
        try:
            while self._group():
                pass
        except BaseException as error:  # a defect of ours: the service must not go on deaf
            self.failure = error
            self._committed([])
            raise

    def _group(self):
        """Gather and write one group; False at the end."""
        items = self._gather()
        ending = _STOP in items
        arrivals, works = _sorted(items)
        messages = [m for arrival, _ in arrivals for m in self.spool.intake.take(arrival)]
        changes = self.spool.intake.taken_changes()
        stored = self._write(messages, changes, works)
        if stored is not None:
            for _, done in arrivals:
                done()
            if stored:
                self._committed(stored)
        return not ending

    def _gather(self):
        """What waits, at least one item; [] when only cursors are to be written."""
        try:
            items = [self._queue.get(timeout=_CURSORS_S)]
        except queue.Empty:
            return []
        while len(items) < GROUP_MOST:
            try:
                items.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return items

    def _write(self, messages, changes, works):
        """The messages as stored; None if we stop before the disk lets us."""
        cursors = dict(self._cursors)
        sweep = time.monotonic() - self._swept > _SWEEP_S
        if not (messages or works or cursors or sweep or changes.streams or changes.held
                or changes.latest):
            return messages
        while True:
            try:
                stored, answers = self._transaction(messages, changes, works, cursors, sweep)
                break
            except sqlite3.Error as error:
                if not self.problem:
                    self._say(f"the spool can't be written: {error}; trying again, and "
                              "acknowledging nothing until it can")
                self.problem = str(error)
                if self._stopping.wait(_RETRY_S):
                    return None
        if self.problem:
            self.problem = None
            self._say("the spool is written again")
        self._written(cursors, sweep)
        for (_, future), answer in zip(works, answers, strict=True):
            future.set_result(answer)
        return stored

    def _transaction(self, messages, changes, works, cursors, sweep):
        with self.spool.transaction():
            for sink, cursor in cursors.items():
                self.spool.advance(sink, cursor)
            answers = [work(self.spool) for work, _ in works]
            stored = self.spool.store(messages, changes)
            if sweep:
                self.spool.sweep()
        return stored, answers

    def _written(self, cursors, sweep):
        self.commits += 1
        if sweep:
            self._swept = time.monotonic()
        for sink, cursor in cursors.items():
            if self._cursors.get(sink) == cursor:
                del self._cursors[sink]


def _sorted(items):
    """(arrivals with what is done after them, works with their futures)."""
    items = [item for item in items if item is not _STOP]
    works = [item for item in items if isinstance(item[1], concurrent.futures.Future)]
    return [item for item in items if not isinstance(item[1], concurrent.futures.Future)], works
