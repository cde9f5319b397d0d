"""firmware/durable.py against a list, with the real journal below it: is every reading delivered,
whatever is acknowledged in whatever order, spilled, cut off and started again?
"""

import json
import random
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from host_tests.on_cpython import load
from ring import RingQueue

DurableOutbox = load("durable").DurableOutbox
Flash = load("flash").Flash
Lives = load("lives").Lives
json_payload = load("payloads.json")
Channel = load("sensors").Channel

CHANNELS = [Channel("t", "Cel", 2)]
UNIX_START_MS = 1_763_800_000_000
OPTIONS = {"limit_kb": 256, "when_full": "drop_oldest", "durability": "spill"}


class Clock:
    def __init__(self, start_ms=UNIX_START_MS):
        self.ms, self.start_ms = 0, start_ms

    def now(self):
        return self.ms

    def unix_ms(self, due_ms):
        return None if self.start_ms is None else self.start_ms + due_ms


class Identity:
    def __init__(self, stream):
        self.stream, self.about, self.said = stream, {}, []

    def birth(self):
        self.said.append(dict(self.about))
        return b""


def start(folder, stream, always=False, ram=300, batch=3, messages=1, clock=None, **options):
    """A device's outbox at its start."""
    clock = clock or Clock()
    identity = Identity(stream)
    flash = Flash(str(folder), {**OPTIONS, **options}, identity, clock)
    lives = Lives(str(folder), stream, CHANNELS, clock, ("run", 0))
    encoder = json_payload.Encoder(CHANNELS, stream)
    parts = (RingQueue(ram), encoder, len(CHANNELS), clock, 300, messages)
    box = DurableOutbox(parts, flash, lives, ("d1", 1000, batch))
    box.batch, box.always, box.max_age_ms = batch, always, 50
    box.spill_after_ms = 100
    box.clock, box.identity = clock, identity
    return box


def readings(message):
    content = json.loads(bytes(message.payload))
    return [(r["s"], r["n"]) for r in (content if isinstance(content, list) else [content])]


