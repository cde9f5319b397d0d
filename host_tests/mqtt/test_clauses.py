"""What both standards ask of a client, clause by clause; (5) marks those of MQTT 5.0 alone.

Those that the tables of `test_states.py` and the exchanges of `test_every_byte.py` show are named
in `SHOWN_ELSEWHERE`.
"""

import re

import pytest

from host_tests import packets
from host_tests.mqtt import clauses
from host_tests.mqtt.pair import Pair, engine
from host_tests.mqtt.test_packets import out, up
from host_tests.packets import text, with_length
from mqtt.five import Five
from mqtt.packet import ProtocolError
from mqtt.session import Engine
from petrel import ROOT

BOTH = pytest.mark.parametrize("level", [4, 5])
BOM = "\ufeff"

SHOWN_ELSEWHERE = {
    "test_states.py": """2.2.2-2 2.3.1-1 2.3.1-2 2.2.1-3 (5) 3.2.0-1 3.2.0-1 (5) 3.2.0-2 (5)
        3.2.2-1 3.2.2-4 3.3.1-2 3.3.1-4 3.3.1-2 (5) 3.3.1-4 (5) 3.3.2-1 3.3.2-2 3.3.2-1 (5)
        3.3.2-2 (5) 3.3.4-1 3.3.4-1 (5) 3.9.3-2 3.1.2-23 3.1.2-20 (5) 4.3.2-1 4.3.2-2 4.3.3-1
        4.3.3-2 4.8.0-1 4.8.0-2 1.5.3-1 1.5.3-2 1.5.4-1 (5) 1.5.4-2 (5) 4.7.1-1 4.7.0-1 (5)
        4.7.3-1 4.7.3-2 4.3.2-3 (5) 4.3.2-4 (5) 4.3.2-5 (5) 4.3.3-3 (5) 4.3.3-4 (5)
        4.3.3-5 (5) 4.3.3-8 (5) 4.3.3-10 (5) 4.3.3-11 (5) 4.3.3-12 (5)""",
    "test_packets.py": """3.1.0-1 3.1.0-1 (5) 3.1.2-1 (5) 3.1.2-9 3.1.2-9 (5) 3.1.2-11
        3.1.2-11 (5) 3.1.2-13 3.1.2-13 (5) 3.1.2-15 3.1.2-18 3.1.2-19 3.1.2-20 3.1.2-21
        3.1.2-16 (5) 3.1.2-17 (5) 3.1.2-18 (5) 3.1.2-19 (5) 3.1.3-1 3.1.3-3 3.1.3-1 (5)
        3.1.3-3 (5) 2.2.2-1 2.1.3-1 (5) 2.2.2-1 (5) 2.3.1-5 2.2.1-2 (5) 1.5.5-1 (5) 4.3.1-1
        4.3.1-1 (5) 3.8.1-1 3.8.1-1 (5) 3.10.1-1 3.10.1-1 (5) 3.10.3-1 3.10.3-1 (5) 3.8.3-1
        3.8.3-1 (5) 4.7.1-2 4.7.1-3 4.7.2-1 4.7.1-1 (5) 4.7.1-2 (5)
        3.3.2-13 (5) 3.3.2-19 (5) 3.1.2-24 (5)""",
    "test_every_byte.py": """2.3.1-3 2.3.1-6 2.2.1-5 (5) 3.1.2-4 3.1.2-23 (5) 3.1.3-2 3.1.3-2 (5)
        3.3.1-1 3.3.1-1 (5) 3.6.1-1 3.6.1-1 (5) 4.1.0-1 4.1.0-1 (5) 4.4.0-1 4.4.0-1 (5)
        4.3.2-1 (5) 4.3.2-2 (5) 4.3.3-1 (5) 4.3.3-2 (5) 4.3.3-6 (5) 4.6.0-1 4.6.0-1 (5)
        3.2.2-5 (5)""",
    "../websocket/test_mqtt.py": "6.0.0-2 6.0.0-2 (5) 7.1.2-1 4.2.0-1 (5)",
    "../websocket/test_engine.py": "6.0.0-1 6.0.0-1 (5) 6.0.0-3 6.0.0-3 (5)",
}


