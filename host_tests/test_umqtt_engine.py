"""lib/umqtt_engine.py under MicroPython, with each umqtt.simple at hand.

What it writes is compared with packets built in packets.py after MQTT 3.1.1; what it reads comes
whole, a byte at a time, with more behind it, cut, and with every bit flipped.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tests.chip import Chip
from host_tests.packets import (
    DISCONNECT,
    PINGREQ,
    PINGRESP,
    connack,
    connect,
    puback,
    publish,
    suback,
    subscribe,
)

KEEPALIVE_MS, ACK_MS = 30_000, 10_000


# ---- an engine on a device


class Remote:
    """The engine: each method is called there. `out` and `events` are of the last call."""

    def __init__(self, chip):
        self._chip, self.out, self.events = chip, b"", []

    def make(
        self, client_id=b"d1", will=None, user=None, password=None,
        keepalive_ms=KEEPALIVE_MS, ack_ms=ACK_MS, out_bytes=1280, in_bytes=1024,
    ):
        texts = [None if data is None else data.hex() for data in (user, password)]
        will = will and [part.hex() for part in will]
        self._chip.call(
            "make", client_id.hex(), keepalive_ms, ack_ms, will, *texts, out_bytes, in_bytes
        )
        return self

    def play(self, *steps):
        """Several calls at once; returns the answers of the device."""
        coded = [[p.hex() if isinstance(p, bytes) else p for p in step] for step in steps]
        return [Answer(**answer) for answer in self._chip.call("play", coded)]

    def __getattr__(self, method):
        def call(*arguments, hold=False):
            """`hold`: what is to be sent is not sent yet."""
            (answer,) = self.play([method + "+" * hold, *arguments])
            self.out, self.events = answer.out, answer.events
            if answer.raised:
                raise RaisedThere(*answer.raised)
            return answer.returned

        return call

    def up(self, **options):
        """A connection that is open at time 0."""
        self.make(**options)
        self.connect(0)
        self.receive(connack(), 0)
        return self


class RaisedThere(Exception):
    pass


class Answer:
    def __init__(self, returned, raised, events, out):
        self.returned, self.raised, self.out = returned, raised, bytes.fromhex(out)
        self.events = [
            (name, bytes.fromhex(rest[0]), bytes.fromhex(rest[1]), *rest[2:])
            if name == "publish" else (name, *rest)
            for name, *rest in events
        ]


@pytest.fixture(scope="module")
def chips():
    """Chips that run already, by version of umqtt.simple."""
    running = {}
    yield running
    for chip in running.values():
        chip.__exit__()


@pytest.fixture
def chip(chips, umqtt):
    if umqtt not in chips:
        chips[umqtt] = Chip("engines", umqtt=umqtt, heap="4M")
    return chips[umqtt]


@pytest.fixture
def engine(chip):
    return Remote(chip)


# ---- what it writes


def fuzz(examples):
    """Every example makes an engine of its own, so that they may share the chip."""
    return settings(
        max_examples=examples, deadline=None, print_blob=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


LETTER = st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])
NAME = st.text(LETTER, min_size=1, max_size=64)


@fuzz(40)
@given(
    data=st.data(), client_id=NAME.map(str.encode), keepalive_s=st.integers(1, 3600),
    user=st.none() | NAME.map(str.encode), will=st.none() | st.tuples(NAME, NAME),
)
def test_connect_is_what_the_standard_says(chip, data, client_id, keepalive_s, user, will):
    password = data.draw(st.none() | st.binary(max_size=100)) if user else None
    will = will and tuple(part.encode() for part in will)
    engine = Remote(chip).make(client_id, will, user, password, keepalive_ms=keepalive_s * 1000)
    engine.connect(0)
    assert engine.out == connect(client_id, keepalive_s, will, user, password)


@fuzz(60)
@given(
    topic=NAME.map(str.encode), payload=st.binary(max_size=600), qos=st.integers(0, 1),
    retain=st.booleans(),
)
def test_publish_is_what_the_standard_says(chip, topic, payload, qos, retain):
    engine = Remote(chip).up()
    packet_id = engine.publish(topic, payload, retain, qos, 0)
    assert packet_id == (1 if qos else None)
    assert engine.out == publish(topic, payload, qos, retain, 1)


@pytest.mark.parametrize("length", [1, 81, 122])
def test_subscribe_is_what_the_standard_says(engine, length):
    topic = ("ß" * length).encode()[: length // 2 * 2] + b"x" * (length % 2)
    engine.up()
    assert engine.subscribe(topic, 0) == 1
    assert engine.out == subscribe(topic, 1)


def test_a_keepalive_in_milliseconds_is_rounded_up(engine):
    engine.make(keepalive_ms=1500).connect(0)
    assert engine.out == connect(b"d1", 2)


def test_disconnect_and_ping_are_what_the_standard_says(engine):
    engine.up()
    engine.on_timer(KEEPALIVE_MS // 2)
    assert engine.out == PINGREQ
    engine.disconnect()
    assert engine.out == DISCONNECT


def test_what_was_not_sent_of_one_connection_is_not_sent_on_the_next(engine):
    engine.up()
    engine.publish(b"t", b"left over", False, 1, 0, hold=True)
    engine.receive(publish(b"c", b"half of a command")[:9], 0, hold=True)
    engine.connect(5)
    assert engine.out == connect(b"d1", KEEPALIVE_MS // 1000)
    engine.receive(connack(), 6)
    assert engine.events == [("connack", 0)]
    assert engine.publish(b"t", b"new", False, 1, 7) != 1 or engine.out[-3:] == b"new"


# ---- what it reads

TOPIC = "devices/gärtnerei/commands".encode()
COMMAND = publish(TOPIC, b'{"cmd":"ping"}', qos=1, packet_id=0x1234)
CONVERSATION = [  # a method and its arguments, what comes then, and what is told
    (("connect", 0), connack(session=1), [("connack", 0)]),
    (("subscribe", b"c", 1), suback(1), [("suback", 1)]),
    (("publish", b"t", b"birth", True, 1, 2), puback(2), [("puback", 2)]),
    (("publish", b"t", b"x", False, 0, 3), b"", []),
    (("on_timer", 4), publish(b"c", b"", qos=0, retain=True), [("publish", b"c", b"", 1, 0)]),
    (("on_timer", 5), COMMAND, [("publish", TOPIC, b'{"cmd":"ping"}', 0, 0)]),
    (("on_timer", 6), PINGRESP, []),
    (("publish", b"t", bytes(300), False, 1, 7), puback(3), [("puback", 3)]),
    (
        ("on_timer", 8), publish(b"c", bytes(2000), qos=1, packet_id=9),
        [("publish", b"c", b"", 0, len(publish(b"c", bytes(2000), qos=1, packet_id=9)))],
    ),
]


@pytest.mark.parametrize("how", ["receive", "trickle"])
def test_a_conversation_whole_and_byte_by_byte(engine, how):
    engine.make()
    for (method, *arguments), comes, told in CONVERSATION:
        getattr(engine, method)(*arguments)
        getattr(engine, how)(comes, 9)
        assert engine.events == told
        acknowledges = {COMMAND: puback(0x1234), CONVERSATION[-1][1]: puback(9)}
        assert engine.out == acknowledges.get(comes, b"")


@pytest.mark.parametrize("size", [1, 3, 64, 10_000])
def test_a_stream_cut_anywhere_tells_the_same(engine, size):
    """All packets at once, in pieces that end inside of them and hold the start of the next."""
    engine.up()
    engine.publish(b"t", b"x", False, 1, 0)
    stream = COMMAND + PINGRESP + puback(1) + CONVERSATION[4][1] + CONVERSATION[-1][1] + COMMAND
    events, out = [], b""
    for start in range(0, len(stream), size):
        engine.receive(stream[start : start + size], 0)
        events += engine.events
        out += engine.out
    command = CONVERSATION[5][2][0]
    oversize = CONVERSATION[-1][2][0]
    assert events == [command, ("puback", 1), CONVERSATION[4][2][0], oversize, command]
    assert out == puback(0x1234) + puback(9) + puback(0x1234)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 255])
def test_every_return_code_is_told(engine, code):
    engine.make().connect(0)
    engine.receive(connack(code), 1)
    assert engine.events == [("connack", code)]


@pytest.mark.parametrize("granted", [0, 1, 2, 0x80])
def test_every_granted_qos_is_told(engine, granted):
    engine.up().subscribe(b"c", 0)
    engine.receive(suback(1, granted), 1)
    assert engine.events == [("suback", granted)]


INBOUND = {
    "connack": connack(), "suback": suback(1), "puback": puback(1), "pingresp": PINGRESP,
    "publish 0": publish(b"c/d", b"payload"), "publish 1": publish(b"c/d", b"payload", 1, True, 7),
    "oversize": publish(b"c/d", bytes(200), 1, False, 7), "empty": publish(b"c", b""),
}


@pytest.mark.parametrize("how", ["cut", "flip"])
@pytest.mark.parametrize("name", INBOUND)
def test_a_spoilt_packet_is_told_or_refused(chip, name, how):
    """Every truncation and every flipped bit: events or ProtocolError, and never anything else."""
    assert chip.call("spoil", INBOUND[name].hex(), how) == []


PIECES = st.sampled_from(list(INBOUND.values())) | st.binary(max_size=12)


@fuzz(150)
@given(pieces=st.lists(PIECES, max_size=8))
def test_rubbish_is_told_or_refused(chip, pieces):
    assert chip.call("rubbish", b"".join(pieces).hex()) is None


@pytest.mark.parametrize("packet, why", [
    (bytes.fromhex("30ffffffff01"), "a remaining length of more than four bytes"),
    (bytes.fromhex("0000"), "an unexpected packet of type 0 and 2 bytes"),
    (bytes.fromhex("4003000100"), "an unexpected packet of type 4 and 5 bytes"),
    (bytes.fromhex("200100"), "an unexpected packet of type 2 and 3 bytes"),
    (bytes.fromhex("c000"), "an unexpected packet of type 12 and 2 bytes"),
    (publish(b"c", b"x", qos=2, packet_id=1), "a publish of QoS 2, which was not subscribed to"),
    (bytes.fromhex("3001ff"), "a publish shorter than its topic says"),
    (bytes.fromhex("3002000563"), "a publish shorter than its topic says"),
    (bytes.fromhex("3203000163"), "a publish shorter than its topic says"),
], ids=lambda value: value.hex() if isinstance(value, bytes) else "")
def test_what_is_refused_is_called_by_its_name(engine, packet, why):
    engine.up()
    with pytest.raises(RaisedThere) as raised:
        engine.receive(packet + bytes(8), 0)
    assert raised.value.args == ("ProtocolError", why)


def test_acknowledgements_of_nothing_are_ignored(engine):
    engine.up()
    engine.receive(puback(1) + suback(9) + connack() + PINGRESP + puback(0), 0)
    assert (engine.events, engine.out) == ([], b"")
    engine.publish(b"t", b"x", False, 1, 0)
    engine.receive(puback(2) + puback(0) + suback(1) + connack(), 0)
    assert engine.events == []
    engine.receive(puback(1) + puback(1), 0)
    assert engine.events == [("puback", 1)]


# ---- packets that are too large


@pytest.mark.parametrize("more", [-1, 0, 1, 2, 5000])
@pytest.mark.parametrize("qos", [0, 1])
def test_what_does_not_fit_is_skipped_acknowledged_and_reported(engine, qos, more):
    in_bytes = 256
    head = len(publish(b"a/c", bytes(200), qos)) - 200
    payload = bytes(range(256)) * 21
    packet = publish(b"a/c", payload[: in_bytes - head + more], qos, packet_id=5)
    fits = len(packet) <= in_bytes
    assert fits == (more <= 0)
    engine.up(in_bytes=in_bytes)
    engine.receive(packet + PINGRESP + publish(b"a/c", b"next"), 0)
    told = payload[: in_bytes - head + more] if fits else b""
    assert engine.events == [
        ("publish", b"a/c", told, 0, 0 if fits else len(packet)),
        ("publish", b"a/c", b"next", 0, 0),
    ]
    assert engine.out == (puback(5) if qos else b"")


@pytest.mark.parametrize("length", [1, 81, 121, 123, 124, 200])
def test_the_topic_of_what_is_skipped_may_be_long(engine, length):
    topic = b"t" * length
    packet = publish(topic, bytes(1000), qos=1, packet_id=5)
    engine.up(in_bytes=512)
    engine.receive(packet, 0)
    assert engine.events == [("publish", topic, b"", 0, len(packet))]
    assert engine.out == puback(5)


@pytest.mark.parametrize("words", ["64-bit", "32-bit"])
def test_a_hundred_kilobytes_take_no_memory(umqtt, words):
    with Chip("engines", words, umqtt=umqtt, heap="64K" if words == "32-bit" else "112K") as chip:
        Remote(chip).up()
        events, out = chip.call("swallow", 100_000, 256)
    assert events == [["publish", b"c".hex(), "", 0, 100_000 + 5 + 4]]
    assert bytes.fromhex(out) == puback(7)


# ---- packet ids


def test_ids_wrap_and_skip_zero(engine):
    engine.up()
    engine.next_id(65_534)
    ids = []
    for _ in range(4):
        ids.append(engine.publish(b"t", b"x", False, 1, 0))
        assert engine.out == publish(b"t", b"x", 1, False, ids[-1])
        engine.receive(puback(ids[-1]), 0)
        assert engine.events == [("puback", ids[-1])]
    assert ids == [65_534, 65_535, 1, 2]
    engine.next_id(65_535)
    assert [engine.subscribe(b"c", 0), engine.subscribe(b"c", 0)] == [65_535, 1]


def test_a_session_of_65536_and_10_publishes(chip):
    Remote(chip).up()
    assert chip.call("many_publishes", 65_546, 1, deadline_s=60) == [[65_535, 1], 11]


# ---- time


def test_a_silent_connection_is_pinged_once_and_then_given_up(engine):
    engine.up()
    half, late = KEEPALIVE_MS // 2, KEEPALIVE_MS * 5 // 4
    for now, out in ((half - 1, b""), (half, PINGREQ), (half + 1, b""), (late - 1, b"")):
        engine.on_timer(now)
        assert (engine.out, engine.events) == (out, []), now
    engine.on_timer(late)
    assert engine.events == [("lost", f"the broker has been silent for {late} ms")]


@pytest.mark.parametrize("comes", [PINGRESP, publish(b"c", b"x"), COMMAND[:3]])
def test_whatever_the_broker_says_is_a_sign_of_life(engine, comes):
    engine.up()
    engine.on_timer(KEEPALIVE_MS // 2)
    now = KEEPALIVE_MS // 2 + 5000
    engine.receive(comes, now)
    engine.on_timer(now + KEEPALIVE_MS // 2 - 1)
    assert (engine.out, engine.events) == (b"", [])
    engine.on_timer(now + KEEPALIVE_MS // 2)
    assert engine.out == PINGREQ
    engine.on_timer(now + KEEPALIVE_MS * 5 // 4 - 1)
    assert engine.events == []
    engine.on_timer(now + KEEPALIVE_MS * 5 // 4)
    assert [name for name, _ in engine.events] == ["lost"]


def test_what_we_send_is_no_sign_of_the_broker_s_life(engine):
    """Publishes of QoS 0 into a half-open connection do not keep it."""
    engine.up()
    events = []
    for now in range(0, KEEPALIVE_MS * 3 // 2, 1000):
        engine.publish(b"t", b"x", False, 0, now)
        engine.on_timer(now)
        events += engine.events
    assert events[0][0] == "lost"


def test_what_the_broker_sends_is_no_sign_of_ours(engine):
    """Section 3.1.2.10: the client must send something within each keepalive, also while publishes
    of QoS 0 keep coming in.
    """
    engine.up()
    silent = longest = 0
    for now in range(0, 10 * KEEPALIVE_MS, 1000):
        engine.receive(publish(b"c", b"x"), now)
        engine.on_timer(now)
        silent = 0 if engine.out else silent + 1000
        longest = max(longest, silent)
    assert longest < KEEPALIVE_MS


@pytest.mark.parametrize("asks, answer", [
    (("connect", 1000), connack()),
    (("subscribe", b"c", 1000), suback(1)),
    (("publish", b"t", b"x", False, 1, 1000), puback(1)),
], ids=["connect", "subscribe", "publish"])
def test_an_acknowledgement_has_a_deadline(engine, asks, answer):
    engine.up(keepalive_ms=3_600_000)
    method, *arguments = asks
    getattr(engine, method)(*arguments)
    engine.on_timer(1000 + ACK_MS - 1)
    assert engine.events == []
    engine.on_timer(1000 + ACK_MS)
    assert engine.events == [("lost", f"no acknowledgement within {ACK_MS} ms")]
    engine.receive(answer, 1000 + ACK_MS)
    engine.on_timer(1000 + 2 * ACK_MS)
    assert engine.events == []


def test_other_packets_do_not_prolong_the_deadline(engine):
    engine.up()
    engine.publish(b"t", b"x", False, 1, 0)
    for now in range(0, ACK_MS, 500):
        engine.receive(COMMAND + PINGRESP + puback(77), now)
    engine.on_timer(ACK_MS)
    assert [name for name, *_ in engine.events] == ["lost"]


# ---- memory for what waits to be sent


@pytest.mark.parametrize("qos", [0, 1])
def test_a_publish_that_does_not_fit_leaves_what_waits_as_it_was(engine, qos):
    engine.up(out_bytes=128)
    engine.publish(b"t", b"first", False, 0, 0, hold=True)
    with pytest.raises(RaisedThere) as raised:
        engine.publish(b"t", bytes(200), False, qos, 0, hold=True)
    assert raised.value.args == ("ValueError", "more than 128 bytes wait to be sent")
    engine.publish(b"t", b"second", False, 0, 0)
    assert engine.out == publish(b"t", b"first") + publish(b"t", b"second")
    engine.on_timer(ACK_MS)
    assert engine.events == [], "nothing is owed for what was not written"


def test_it_fits_to_the_last_byte(engine):
    engine.up(out_bytes=128)
    for room in (0, 1):
        payload = bytes(128 - len(publish(b"t", bytes(100))) + 100 + room)
        if room:
            with pytest.raises(RaisedThere, match="more than 128 bytes"):
                engine.publish(b"t", payload, False, 0, 0)
        else:
            engine.publish(b"t", payload, False, 0, 0)
            assert engine.out == publish(b"t", payload)


def test_a_ping_that_finds_no_room_is_no_crash(engine):
    """What waits is a sign of our life by itself, and a peer that takes none of it is lost."""
    engine.up(out_bytes=128)
    payload = bytes(128 - len(publish(b"t", bytes(100))) + 100)
    engine.publish(b"t", payload, False, 0, 0, hold=True)
    engine.on_timer(KEEPALIVE_MS // 2, hold=True)
    engine.on_timer(KEEPALIVE_MS * 5 // 4)
    assert [name for name, *_ in engine.events] == ["lost"]
    assert engine.out[:128] == publish(b"t", payload)


def test_commands_that_can_not_be_acknowledged_any_more_end_the_connection(engine):
    engine.up(out_bytes=64)
    with pytest.raises(RaisedThere) as raised:
        engine.receive(publish(b"c", b"x", 1, False, 7) * 17, 0)
    assert raised.value.args == ("ProtocolError", "more publishes than can be acknowledged")
