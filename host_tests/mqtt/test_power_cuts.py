"""The power is cut at every byte of a conversation, and at random ones: what is left is the saved
state and the messages' owner, and QoS 2 is exactly once all the same.
"""

import collections
import random

import pytest

from host_tests.mqtt.pair import Pair, engine
from mqtt import resume

LEVELS = pytest.mark.parametrize("level", [4, 5])
MESSAGES = [b"reading %d" % n for n in range(8)]
TOPIC = b"devices/a/data"
COMMANDS = [b"command %d" % n for n in range(3)]


class Device:
    """What survives a power cut: the saved state, and the messages that are not acknowledged."""

    def __init__(self, level, window=3):
        self.level, self.window = level, window
        self.pair = Pair(level, window=window)
        self.state = resume.save(self.pair.engine)
        self.waiting = dict(enumerate(MESSAGES))  # tag -> payload
        self.saves = self.largest = 0
        self.tags = {}  # packet id -> tag

    def boot(self):
        self.pair.engine = engine(self.level, window=self.window)
        assert resume.restore(self.pair.engine, self.state)
        self.tags = {entry.packet_id: entry.tag for entry in self.pair.engine.flight.entries}
        for tag in resume.owed(self.pair.engine):
            assert resume.supply(self.pair.engine, tag, TOPIC, self.waiting[tag])

    def save(self):
        if self.pair.engine.changed:
            self.state = resume.save(self.pair.engine)
            self.pair.engine.changed = False
            self.saves += 1
            self.largest = max(self.largest, len(self.state))

    def live(self, budget, commands):
        """One connection, cut after so many bytes; returns whether everything is done."""
        pair = self.pair
        pair.budget = budget
        first = len(pair.events)
        saving = pair.engine.next_out

        def next_out():
            saving()  # encode first: the state must hold what leaves
            self.save()
            return saving()

        pair.engine.next_out = next_out
        up = pair.connect()
        self.settle(first)
        while up and (self.waiting or commands):
            for tag in self.waiting:
                if tag not in self.tags.values():
                    packet_id = pair.engine.publish(TOPIC, self.waiting[tag], 2)
                    if packet_id is None:
                        break
                    pair.engine.flight.entries[-1].tag = tag
                    self.tags[packet_id] = tag
            up = pair.run()
            if up and commands:
                up = pair.from_broker(b"c", commands.pop(0), 2)
            self.settle(first)
        return up

    def settle(self, first):
        for name, packet_id, _ in self.pair.events[first:]:
            if name == "acked" and packet_id in self.tags:
                self.waiting.pop(self.tags.pop(packet_id), None)
        del self.pair.events[first:]


def tell(level, cuts, window=3):
    device, commands, cuts = Device(level, window), list(COMMANDS), list(cuts)
    for _ in range(100):
        if device.live(cuts.pop(0) if cuts else None, commands):
            return device
        device.boot()
    raise AssertionError("it never ends")


def check(device):
    taken = collections.Counter(payload for _, payload, _ in device.pair.broker.taken)
    assert taken == collections.Counter(MESSAGES)
    received = collections.Counter(payload for _, payload, _ in device.pair.messages)
    assert received == collections.Counter(COMMANDS)
    assert device.largest <= 64 + 8 * device.window + 8 * len(COMMANDS)


@LEVELS
def test_a_power_cut_at_every_byte(level):
    whole = tell(level, [])
    check(whole)
    for place in range(1, whole.pair.carried):
        check(tell(level, [place]))


@LEVELS
def test_power_cuts_at_random_bytes(level, seed):
    for _ in range(300):
        cuts = [random.randint(1, 150) for _ in range(random.randint(2, 12))]
        check(tell(level, cuts, random.randint(1, 5)))


def test_a_state_that_is_not_ours_or_damaged_is_refused(seed):
    pair = Pair(window=4)
    pair.connect()
    for n in range(3):
        pair.engine.publish("t", b"x", 2)
        pair.engine.flight.entries[-1].tag = n << 38
    state = resume.save(pair.engine, 7)
    assert len(state) == 17 + 3 * 8
    assert not resume.restore(engine(), state, 8)
    assert not resume.restore(engine(), b"", 7)
    for place in range(8 * len(state)):
        bad = bytearray(state)
        bad[place >> 3] ^= 1 << (place & 7)
        assert not resume.restore(engine(), bytes(bad), 7)
        assert not resume.restore(engine(), state[: place >> 3], 7)
    again = engine()
    assert resume.restore(again, state, 7)
    assert resume.save(again, 7) == state
    assert resume.owed(again) == [0, 1 << 38, 2 << 38]