def connected(more=b"", **options):
    """An engine of 5.0 whose broker has given these properties, encoded."""
    made = engine(5, **options)
    made.connect(0)
    out(made)
    made.receive(with_length(0x20, b"\0\0" + bytes((len(more),)) + more), 0)
    assert made.next_event() == "connack"
    return made


def refused(made, data, clause):
    made.receive(data, 0)
    with pytest.raises(ProtocolError, match=re.escape(clause)):
        made.next_event()


# ---- CONNECT


@BOTH
def test_fields_of_connect(level):
    """[MQTT-3.1.3-4] [MQTT-3.1.3-4] (5) the client id, [MQTT-3.1.3-10] [MQTT-3.1.3-11] (5) the
    will's topic and [MQTT-3.1.3-11] [MQTT-3.1.3-12] (5) the username are UTF-8; [MQTT-3.1.2-14]
    [MQTT-3.1.2-12] (5) the will's QoS is 0, 1 or 2.
    """
    for wrong in (
        {"client_id": b"\xff"}, {"username": b"\xed\xa0\x80"}, {"will": (b"\xc0\x80", b"", 0, 0)},
        {"will": ("w", b"", 3, 0)}, {"will": ("w/#", b"", 0, 0)},
    ):
        options = {"client_id": "c", **wrong, "five": Five() if level == 5 else None}
        with pytest.raises(ValueError):
            Engine(**options).connect(0)


def test_what_3_1_1_does_not_allow_in_connect():
    """[MQTT-3.1.3-7] no client id without a clean session; [MQTT-3.1.2-22] no password without a
    username.
    """
    with pytest.raises(ValueError):
        Engine("", clean=False)
    with pytest.raises(ValueError):
        Engine("c", password="p")


def test_no_authentication_method():
    """[MQTT-4.12.0-7] (5) no AUTH from us, and [MQTT-4.12.0-6] (5) none for us."""
    with pytest.raises(ValueError):
        Five({"authentication_method": "x"})
    refused(connected(), b"\xf0\0", "4.12.0-6")


# ---- CONNACK, 5.0


@pytest.mark.parametrize("answer, clause", [
    (b"\2\0\0", "3.2.2"),  # [MQTT-3.2.2-1] (5) a reserved flag
    (b"\1\x87\0", "3.2.2"),  # [MQTT-3.2.2-6] (5) a session with a refusal
    (b"\0\3\0", "3.2.2-8"),  # [MQTT-3.2.2-8] (5) a code that is none
])
def test_a_connack_that_must_not_come(answer, clause):
    made = engine(5)
    made.connect(0)
    out(made)
    refused(made, with_length(0x20, answer), clause)


def test_a_session_after_a_clean_start():
    """[MQTT-3.2.2-2] (5)"""
    made = engine(5, clean=True)
    made.connect(0)
    out(made)
    refused(made, b"\x20\3\1\0\0", "3.2.2")


def test_the_keepalive_is_the_broker_s():
    """[MQTT-3.1.2-21] (5) [MQTT-3.2.2-21] (5)"""
    made = connected(b"\x13\0\x05", keepalive_s=60)
    assert made.keepalive_ms == 5000
    made.on_timer(2500)
    assert made.next_event() is None
    assert out(made) == packets.PINGREQ
    made.connect(3000)
    assert made.keepalive_ms == 60_000  # which asks for its own again


def test_what_the_broker_does_not_take_is_not_sent():
    """[MQTT-3.2.2-11] (5) no higher QoS, [MQTT-3.2.2-14] (5) nothing retained, [MQTT-3.2.2-15] (5)
    nothing larger.
    """
    made = connected(b"\x24\1\x25\0\x27\0\0\0\x1e")
    for arguments in (("t", b"", 2), ("t", b"", 1, True), ("t", bytes(30), 1)):
        with pytest.raises(ValueError):
            made.publish(*arguments)
    with pytest.raises(ValueError):
        made.subscribe(["a" * 30, 0])
    assert made.publish("t", b"x", 1) == 1
    assert out(made)


