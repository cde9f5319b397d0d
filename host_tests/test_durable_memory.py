"""Does a durable outbox lose, hide or forget anything where memory fails, wherever that is?

The journal's n-th call to the file system raises MemoryError, for every n; or all of them do for
a while.
"""

import pytest

from host_tests.test_durable import put, readings, start
from journal import Journal, JournalTaken

RETRY_MS = 1_000


class Scarce:
    """Makes calls of a journal's files fail: those for which `fails(number of the call)`."""

    def __init__(self, journal, fails):
        self.calls, self.failed, self._fails = 0, 0, fails
        self._open = journal._directory.open
        journal._directory.open = self.open

    def count(self):
        self.calls += 1
        if self._fails(self.calls):
            self.failed += 1
            raise MemoryError

    def open(self, name, mode):
        self.count()
        return _File(self._open(name, mode), self)


class _File:
    def __init__(self, file, scarce):
        self._file, self._scarce = file, scarce

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __getattr__(self, name):
        method = getattr(self._file, name)
        if name not in ("read", "write", "flush", "seek"):
            return method

        def counted(*arguments):
            self._scarce.count()
            return method(*arguments)

        return counted


def live(box, fails=lambda call: False):
    """An outage, and the delivery after it; returns what arrived, and the Scarce."""
    scarce = Scarce(box.flash.journal, fails)
    for _ in range(3):
        put(box, 10)
        spill(box)
    return drain(box), scarce


def spill(box):
    while box._spill_in() == 0 and box._step():
        pass


def drain(box, most_ms=60_000):
    """What arrives until nothing is left; a device that forgets to ask again never gets there."""
    box.flush, arrived = True, []
    end = box.clock.ms + most_ms
    while len(box) and box.clock.ms < end:
        due = box.due_in()
        if due == 0:
            message = box.take()
            arrived += readings(message)
            box.done(message)
            continue
        assert due is not None, "readings wait, and nobody asks again"
        box.clock.ms += due
    return arrived


@pytest.mark.parametrize("always", [False, True])
def test_one_call_fails(tmp_path, always, capsys):
    _, whole = live(start(tmp_path / "whole", 1, always=always))
    assert whole.calls > 70
    for number in range(1, whole.calls + 1):
        folder = tmp_path / str(number)
        box = start(folder, 1, always=always)
        arrived, scarce = live(box, lambda call, number=number: call == number)
        assert scarce.failed == 1
        assert box.close() == 0
        again = drain(start(folder, 2))  # what was not noted as delivered comes twice
        assert {n for _, n in arrived + again} == set(range(1, 31)), f"call {number}"
        assert box.dropped == 0
        told = capsys.readouterr().err
        assert box.flash.starved == 1 and told.count("too little memory") == 1, f"call {number}"


def test_reading_fails_for_a_while_and_is_told_once(tmp_path, capsys):
    short = [False]
    box = start(tmp_path, 1)
    Scarce(box.flash.journal, lambda call: short[0])
    put(box, 60)
    while box._step():
        pass
    short[0] = True
    capsys.readouterr()
    assert drain(box, 20 * RETRY_MS) == []
    assert len(box) == 60 and box.dropped == 0
    assert capsys.readouterr().err.count("too little memory is free to read; it stays there") == 1
    assert 20 <= box.flash.starved <= 30 and box.health()["starved"] == box.flash.starved
    short[0] = False
    assert [n for _, n in drain(box)] == list(range(1, 61))
    assert capsys.readouterr().err.count("memory is enough") == 1


def test_flash_that_is_given_up_meanwhile_wakes_nobody(tmp_path):
    short = [True]
    box = start(tmp_path, 1)
    put(box, 60)
    while box._step():
        pass
    Scarce(box.flash.journal, lambda call: short[0])
    assert drain(box, RETRY_MS) == []
    box.flash._failed(JournalTaken("another program writes too"), 0)
    assert box.due_in() is None


def test_a_minute_later_as_much_is_read_at_a_time_as_before(tmp_path):
    short = [True]
    box = start(tmp_path, 1)
    put(box, 60)
    while box._step():
        pass
    Scarce(box.flash.journal, lambda call: short[0])
    assert drain(box, 3 * RETRY_MS) == [] and box.flash.journal.handful == 64
    short[0] = False
    for _ in range(2):
        box.clock.ms += 60_000
        box.done(box.take())
    assert box.flash.journal.handful == Journal.handful
    assert len(drain(box)) > 0


def test_fresh_readings_go_while_the_flash_waits(tmp_path):
    short = [False]
    box = start(tmp_path, 1)
    Scarce(box.flash.journal, lambda call: short[0])
    put(box, 20)
    while box._step():
        pass
    short[0] = True
    put(box, 6)
    assert [n for _, n in drain(box, 3 * RETRY_MS)] == [21, 22, 23, 24, 25, 26]
    short[0] = False
    assert [n for _, n in drain(box)] == list(range(1, 21))


def test_less_is_read_at_a_time_where_memory_is_short(tmp_path):
    """A handful that can't be had must not keep back the single reading that can."""
    box = start(tmp_path, 1, batch=1)
    put(box, 60)
    while box._step():
        pass
    read = box.flash.journal._segments.read
    asked = []

    def cramped(after, most_bytes):
        asked.append(most_bytes)
        if most_bytes > 100:
            raise MemoryError
        return read(after, most_bytes)

    box.flash.journal._segments.read = cramped
    assert [n for _, n in drain(box)] == list(range(1, 61))
    assert min(asked) > 0 and max(asked) > 100
