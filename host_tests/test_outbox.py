"""firmware/outbox.py against a list: is every reading delivered that was not dropped?"""

import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from host_tests.on_cpython import load
from ring import RingQueue

Outbox = load("outbox").Outbox
json_payload = load("payloads.json")
Channel = load("sensors").Channel

STREAM = 7
CHANNELS = [Channel("t", "Cel", 2), Channel("feuchte_ß温", "%RH", 0)]
UNIX_START_MS = 1_763_800_000_000


class Clock:
    def __init__(self, is_set=True):
        self.ms, self.is_set = 0, is_set

    def now(self):
        return self.ms

    def unix_ms(self, uptime_ms):
        return UNIX_START_MS + uptime_ms if self.is_set else None


def outbox(clock=None, queue_bytes=10_000, batch=1, max_age_ms=60_000, messages=1, limit=1024):
    encoder = json_payload.Encoder(CHANNELS, STREAM)
    queue = RingQueue(queue_bytes)
    box = Outbox(queue, encoder, len(CHANNELS), clock or Clock(), limit, messages)
    box.batch, box.max_age_ms = batch, max_age_ms
    return box


def readings(message):
    """The readings in a message, as dictionaries."""
    content = json.loads(bytes(message.payload))
    return content if isinstance(content, list) else [content]


def as_sent(number, due_ms, values, unix_ms=None):
    unix_ms = UNIX_START_MS + due_ms if unix_ms is None else unix_ms
    sent = {"s": STREAM, "n": number, "ts": unix_ms // 1000}
    for channel, value in zip(CHANNELS, values, strict=True):
        if value is not None:
            sent[channel.key] = value / 10**channel.decimals if channel.decimals else value
    return sent


class OutboxAgainstAList(RuleBasedStateMachine):
    """What was put, and what became of it: queued, under way, delivered, dropped."""

    @initialize(
        queue_bytes=st.integers(40, 200), batch=st.integers(1, 4), max_age_ms=st.integers(0, 50),
        messages=st.integers(1, 3), spare=st.integers(0, 200),
    )
    def make(self, queue_bytes, batch, max_age_ms, messages, spare):
        self.clock = Clock()
        self.limit = json_payload.most_bytes(CHANNELS) + spare
        self.batch, self.max_age_ms, self.messages = batch, max_age_ms, messages
        self.outbox = outbox(self.clock, queue_bytes, batch, max_age_ms, messages, self.limit)
        self.put_so_far = {}  # number -> what is to be sent of it
        self.due = {}
        self.queued = []  # numbers, oldest first
        self.gone = set()  # numbers that the queue dropped
        self.delivered = set()
        self.under_way = []  # [message, done]
        self.taken = self.acked = 0

    def waiting(self):
        return [number for number in self.queued if number > self.taken]

    @rule(
        value=st.none() | st.integers(-(2**31), 2**31 - 1), other=st.integers(-1000, 1000),
        passed=st.integers(0, 20), unix_ms=st.none() | st.integers(0, 2**41),
        times=st.integers(1, 4),
    )
    def put(self, value, other, passed, unix_ms, times):
        for _ in range(times):
            self.put_one(value, other, passed, unix_ms)

    def put_one(self, value, other, passed, unix_ms):
        self.clock.ms += passed
        due = self.clock.ms
        number = self.outbox.put(due, [value, other], unix_ms)
        assert number == len(self.put_so_far) + 1 == self.outbox.sampled
        self.put_so_far[number] = as_sent(number, due, [value, other], unix_ms)
        self.due[number] = due
        self.queued.append(number)
        while len(self.queued) > len(self.outbox):
            self.gone.add(self.queued.pop(0))

    @rule(ms=st.integers(0, 60))
    def time_passes(self, ms):
        self.clock.ms += ms

    @rule(flush=st.booleans())
    def set_flush(self, flush):
        self.outbox.flush = flush

    @rule()
    def take_if_due(self):
        waiting = self.waiting()
        if not waiting or len(self.under_way) == self.messages:
            assert self.outbox.due_in() is None
            return
        oldest_ms = self.due[waiting[0]] + self.max_age_ms - self.clock.ms
        full = self.outbox.flush or len(waiting) >= self.batch
        assert self.outbox.due_in() == (0 if full else max(0, oldest_ms))
        if self.outbox.due_in() == 0:
            self.take(waiting)

    def take(self, waiting):
        message = self.outbox.take()
        sent = readings(message)
        assert message.kind == "data"
        assert 1 <= len(sent) <= self.batch
        assert len(message.payload) <= self.limit
        assert sent == [self.put_so_far[number] for number in waiting[: len(sent)]]
        assert (message.first, message.last) == (waiting[0], waiting[len(sent) - 1])
        if len(sent) < min(self.batch, len(waiting)):
            assert len(message.payload) + self.size(waiting[len(sent)]) > self.limit, "room left"
        self.taken = message.last
        self.under_way.append([message, False])

    def size(self, number):
        """Bytes of one reading more, with the brackets that the first one goes without."""
        text = json.dumps(self.put_so_far[number], ensure_ascii=False, separators=(",", ":"))
        return len(text.encode()) + 3

    @precondition(lambda self: any(not done for _, done in self.under_way))
    @rule(data=st.data())
    def done(self, data):
        entry = data.draw(st.sampled_from([entry for entry in self.under_way if not entry[1]]))
        entry[1] = True
        self.outbox.done(entry[0])
        self.delivered.update(range(entry[0].first, entry[0].last + 1))
        while self.under_way and self.under_way[0][1]:
            self.acked = self.under_way.pop(0)[0].last
            self.queued = [number for number in self.queued if number > self.acked]

    @rule()
    def rewind(self):
        self.outbox.rewind()
        self.under_way.clear()
        # An acknowledgement out of turn is forgotten, but for what is gone anyway.
        self.delivered = {n for n in self.delivered if n <= self.acked or n in self.gone}
        self.taken = self.acked

    @invariant()
    def counts_are_right(self):
        assert len(self.outbox) == len(self.queued)
        assert self.outbox.acked == self.acked
        assert self.outbox.dropped == len(self.gone - self.delivered)

    @invariant()
    def what_is_under_way_keeps_its_bytes(self):
        for message, _ in self.under_way:
            numbers = [reading["n"] for reading in readings(message)]
            assert (numbers[0], numbers[-1]) == (message.first, message.last)

    def teardown(self):
        """Whatever happened: what is still queued arrives, in order, after a new connection."""
        if not hasattr(self, "outbox"):
            return
        self.rewind()
        self.outbox.flush = True
        expected, arrived = list(self.queued), []
        while self.outbox.due_in() == 0:
            message = self.outbox.take()
            arrived += [reading["n"] for reading in readings(message)]
            self.outbox.done(message)
        assert arrived == expected
        assert len(self.outbox) == 0
        everything = set(self.put_so_far)
        assert self.delivered | set(arrived) | self.gone == everything


TestOutboxAgainstAList = OutboxAgainstAList.TestCase
TestOutboxAgainstAList.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, print_blob=True
)


