"""lib/coap/observe.py: does every observer end up with the latest value, or forgotten?"""
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
# pyright: reportPossiblyUnboundVariable=false

import pytest

from coap.message import CON, NON, RST, Message, decode
from coap.observe import Observers, Order
from host_tests.coap.wire import CONTENT, EDGE, GET, Wire

OBSERVE, MAX_AGE = 6, 14
NOT_FOUND = 0x84


def notification(number, max_age=None):
    message = Message(CONTENT)
    message.add(OBSERVE, number)
    if max_age is not None:
        message.add(MAX_AGE, max_age)
    return message


# ---- at the client: which is newer


@pytest.mark.parametrize("last, new, newer", [
    (1, 2, True), (2, 1, False), (1, 1, False), (0xFFFFFF, 0, True), (0, 0xFFFFFF, False),
    (0, (1 << 23) - 1, True), (0, 1 << 23, False), ((1 << 23) + 5, 1, True),
])
def test_order(last, new, newer):
    """RFC 7641, section 3.4."""
    order = Order()
    assert order.take(notification(last), EDGE)
    assert order.take(notification(new), EDGE + 1000) == newer


def test_after_two_minutes_anything_is_newer():
    order = Order()
    order.take(notification(9), EDGE)
    assert not order.take(notification(5), EDGE + 128_000)
    assert order.take(notification(5), EDGE + 128_001)


@pytest.mark.parametrize("max_age, seconds", [(None, 60), (1, 1), (0, 0), (3600, 3600)])
def test_when_to_ask_again(max_age, seconds):
    order = Order()
    order.take(notification(1, max_age), EDGE)
    assert order.due_ms == EDGE + seconds * 1000 + 2000


# ---- the server, over the wire


class Scene:
    """A client that observes a counter of the server's."""

    def __init__(self, kind=CON, **options):
        self.wire = wire = Wire(**options)
        self.value = 0
        self.observers = Observers(wire.server.engine, limit=3)
        self.observers.on_free = self.notify
        wire.answer = self.answer
        request = Message(GET, type=kind)
        request.add(OBSERVE, 0)
        self.exchange = wire.request(request)

    def answer(self, incoming, message):
        response = Message(CONTENT, b"%d" % self.value)
        if message.uint(OBSERVE) == 0:
            response.add(OBSERVE, self.observers.register(message, "counter"))
        self.wire.server.engine.serving.respond(incoming, response, self.wire.now)

    def change(self, after_ms, count=1):
        def do():
            self.value += 1
            self.observers.changed("counter")
            self.notify()

        for n in range(count):
            self.wire.later.append((self.wire.now + after_ms + n, do))

    def notify(self):
        while observer := self.observers.stale():
            message = Message(CONTENT, b"%d" % self.value)
            self.observers.send(observer, message, self.wire.now)

    def heard(self):
        """The values that the client took for new ones."""
        order, values = Order(), []
        for event in self.wire.client.told("response"):
            if order.take(event[2], EDGE):
                values.append(int(event[2].payload))
        return values


def test_notifications_follow_the_response():
    scene = Scene()
    scene.change(1000)
    scene.change(2000)
    scene.wire.run(20_000)
    assert scene.heard() == [0, 1, 2]
    assert len(scene.observers.all) == 1


@pytest.mark.parametrize("kind", [CON, NON], ids=["CON", "NON"])
def test_the_latest_value_arrives_or_the_failure_is_known(kind):
    for bits in range(256):
        scene = Scene(kind, lost=lambda n, bits=bits: n < 8 and bits >> n & 1, seed=bits)
        scene.change(4000)
        scene.change(30_000, count=3)
        scene.change(300_000)  # finds those out who have given up
        scene.wire.run(600_000)
        heard = scene.heard()
        assert heard == sorted(set(heard)), "each once, in order"
        if kind == CON and scene.observers.all:
            assert heard[-1] == 5, f"{bits:08b}: {heard}"
        failed = scene.wire.client.told("failed")
        assert heard or failed
        if failed and not heard:
            assert scene.exchange.state != 3
        if not bits:
            assert heard[-1] == 5 and not failed


