"""lib/ring.py against a list: does the queue hold what it should, whatever comes in what order?"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ring import RingQueue


class RingAgainstAList(RuleBasedStateMachine):
    """`kept` is what must be in the queue: [(number, record)], oldest first."""

    @initialize(limit=st.integers(3, 60))
    def make(self, limit):
        self.queue, self.limit = RingQueue(limit), limit
        self.kept, self.number, self.dropped = [], 0, 0
        self.largest = 0  # bytes of the largest record so far, with its length
        self.iterators = []  # [iterator, the number it gave last]
        self.views = []  # (number, record, the memoryview that was given for it)

    @rule(record=st.binary(max_size=20), spare=st.integers(0, 3))
    def append(self, record, spare):
        size = len(record) + 2
        if size > self.limit:
            with pytest.raises(ValueError, match="can't fit a queue of"):
                self.queue.append(record)
            return
        self.largest = max(self.largest, size)
        used = self.queue.bytes_used
        assert self.queue.append(record + bytes(spare), len(record)) == self.number + 1
        self.number += 1
        self.kept.append((self.number, record))
        while len(self.kept) > len(self.queue):
            # A record is not split, so up to one large record's worth of memory can't be used.
            assert self.limit - used < size + self.largest, "dropped though there was room"
            used -= 2 + len(self.kept.pop(0)[1])
            self.dropped += 1

    @rule(behind=st.integers(-2, 8))
    def release(self, behind):
        number = self.number - behind
        self.queue.release(number)
        self.kept = [entry for entry in self.kept if entry[0] > number]

    @rule(behind=st.integers(0, 8))
    def iterate(self, behind):
        after = max(0, self.number - behind)
        self.iterators.append([self.queue.pending(after), after])

    @precondition(lambda self: self.iterators)
    @rule(data=st.data())
    def step_an_iterator(self, data):
        entry = data.draw(st.sampled_from(self.iterators))
        iterator, last = entry
        wanted = next((kept for kept in self.kept if kept[0] > last), None)
        number, view = next(iterator, (None, b""))
        assert (number and (number, bytes(view))) == wanted
        if number is None:
            self.iterators.remove(entry)
        else:
            entry[1] = number
            self.views.append((*wanted, view))

    @invariant()
    def holds_what_it_should(self):
        assert [(number, bytes(view)) for number, view in self.queue.pending()] == self.kept
        assert len(self.queue) == len(self.kept)
        assert self.queue.bytes_used == sum(2 + len(record) for _, record in self.kept)
        assert self.queue.dropped == self.dropped

    @invariant()
    def records_stay_where_they_are(self):
        oldest = self.kept[0][0] if self.kept else self.number + 1
        self.views = [entry for entry in self.views if entry[0] >= oldest]
        for _, record, view in self.views:
            assert bytes(view) == record


TestRingAgainstAList = RingAgainstAList.TestCase
TestRingAgainstAList.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, print_blob=True
)


def test_an_iterator_outlives_an_empty_queue():
    """What is appended after everything was released is found by an iterator from before."""
    queue = RingQueue(100)
    queue.append(b"first")
    iterator = queue.pending()
    next(iterator)
    queue.release(1)
    queue.append(b"second")
    number, record = next(iterator)
    assert (number, bytes(record)) == (2, b"second")


@pytest.mark.parametrize("record", [bytes(9), bytes(0xFFFF)])
def test_a_record_that_can_never_fit_changes_nothing(record):
    queue = RingQueue(10)
    queue.append(b"kept")
    with pytest.raises(ValueError, match=f"a record of {len(record)} bytes can't fit a queue of"):
        queue.append(record)
    assert [bytes(view) for _, view in queue.pending()] == [b"kept"]
    assert queue.dropped == 0


def test_the_longest_record_that_a_length_can_tell():
    queue = RingQueue(0x10000 + 2)
    queue.append(bytes(0xFFFE))
    with pytest.raises(ValueError, match="can't fit"):
        queue.append(bytes(0xFFFF))
    assert [len(view) for _, view in queue.pending()] == [0xFFFE]
