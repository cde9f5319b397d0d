"""lib/journal against a dictionary: does it hold what it should, whatever comes in what order?"""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from journal import Journal

LIMIT = 40960


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path)


def test_what_the_contract_says(folder):
    journal = Journal(folder, limit_bytes=65536)
    first, second, third = journal.append(b"a"), journal.append(b"b"), journal.append(b"c")
    assert (first, second, third) == (1, 2, 3)
    assert list(journal.pending()) == [(1, b"a"), (2, b"b"), (3, b"c")]
    journal.release(second)
    assert list(journal.pending()) == [(3, b"c")]
    assert (len(journal), journal.dropped) == (1, 0)
    assert 0 < journal.bytes_used <= 65536


def test_only_the_first_bytes_of_a_buffer(folder):
    journal = Journal(folder)
    buffer = bytearray(b"abcdef")
    journal.append(buffer, 3)
    buffer[:] = b"......"
    assert list(journal.pending()) == [(1, b"abc")]


def test_pending_after_a_number(folder):
    journal = Journal(folder)
    journal.append_many((n, b"%d" % n) for n in range(1, 1001))
    assert [number for number, _ in journal.pending(997)] == [998, 999, 1000]
    assert not list(journal.pending(1000))


def test_each_life_has_its_stream_and_counts_from_1(folder):
    first = Journal(folder)
    first.append(b"a")
    first.append(b"b", n=5)
    second = Journal(folder)
    assert second.before == (first.stream, 5)
    second.append(b"c")
    third = Journal(folder)
    assert third.before == (second.stream, 1)
    assert len({first.stream, second.stream, third.stream}) == 3
    assert list(third.entries()) == [
        (1, first.stream, 1, b"a"), (2, first.stream, 5, b"b"), (3, second.stream, 1, b"c"),
    ]
    assert all(0 < (journal.stream or 0) < 2**31 for journal in (first, second, third))


def test_a_number_of_a_stream_is_never_given_twice(folder):
    journal = Journal(folder)
    journal.append(b"a", n=7)
    with pytest.raises(ValueError, match="n must rise"):
        journal.append(b"b", n=7)
    with pytest.raises(ValueError, match="n must rise"):
        journal.append_many([(8, b"b"), (8, b"c")])


def test_numbers_go_on_after_everything_is_released(folder):
    journal = Journal(folder)
    journal.append_many((n, b"x" * 60) for n in range(1, 101))
    journal.release(100)
    assert not list(Path(folder).glob("0*.j1"))
    journal = Journal(folder)
    assert (len(journal), journal.append(b"y")) == (0, 101)


def test_a_polite_stop_says_what_is_safe(folder):
    journal = Journal(folder)
    journal.append(b"a")
    journal.release(1)
    journal.sync(n=12)  # the others went another way
    again = Journal(folder)
    assert again.before == (journal.stream, 12)
    assert len(again) == 0


def test_opening_writes_nothing(folder):
    Journal(folder).append(b"a")
    before = {path: path.stat().st_mtime_ns for path in Path(folder).iterdir()}
    assert list(Journal(folder).pending()) == [(1, b"a")]
    assert {path: path.stat().st_mtime_ns for path in Path(folder).iterdir()} == before


def test_the_oldest_make_room_and_are_counted_also_later(folder):
    journal = Journal(folder, LIMIT)
    for n in range(1, 201):
        assert journal.append(b"%03d" % n * 130) == n
    kept = [number for number, _ in journal.pending()]
    assert kept == list(range(journal.dropped + 1, 201))
    assert Journal(folder, LIMIT).dropped == journal.dropped > 0