class DurableAgainstAList(RuleBasedStateMachine):
    @initialize(
        always=st.booleans(), batch=st.integers(1, 4), messages=st.integers(1, 3),
        newest_first=st.booleans(),
    )
    def make(self, always, batch, messages, newest_first):
        self.folder = Path(tempfile.mkdtemp(prefix="petrel-durable-"))
        self.options = {"always": always, "batch": batch, "messages": messages}
        self.newest_first = newest_first
        self.stream = 0
        self.waiting, self.delivered = set(), set()
        self.repeats = set()  # what may come again
        self.begin()

    def begin(self):
        self.stream += 1
        self.box = start(self.folder / "journal", self.stream, **self.options)
        self.box.newest_first = self.newest_first
        self.under_way = []

    @rule(times=st.integers(1, 8), passed=st.integers(0, 20))
    def put(self, times, passed):
        for _ in range(times):
            self.box.clock.ms += passed
            number = self.box.put(self.box.clock.ms, [self.box.clock.ms])
            self.waiting.add((self.stream, number))

    @rule(ms=st.integers(0, 100))
    def time_passes(self, ms):
        self.box.clock.ms += ms

    @rule()
    def keep(self):
        while self.box._spill_in() == 0 and self.box._step():
            pass
        if not self.options["always"]:
            ram = [record for _, record in self.box._queue.pending()]
            assert all(self.box.clock.ms - due(r) < self.box.spill_after_ms for r in ram)

    @rule()
    def take_if_due(self):
        if self.box.due_in() != 0 or len(self.under_way) == self.options["messages"]:
            return
        message = self.box.take()
        sent = readings(message)
        assert len({stream for stream, _ in sent}) == 1, "one life a message"
        assert 1 <= len(sent) <= self.options["batch"]
        numbers = [n for _, n in sent]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        busy = {one for _, others in self.under_way for one in others}
        assert not busy & set(sent), "under way twice"
        again = set(sent) & self.delivered
        assert again <= self.repeats, "delivered, and sent again"
        if sent[0][0] == self.stream:
            assert (message.first, message.last) == (numbers[0], numbers[-1])
        self.under_way.append((message, sent))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def done(self, data):
        entry = data.draw(st.sampled_from(self.under_way))
        self.under_way.remove(entry)
        message, sent = entry
        assert readings(message) == sent
        self.box.done(message)
        self.delivered.update(sent)
        self.waiting -= set(sent)

    @rule()
    def rewind(self):
        # An acknowledgement out of turn is forgotten by the RAM, not by the flash.
        self.repeats |= {one for one in self.delivered if one[0] == self.stream
                         and one[1] >= self.box._claimed()}
        self.box.rewind()
        self.under_way.clear()

    @rule()
    def power_cut(self):
        box = self.box
        lost = {(s, n) for s, n in self.waiting if s == self.stream and n > box._written}
        assert not (lost and self.options["always"])
        self.waiting -= lost
        self.repeats |= self.delivered
        self.begin()

    @rule()
    def polite_end(self):
        assert self.box.close() == 0
        self.repeats |= self.delivered
        self.begin()
        before = self.box.flash.journal.before
        assert before[0] == self.stream - 1 or not before[0]

    @invariant()
    def counts_are_right(self):
        box = self.box
        assert box.dropped == 0
        own = {n for s, n in self.waiting if s == self.stream}
        assert box.acked == min(own, default=box.sampled + 1) - 1 or self.repeats
        assert box.acked < min(own, default=box.sampled + 1)
        # What is acknowledged out of turn counts until its turn has come.
        early = sum(m.last - m.first + 1 for m, _, done in box._out if done)
        if not self.repeats:
            assert len(box) == len(self.waiting) + early
        assert len(box) >= len(self.waiting)

    def teardown(self):
        if not hasattr(self, "box"):
            return
        self.box.rewind()
        self.box.flush = True
        last = {}
        while self.box.due_in() == 0:
            message = self.box.take()
            for stream, n in readings(message):
                self.waiting.discard((stream, n))
                last.setdefault(stream, []).append(n)
            self.box.done(message)
        assert not self.waiting, "never delivered"
        assert len(self.box) == 0
        for stream, numbers in last.items():
            if stream != self.stream:
                assert numbers == sorted(numbers)
        shutil.rmtree(self.folder)


def due(record):
    return load("reading").due_ms(record)


TestDurableAgainstAList = DurableAgainstAList.TestCase
TestDurableAgainstAList.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, print_blob=True
)


# ---- faults: a clear line each, and on in RAM


@pytest.fixture
def box(tmp_path):
    return start(tmp_path / "journal", 1)


def put(box, count):
    for _ in range(count):
        box.clock.ms += 10
        box.put(box.clock.ms, [box.clock.ms])


def drain(box):
    box.flush, arrived = True, []
    while box.due_in() == 0:
        message = box.take()
        arrived += readings(message)
        box.done(message)
    return arrived


def refusing(journal, error):
    """Let every write of a journal fail with the errno `error`."""

    def write(*_):
        raise OSError(error)

    journal._directory.write = write
    return lambda: journal._directory.__dict__.pop("write")


@pytest.mark.parametrize(
    ("error", "words"),
    [(28, "no room left for .*; delete files or lower the queue's limit"),
     (30, "cannot be written; mount its file system writable"),
     (5, "the file system failed at .*; check or format the flash")],
)
def test_a_flash_that_fails_is_told_and_the_app_goes_on(box, capsys, error, words):
    put(box, 5)
    while box._step():
        pass
    mended = refusing(box.flash.journal, error)
    box.flash._claimed = False
    box.flash.journal._claimed = False
    put(box, 40)
    box.always = True
    put(box, 1)
    lines = [line for line in capsys.readouterr().err.splitlines() if "flash" in line]
    assert len(lines) == 1 and re.search(words + "; going on in RAM", lines[0]), lines
    assert box.identity.about["durability"] == "ram"
    assert re.search(words, box.identity.about["problem"])
    assert box.put(box.clock.ms, [1]) == 47
    arrived = drain(box)
    assert {(1, n) for n in (1, 2, 3, 4, 5, 46, 47)} <= set(arrived), "flash and RAM deliver"
    assert len(arrived) + box.dropped == 47
    mended()
    box.clock.ms += 61_000
    put(box, 1)
    assert box.identity.about == {"durability": "spill"}
    assert "can be written again" in capsys.readouterr().err
    assert box.flash.journal.n == 48