def test_the_latest_value_replaces_what_could_not_be_sent_yet():
    """RFC 7641, section 4.5.1: one notification is under way, however fast the value changes."""
    scene = Scene(lost=lambda n: n == 2)  # the first transmission of the first notification
    scene.change(1000, count=50)
    scene.wire.run(20_000)
    assert scene.heard() == [0, 1, 50]
    notifications = [d for who, d in scene.wire.sent if who == "server"]
    assert len(notifications) == 1 + 2 + 1


def test_what_is_not_confirmable_is_confirmed_now_and_then():
    scene = Scene(NON)
    for n in range(9):
        scene.change(5000 * (n + 1))
    scene.wire.run(100_000)
    kinds = [decode(d).type for who, d in scene.wire.sent if who == "server"]
    assert kinds == [NON] * 8 + [CON, NON]


def test_an_observer_that_went_away_is_forgotten():
    scene = Scene(lost=lambda n: n >= 2)
    scene.change(1000)
    scene.wire.run(200_000)
    assert not scene.observers.all
    assert not scene.wire.server.engine.exchanges


def test_a_reset_cancels():
    """RFC 7641, section 3.6."""
    scene = Scene()
    engine = scene.wire.client.engine
    scene.wire.later.append(
        (scene.wire.now + 500, lambda: engine.cancel(scene.exchange, scene.wire.now))
    )
    scene.change(1000)
    scene.wire.run(20_000)
    assert decode(scene.wire.sent[-1][1]).type == RST
    assert not scene.observers.all


def test_a_reset_of_what_is_not_confirmable_cancels_too():
    scene = Scene(NON)
    engine = scene.wire.client.engine
    scene.wire.later.append(
        (scene.wire.now + 500, lambda: engine.cancel(scene.exchange, scene.wire.now))
    )
    scene.change(1000)
    scene.wire.run(20_000)
    assert not scene.observers.all


def test_an_error_is_the_last_notification():
    scene = Scene()
    scene.wire.run(100)
    observer = scene.observers.all[0]
    scene.observers.send(observer, Message(NOT_FOUND), scene.wire.now)
    scene.wire.run(20_000)
    assert not scene.observers.all
    last = scene.wire.client.told("response")[-1][2]
    assert (last.code, last.get(OBSERVE)) == (NOT_FOUND, None)
    assert scene.exchange.state == 5


def test_the_one_heard_of_longest_ago_gives_way():
    scene = Scene()
    scene.wire.run(100)
    for number in range(10_000):
        request = Message(GET)
        request.peer, request.token = f"peer {number}", b"t"
        scene.observers.register(request, "other")
    assert len(scene.observers.all) == 3
    assert scene.observers.evicted == 9_998


def test_registering_again_replaces():
    scene = Scene()
    scene.wire.run(100)
    request = Message(GET)
    request.add(OBSERVE, 0)
    request.token = scene.wire.server.told("request")[0][2].token
    scene.wire.request(request)
    scene.wire.run(1000)
    assert len(scene.observers.all) == 1


def test_who_has_proven_nothing_is_sent_no_more_than_three_times_its_request():
    from coap.proof import Proofs

    scene = Scene()
    scene.wire.run(100)
    engine = scene.wire.server.engine
    engine.serving.proofs = Proofs(b"secret")
    request = Message(GET)
    request.peer, request.token = "victim", b"t"
    scene.observers.register(request, "counter", room=60)
    sent = 0
    for value in range(50):
        scene.observers.changed("counter")
        while observer := scene.observers.stale():
            scene.observers.send(observer, Message(CONTENT, b"%d" % value), scene.wire.now)
        scene.wire.now += 200_000
        for _ in range(6):
            engine.on_timer(scene.wire.now)
            scene.wire.now += 200_000
            while out := engine.next_out():
                sent += len(out[0]) if out[1] == "victim" else 0
            while event := engine.next_event():
                event[1].event = event
                event[1].waiter.set()
    assert 0 < sent <= 60