def test_the_newest_are_refused_and_counted_also_later(folder):
    journal = Journal(folder, LIMIT, when_full="refuse_newest")
    taken = [number for _ in range(200) if (number := journal.append(b"x" * 390))]
    assert taken == list(range(1, len(taken) + 1))
    assert journal.dropped == 200 - len(taken) > 0
    assert Journal(folder, LIMIT).dropped == journal.dropped
    journal.release(taken[-1] // 2)
    assert journal.append(b"y") == taken[-1] + 1


def test_a_record_too_large_is_the_callers_fault(folder):
    journal = Journal(folder, LIMIT)
    with pytest.raises(ValueError, match="can't fit; at most 40"):
        journal.append(b"x" * 4096)
    assert journal.append(b"x" * 4000) == 1
    with pytest.raises(ValueError, match="takes 40960 bytes or more"):
        Journal(folder, 4096)


def test_releasing_writes_no_kept_record_again(folder):
    journal = Journal(folder)
    journal.append_many((n, b"x" * 60) for n in range(1, 501))
    kept = {path: path.read_bytes() for path in Path(folder).glob("0*.j1")}
    journal.release(250)
    left = {path: path.read_bytes() for path in Path(folder).glob("0*.j1")}
    assert 0 < len(left) < len(kept)
    assert left.items() <= kept.items()


class JournalAgainstADictionary(RuleBasedStateMachine):
    """`kept` is what must be in the queue: {number: (stream, n, record)}."""

    @initialize(refuse=st.booleans())
    def make(self, refuse):
        self.folder = tempfile.TemporaryDirectory()
        self.full = "refuse_newest" if refuse else "drop_oldest"
        self.kept, self.dropped, self.number = {}, 0, 0
        self.iterators = []  # [iterator, the number it gave last]
        self.boot()

    def teardown(self):
        self.iterators = []
        self.folder.cleanup()

    @rule()
    def boot(self):
        self.journal = Journal(self.folder.name, LIMIT, when_full=self.full)
        self.iterators = []
        first = min(self.kept, default=self.number + 1)
        for number, *found in self.journal.entries():
            assert number in self.kept or number < first  # it may be back though it was released
            self.kept[number] = tuple(found)

    @rule(size=st.sampled_from([0, 1, 12, 60, 150, 400, 1200, 4000]), skip=st.integers(1, 3))
    def append(self, size, skip):
        n = self.journal.n + skip
        record = bytes([n & 0xFF]) * size
        number = self.journal.append(record, n=n)
        self.stored([(n, record)], bool(number))

    @rule(count=st.integers(0, 30), size=st.sampled_from([1, 12, 60, 400, 1200]))
    def append_many(self, count, size):
        n = self.journal.n
        records = [(n + i, bytes([i]) * size) for i in range(1, count + 1)]
        self.stored(records, self.journal.append_many(iter(records)))

    def stored(self, records, taken):
        for n, record in records[:taken]:
            self.number += 1
            self.kept[self.number] = (self.journal.stream, n, record)
        self.lose(len(records) - taken)

    def lose(self, refused):
        dropped = self.journal.dropped - self.dropped - refused
        assert refused == 0 or self.full == "refuse_newest"
        for number in sorted(self.kept)[:dropped]:
            del self.kept[number]
        self.dropped = self.journal.dropped

    @rule(share=st.floats(0, 1))
    def release(self, share):
        numbers = sorted(self.kept)[: round(len(self.kept) * share)]
        if numbers:
            self.journal.release(numbers[-1])
        for number in numbers:
            del self.kept[number]

    @rule()
    def look(self):
        self.iterators.append([self.journal.entries(), 0])

    @rule(steps=st.integers(1, 30))
    def read_on(self, steps):
        """Whatever happened since, an iterator goes on with the next record that is kept."""
        for pair in self.iterators:
            for _ in range(steps):
                later = min((n for n in self.kept if n > pair[1]), default=None)
                found = next(pair[0], None)
                if found is None:
                    assert later is None
                    self.iterators = [p for p in self.iterators if p is not pair]
                    break
                assert found[0] == later
                assert found[1:] == self.kept[later]
                pair[1] = later

    @invariant()
    def holds_what_it_should(self):
        found = {number: tuple(rest) for number, *rest in self.journal.entries()}
        assert found == self.kept
        assert list(found) == sorted(found)
        assert len(self.journal) == len(found)
        assert self.journal.damaged == 0
        assert self.journal.bytes_used <= LIMIT


TestJournalAgainstADictionary = JournalAgainstADictionary.TestCase
TestJournalAgainstADictionary.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