def test_aliases_are_as_many_as_the_broker_takes():
    """[MQTT-3.2.2-17] (5) [MQTT-3.3.2-9] (5) [MQTT-3.3.2-8] (5) 1 to its maximum, [MQTT-3.2.2-18]
    (5) none without one, [MQTT-3.3.2-7] (5) none of an earlier connection.
    """
    made = connected(b"\x22\0\2")
    for topic in ("first", "second", "third", "first"):
        made.publish(topic, b"x")
    assert out(made) == (
        with_length(0x30, text(b"first") + b"\3#\0\1x")
        + with_length(0x30, text(b"second") + b"\3#\0\2x")
        + with_length(0x30, text(b"third") + b"\0x")
        + with_length(0x30, text(b"") + b"\3#\0\1x")
    )
    made.lost()
    made.connect(0)
    out(made)
    made.receive(b"\x20\3\0\0\0", 0)
    assert made.next_event() == "connack"
    made.publish("first", b"x")
    assert out(made) == with_length(0x30, text(b"first") + b"\0x")


# ---- PUBLISH


def test_a_qos_that_is_none():
    """[MQTT-3.3.1-4]"""
    with pytest.raises(ValueError):
        up().publish("t", b"", 3)


@pytest.mark.parametrize("given", [
    {"subscription_identifier": 1},  # [MQTT-3.3.4-6] (5)
    {"topic_alias": 1},
    {"response_topic": "a/+"},  # [MQTT-3.3.2-14] (5)
])
def test_properties_that_a_client_must_not_publish_with(given):
    with pytest.raises(ValueError):
        connected(b"\x22\0\2").publish("t", b"", 0, False, given)


def test_aliases_from_the_broker():
    """[MQTT-3.3.2-10] (5) all up to our maximum, [MQTT-3.1.2-26] (5) none above it,
    [MQTT-3.1.2-27] (5) and without one none at all; [MQTT-3.3.2-7] (5) forgotten with the
    connection.
    """
    def alias(topic, number):
        return with_length(0x30, text(topic) + b"\3#\0" + bytes((number,)))

    made = connected(properties={"topic_alias_maximum": 2})
    for packet in (alias(b"a", 1), alias(b"b", 2), alias(b"", 1)):
        made.receive(packet, 0)
        assert made.next_event() == "publish"
    assert made.topic == b"a"
    refused(made, alias(b"c", 3), "3.3.2-9")
    refused(connected(), alias(b"a", 1), "3.3.2-9")
    made = connected(properties={"topic_alias_maximum": 2})
    made.receive(alias(b"a", 1), 0)
    assert made.next_event() == "publish"
    made.lost()
    made.connect(0)
    out(made)
    made.receive(b"\x20\3\0\0\0", 0)
    assert made.next_event() == "connack"
    refused(made, alias(b"", 1), "3.3.2-8")


def test_more_publishes_than_we_said_we_would_hold():
    """[MQTT-3.3.4-9] (5)"""
    made = connected(properties={"receive_maximum": 2})
    for packet_id in (1, 2):
        made.receive(with_length(0x32, text(b"t") + bytes((0, packet_id, 0))), 0)
        assert made.next_event() == "publish"
    made.receive(with_length(0x32, text(b"t") + bytes((0, 2, 0))), 0)  # no third
    assert made.next_event() == "publish"
    refused(made, with_length(0x32, text(b"t") + bytes((0, 3, 0))), "3.3.4-9")
    assert out(made) == b"\xe0\1\x93"


def test_the_byte_order_mark_stays():
    """[MQTT-1.5.3-3] [MQTT-1.5.4-3] (5)"""
    made = up()
    name = (BOM + "t").encode()
    made.publish(BOM + "t", b"x")
    assert out(made) == packets.publish(name, b"x")
    made.receive(packets.publish(name, b"x"), 0)
    assert made.next_event() == "publish"
    assert made.topic == name


# ---- the window