def test_a_directory_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    identity = Identity(1)
    flash = Flash(str(tmp_path / "file" / "journal"), OPTIONS, identity, Clock())
    assert not flash.there()
    assert "is no directory (any more); create it" in capsys.readouterr().err
    assert identity.about["durability"] == "ram"


def test_a_journal_of_a_newer_version(tmp_path, capsys):
    (tmp_path / "m0.j2").write_bytes(b"?")
    identity = Identity(1)
    assert not Flash(str(tmp_path), OPTIONS, identity, Clock()).there()
    assert "was written by a newer version of the journal; update" in capsys.readouterr().err
    assert "newer version" in identity.about["problem"]


def test_two_on_one_directory(tmp_path, capsys):
    one = start(tmp_path, 1, always=True)
    put(one, 2)
    two = start(tmp_path, 2, always=True)
    put(two, 2)
    put(one, 1)
    assert "another program writes to" in capsys.readouterr().err
    assert one.identity.about["durability"] == "ram"
    assert two.identity.about["durability"] == "spill"
    assert [n for _, n in drain(one)] == [1, 2, 3]


def test_the_newest_is_refused_when_all_is_full(tmp_path):
    box = start(tmp_path, 1, when_full="drop_newest", limit_kb=40)
    box.refuse = True
    random.seed(1)
    while not box.refused:
        put(box, 1)
    taken = box.sampled
    put(box, 10)
    assert (box.sampled, box.refused, box.dropped) == (taken, 11, 11)
    assert sorted(n for _, n in drain(box)) == list(range(1, taken + 1))
    put(box, 1)
    assert box.sampled == taken + 1


def test_the_oldest_goes_when_all_is_full(tmp_path):
    box = start(tmp_path, 1, limit_kb=40)
    while not box.dropped:
        put(box, 100)
    arrived = sorted(n for _, n in drain(box))
    assert arrived == list(range(box.dropped + 1, box.sampled + 1))


# ---- what a message owes


def test_a_message_that_the_peer_may_have_is_made_again_from_flash(tmp_path):
    """A link that goes on with a handshake knows a message by the numbers of its readings."""
    box = start(tmp_path, 1, messages=2)
    put(box, 9)
    owed = [box.take() for _ in range(2)]
    first = [(m.first, m.last, bytes(m.payload)) for m in owed]
    while box._step():
        pass
    box.rewind()
    box.batch = 5
    box.rewind([pair[:2] for pair in first])
    again = [box.take() for _ in range(2)]
    assert [(m.first, m.last, bytes(m.payload)) for m in again] == first


def test_a_life_that_left_a_line_that_is_damaged(tmp_path):
    box = start(tmp_path, 1)
    put(box, 3)
    assert box.close() == 0
    (tmp_path / "lives").write_text("not JSON\n")
    assert drain(start(tmp_path, 2)) == [(1, 1), (1, 2), (1, 3)]


def test_many_lives_are_remembered_in_little_room(tmp_path):
    for stream in range(1, 120):
        box = start(tmp_path, stream, limit_kb=256)
        put(box, 1)
        assert box.close() == 0
    assert (tmp_path / "lives").stat().st_size < 4200
    assert drain(start(tmp_path, 500)) == [(stream, 1) for stream in range(1, 120)]
