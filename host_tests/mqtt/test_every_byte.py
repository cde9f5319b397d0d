"""The connection is lost at every byte of a conversation, and at random ones again and again: what
was published at QoS 1 arrives, what was published at QoS 2 arrives once, both ways.
"""

import collections
import random

import pytest

from host_tests.mqtt.pair import Pair

OUT = [(b"out/%d" % (n % 3), b"message %d" % n, 1 + n % 2) for n in range(7)]
IN = [(b"in/%d" % n, b"command %d" % n, 1 + n % 2) for n in range(4)]
LEVELS = pytest.mark.parametrize("level", [4, 5])


def story(pair, cuts=(), forget_at=()):
    """Publish everything both ways over as many connections as it takes; the wire is cut after so
    many bytes, connection by connection. Returns the number of connections.
    """
    cuts, queue, inbound = list(cuts), list(OUT), list(IN)
    published = []
    for number in range(1, 200):
        pair.budget = cuts.pop(0) if cuts else None
        if number in forget_at:
            pair.broker.forget()
        up = pair.connect()
        while up and (queue or inbound or pair.engine.flight.entries):
            if queue and (packet_id := pair.engine.publish(*queue[0])) is not None:
                published.append(packet_id)
                queue.pop(0)
            up = pair.run()
            if up and inbound:
                up = pair.from_broker(*inbound.pop(0))
        if up:
            assert sorted(pair.acked()) == sorted(published)
            return number
    raise AssertionError("it never ends")


def check(pair, exactly=True):
    taken = collections.Counter(pair.broker.taken)
    received = collections.Counter(pair.messages)
    for message in OUT:
        assert taken[message] >= 1, message
        assert message[2] == 1 or taken[message] == 1 or not exactly, message
    if exactly:
        for message in IN:
            assert received[message] >= 1, message
            assert message[2] == 1 or received[message] == 1, message
    assert not pair.engine.flight.unsent
    # A CONNACK that says so may be lost: then nobody ever hears that the session is a new one.
    if pair.engine.inbound and exactly:
        assert not pair.engine.inbound.fates


@LEVELS
def test_without_a_loss_every_message_arrives_once(level):
    pair = Pair(level, window=3)
    assert story(pair) == 1
    assert sorted(pair.broker.taken) == sorted(OUT)
    assert sorted(pair.messages) == sorted(IN)


@LEVELS
def test_a_loss_at_every_byte(level):
    whole = Pair(level, window=3)
    story(whole)
    for place in range(whole.carried + 1):
        pair = Pair(level, window=3)
        story(pair, [place])
        check(pair)


@LEVELS
def test_losses_at_random_bytes_again_and_again(level, seed):
    for _ in range(300):
        pair = Pair(level, window=random.randint(1, 4))
        story(pair, [random.randint(1, 120) for _ in range(random.randint(2, 15))])
        check(pair)


@LEVELS
def test_a_broker_that_loses_its_sessions(level, seed):
    """Nothing is lost and everything is acknowledged; twice is possible, and unavoidable."""
    for _ in range(200):
        pair = Pair(level, window=3)
        losses = random.randint(1, 6)
        forget = {random.randint(2, losses + 1) for _ in range(2)}
        story(pair, [random.randint(20, 150) for _ in range(losses)], forget)
        check(pair, exactly=False)


@LEVELS
def test_a_clean_session_loses_nothing_either(level, seed):
    for _ in range(100):
        pair = Pair(level, window=2, clean=True)
        story(pair, [random.randint(20, 150) for _ in range(4)])
        check(pair, exactly=False)