@BOTH
def test_only_publishes_wait_for_the_window(level):
    """[MQTT-3.3.4-7] (5) [MQTT-4.9.0-1] (5) [MQTT-4.9.0-2] (5) no more publishes than the broker
    takes; [MQTT-3.3.4-8] (5) [MQTT-4.9.0-3] (5) all else goes on.
    """
    made = up(window=2) if level == 4 else connected(b"\x21\0\2", window=2)
    for qos in (1, 2):
        made.publish("t", b"x", qos)
    assert out(made)
    assert made.publish("t", b"x", 1) is None
    made.subscribe(["s", 0])
    assert out(made)[0] == 0x82
    made.receive(b"\x50\2\0\2", 0)
    assert made.next_event() is None
    assert out(made) == b"\x62\2\0\2"


def test_a_smaller_window_after_a_reconnect():
    """[MQTT-3.3.4-7] (5): five are owed, the new connection takes two at once."""
    made = connected(window=8)
    for _ in range(5):
        made.publish("t", b"x", 1)
    out(made)
    made.lost()
    made.connect(0)
    out(made)
    made.receive(b"\x20\6\1\0\3\x21\0\2", 0)
    assert made.next_event() == "connack"
    assert out(made).count(b"\x3a") == 2
    made.receive(packets.puback(1), 0)
    assert made.next_event() == "acked"
    assert out(made).count(b"\x3a") == 1


def test_pubrels_in_the_order_of_their_pubrecs():
    """[MQTT-4.6.0-4] [MQTT-4.6.0-4] (5)"""
    made = up()
    for _ in range(3):
        made.publish("t", b"x", 2)
    out(made)
    made.receive(b"\x50\2\0\3\x50\2\0\1\x50\2\0\2", 0)
    assert made.next_event() is None
    assert out(made) == b"\x62\2\0\3\x62\2\0\1\x62\2\0\2"
    made.lost()
    made.connect(0)
    out(made)
    made.receive(packets.connack(session=1), 0)
    assert made.next_event() == "connack"
    assert out(made) == b"\x62\2\0\3\x62\2\0\1\x62\2\0\2"


@pytest.mark.parametrize("qos", [1, 2])
def test_a_refused_publish_is_over(qos):
    """[MQTT-4.4.0-2] (5)"""
    made = connected()
    made.publish("t", b"x", qos)
    out(made)
    made.receive(bytes((0x40 if qos == 1 else 0x50, 3, 0, 1, 0x97)), 0)
    assert (made.next_event(), made.code) == ("acked", 0x97)
    made.lost()
    made.connect(0)
    out(made)
    made.receive(b"\x20\3\1\0\0", 0)
    assert made.next_event() == "connack"
    assert out(made) == b""


@pytest.mark.parametrize("packet, clause", [
    (b"\x40\3\0\1\3", "3.4.2-1"),  # [MQTT-3.4.2-1] (5)
    (b"\x50\3\0\1\3", "3.4.2-1"),  # [MQTT-3.5.2-1] (5)
    (b"\x62\3\0\1\x10", "3.4.2-1"),  # [MQTT-3.6.2-1] (5)
    (b"\x70\3\0\1\x10", "3.4.2-1"),  # [MQTT-3.7.2-1] (5)
    (b"\xe0\1\3", "3.14.2-1"),  # [MQTT-3.14.2-1] (5)
    (b"\xe1\0", "2.2.2-2"),  # [MQTT-3.14.1-1] (5)
])
def test_codes_and_flags_that_are_none(packet, clause):
    refused(connected(), packet, clause)


def test_codes_that_we_send():
    """[MQTT-3.6.2-1] (5) [MQTT-3.7.2-1] (5): a packet id that we do not know."""
    made = connected()
    made.receive(b"\x62\2\0\7\x50\2\0\7", 0)
    assert made.next_event() is None
    assert out(made) == b"\x70\3\0\7\x92\x62\3\0\7\x92"


# ---- SUBSCRIBE