def test_a_batch_leaves_when_it_is_full():
    box = outbox(batch=3)
    for number in range(1, 4):
        assert box.due_in() == (None if number == 1 else 60_000)
        box.put(0, [number, None])
    assert box.due_in() == 0
    assert [reading["n"] for reading in readings(box.take())] == [1, 2, 3]


def test_a_batch_that_does_not_fill_leaves_with_age():
    clock = Clock()
    box = outbox(clock, batch=10, max_age_ms=1000)
    box.put(0, [1, None])
    clock.ms = 400
    box.put(400, [2, None])
    assert box.due_in() == 600
    clock.ms = 1000
    assert box.due_in() == 0
    assert len(readings(box.take())) == 2


def test_readings_are_dated_by_the_clock_at_the_time_of_sending():
    """A clock that is set late dates what was taken before; until then the uptime is told."""
    clock = Clock(is_set=False)
    box = outbox(clock)
    for _ in range(2):
        box.put(5_999, [2550, None])
    assert readings(box.take()) == [{"s": STREAM, "n": 1, "up": 5, "t": 25.5}]
    box.rewind()
    clock.is_set = True
    assert readings(box.take())[0]["ts"] == UNIX_START_MS // 1000 + 5


@pytest.mark.parametrize("limit", [130, 200, 1000])
def test_a_backlog_is_split_and_not_cut(limit):
    """Non-ASCII keys count as the bytes that they are."""
    box = outbox(batch=1000, limit=limit)
    for number in range(200):
        box.put(number * 1000, [-number, number])
    box.flush, arrived = True, []
    while box.due_in() == 0:
        message = box.take()
        assert len(message.payload) <= limit
        arrived += readings(message)
        box.done(message)
    assert arrived == [as_sent(n + 1, n * 1000, [-n, n]) for n in range(200)]


def test_what_was_dropped_while_it_was_under_way_and_arrived_is_no_loss():
    box = outbox(queue_bytes=40, batch=2)
    box.put(0, [1, 1])
    box.put(0, [2, 2])
    message = box.take()
    while box.dropped < 2:
        box.put(0, [3, 3])
    box.done(message)
    assert (box.dropped, box.acked) == (0, 2)


def test_what_was_dropped_while_it_was_under_way_and_did_not_arrive_is_one():
    box = outbox(queue_bytes=40, batch=2)
    box.put(0, [1, 1])
    box.put(0, [2, 2])
    box.take()
    while box.dropped < 2:
        box.put(0, [3, 3])
    box.rewind()
    assert box.dropped == 2
    assert readings(box.take())[0]["n"] == 3


def test_what_arrived_out_of_order_before_it_was_dropped_is_no_loss():
    """A link with a window: the second message is acknowledged, the first one still waits."""
    box = outbox(queue_bytes=40, messages=2)
    box.put(0, [1, 1])
    box.put(0, [2, 2])
    box.take()
    second = box.take()
    box.done(second)
    while box._queue.dropped < 2:
        box.put(0, [3, 3])
    assert box.dropped == 1


def test_messages_that_the_peer_may_have_are_made_of_the_same_readings_again():
    box = outbox(batch=3, messages=4)
    for n in range(10):
        box.put(n, [n, n])
    first = [box.take() for _ in range(3)]
    ranges = [(message.first, message.last) for message in first]
    payloads = [bytes(message.payload) for message in first]
    box.batch = 2
    box.rewind(ranges[1:])
    again = []
    while box.due_in() == 0 and len(again) < 4:
        again.append(box.take())
    assert [(m.first, m.last) for m in again] == [(1, 2), (3, 3), (4, 6), (7, 9)]
    assert [bytes(m.payload) for m in again[2:]] == payloads[1:]


def test_what_was_dropped_meanwhile_is_not_waited_for():
    box = outbox(queue_bytes=120, batch=2)
    for n in range(4):
        box.put(n, [n, n])
    owed = [(1, 2), (3, 4)]
    for n in range(20):
        box.put(n, [n, n])
    box.rewind(owed)
    message = box.take()
    assert message.first > 4 and message.last == message.first + 1