@pytest.mark.parametrize("level, options", [
    (4, 3), (4, 4), (4, 128),  # [MQTT-3.8.3-4]
    (5, 3), (5, 0x30), (5, 0x40), (5, 0x80),  # [MQTT-3.8.3-5] (5)
])
def test_options_that_are_none(level, options):
    with pytest.raises(ValueError):
        up(level).subscribe(["t", options])


def test_filters_that_are_none():
    """[MQTT-4.8.2-1] (5) [MQTT-4.8.2-2] (5) shared; [MQTT-3.8.3-4] (5) and not No Local;
    [MQTT-4.7.3-3] [MQTT-4.7.3-3] (5) no longer than 65535 bytes, [MQTT-4.7.3-1] (5) not empty,
    [MQTT-4.7.3-2] (5) without U+0000.
    """
    made = up(5, out_bytes=100_000)
    for wrong in ("$share", "$share/a", "$share//a", "$share/a+/b", "$share/a/", "", "\0",
                  "a" * 65_536):
        with pytest.raises(ValueError):
            made.subscribe([wrong, 0])
    for right in ("$share/a/b", "$share/a/#", "$shared", "a" * 65_535):
        assert made.subscribe([right, 4 if right == "$shared" else 0])
    with pytest.raises(ValueError):
        made.subscribe(["$share/a/b", 4])


@BOTH
def test_at_least_one_filter(level):
    """[MQTT-3.8.3-3] [MQTT-3.8.3-2] (5) [MQTT-3.10.3-2] [MQTT-3.10.3-2] (5)"""
    with pytest.raises((ValueError, IndexError)):
        up(level).subscribe([])


@pytest.mark.parametrize("answer", [b"\0\1\0", b"\0\1\0\0\0", b"\0\1\0\3"])
def test_an_answer_to_a_subscription_that_must_not_come(answer):
    """[MQTT-3.9.3-1] [MQTT-3.9.3-1] (5) [MQTT-3.9.3-2] (5) [MQTT-3.11.3-1] (5) [MQTT-3.11.3-2] (5)
    a code for each filter.
    """
    made = connected()
    made.subscribe(["t", 0])
    out(made)
    refused(made, with_length(0x90, answer), "3.")


# ---- the end


@BOTH
def test_nothing_follows_disconnect(level):
    """[MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-3.14.4-1] (5) [MQTT-3.14.4-2] (5)"""
    pair = Pair(level)
    pair.connect()
    made = pair.engine
    made.publish("t", b"x", 1)
    made.disconnect()
    assert made.publish("t", b"x") is None
    made.receive(pair.connection.publish(b"t", b"x", 1), 0)
    assert made.next_event() is None
    made.on_timer(1 << 40)
    assert made.next_event() is None
    assert out(made).endswith(packets.DISCONNECT)
    assert out(made) == b""


def test_a_fault_of_the_broker_ends_the_connection():
    """[MQTT-4.13.1-1] (5) [MQTT-4.13.2-1] (5): with the reason, as the last word."""
    made = connected()
    refused(made, b"\x30\4\0\1+\0", "3.3.2")
    assert out(made) == b"\xe0\1\x81"
    made.receive(packets.publish(b"t", b"x"), 0)
    assert made.next_event() is None


# ---- all of them


def tagged():
    """Every clause that a test of this folder or of the WebSocket's names."""
    found = set()
    for folder in ("mqtt", "websocket"):
        for path in (ROOT / "host_tests" / folder).glob("test_*.py"):
            joined = re.sub(r"\s*\n\s*", " ", path.read_text())
            found |= {number + (mark or "") for number, mark in
                      re.findall(r"\[MQTT-([\d.]+-\d+)\]( \(5\))?", joined)}
    for words in SHOWN_ELSEWHERE.values():
        found |= {number + mark for number, mark in re.findall(r"([\d.]+-\d+)( \(5\))?", words)}
    return found


def test_every_clause_of_a_client_is_shown():
    missing = [clause for clause in clauses.of_the_client() if clause not in tagged()]
    assert not missing, missing


def test_what_is_shown_elsewhere_is_there():
    for name in SHOWN_ELSEWHERE:
        assert (ROOT / "host_tests" / "mqtt" / name).exists(), name
