"""What the engine writes, against packets made after the standard elsewhere: host_tests/packets.py
for 3.1.1, paho's properties for 5.0. What it reads comes whole, byte by byte and with more behind.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from host_tests import packets
from host_tests.mqtt.pair import engine
from host_tests.packets import text, with_length
from mqtt import properties
from mqtt.packet import ProtocolError
from mqtt.session import Engine

CONNACK5 = b"\x20\x03\0\0\0"
LETTER = st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="+#")
NAME = st.text(LETTER, min_size=1, max_size=64)


def up(level=4, **options):
    """An engine whose connection is open at time 0."""
    made = engine(level, **options)
    made.connect(0)
    made.sent(len(made.next_out()), 0)
    made.receive(packets.connack() if level == 4 else CONNACK5, 0)
    assert made.next_event() == "connack"
    return made


def out(made):
    data = bytes(made.next_out())
    made.sent(len(data), 0)
    return data


@settings(deadline=None, max_examples=40)
@given(
    client_id=NAME, keepalive_s=st.integers(1, 65535), user=st.none() | NAME,
    will=st.none() | st.tuples(NAME, st.binary(max_size=99)), password=st.none() | NAME,
)
def test_connect_3_1_1(client_id, keepalive_s, user, will, password):
    password = password if user else None
    made = Engine(
        client_id, keepalive_s, username=user, password=password,
        will=will and (*will, 1, True),
    )
    made.connect(0)
    expected = packets.connect(
        client_id.encode(), keepalive_s, will and (will[0].encode(), will[1]),
        user and user.encode(), password and password.encode(),
    )
    written = out(made)
    if user and password is None:  # then packets.py sends an empty one, and we none
        flags = written.index(b"MQTT") + 5
        assert written[flags] & 0xC0 == 0x80
        written = expected
    assert written == expected


@settings(deadline=None, max_examples=40)
@given(topic=NAME, payload=st.binary(max_size=300), qos=st.integers(0, 2), retain=st.booleans())
def test_publish_3_1_1(topic, payload, qos, retain):
    made = up()
    assert made.publish(topic, payload, qos, retain) == (1 if qos else 0)
    assert out(made) == packets.publish(topic.encode(), payload, qos, retain, 1)


def test_subscribe_and_unsubscribe_3_1_1():
    made = up()
    assert made.subscribe(["a/+", 1, "ß/#", 2]) == 1
    body = b"\0\1" + text(b"a/+") + b"\1" + text("ß/#".encode()) + b"\2"
    assert out(made) == with_length(0x82, body)
    assert made.unsubscribe(["a/+", "b"]) == 2
    assert out(made) == with_length(0xA2, b"\0\2" + text(b"a/+") + text(b"b"))
    made.disconnect()
    assert out(made) == packets.DISCONNECT


@pytest.mark.parametrize("length", [0, 1, 110, 111, 127, 128, 16_383, 16_384, 65_000])
def test_the_remaining_length_of_any_size(length):
    made = up(out_bytes=70_000)
    made.publish("t", bytes(length))
    assert out(made) == packets.publish(b"t", bytes(length))


# ---- properties, 5.0

PAHO = {
    "content_type": "ContentType", "response_topic": "ResponseTopic",
    "correlation_data": "CorrelationData", "message_expiry_interval": "MessageExpiryInterval",
    "payload_format_indicator": "PayloadFormatIndicator", "user_property": "UserProperty",
    "session_expiry_interval": "SessionExpiryInterval", "receive_maximum": "ReceiveMaximum",
    "topic_alias_maximum": "TopicAliasMaximum", "maximum_packet_size": "MaximumPacketSize",
    "request_problem_information": "RequestProblemInformation", "topic_alias": "TopicAlias",
    "will_delay_interval": "WillDelayInterval", "reason_string": "ReasonString",
    "server_reference": "ServerReference", "server_keep_alive": "ServerKeepAlive",
    "assigned_client_identifier": "AssignedClientIdentifier", "maximum_qos": "MaximumQoS",
    "retain_available": "RetainAvailable", "subscription_identifier": "SubscriptionIdentifier",
    "response_information": "ResponseInformation",
    "request_response_information": "RequestResponseInformation",
    "wildcard_subscription_available": "WildcardSubscriptionAvailable",
    "subscription_identifier_available": "SubscriptionIdentifierAvailable",
    "shared_subscription_available": "SharedSubscriptionAvailable",
}
ANY = st.text(LETTER, max_size=20)
PUBLISH_PROPERTIES = st.fixed_dictionaries({}, optional={
    "content_type": ANY, "response_topic": NAME, "correlation_data": st.binary(max_size=20),
    "message_expiry_interval": st.integers(0, 2**32 - 1),
    "payload_format_indicator": st.integers(0, 1),
    "user_property": st.lists(st.tuples(ANY, ANY), min_size=1, max_size=3),
    "topic_alias": st.integers(1, 65535),
})
CONNECT_PROPERTIES = st.fixed_dictionaries({}, optional={
    "session_expiry_interval": st.integers(0, 2**32 - 1), "receive_maximum": st.integers(1, 65535),
    "topic_alias_maximum": st.integers(0, 65535), "maximum_packet_size": st.integers(1, 2**28 - 1),
    "request_problem_information": st.integers(0, 1),
    "request_response_information": st.integers(0, 1),
})


def paho(kind, given):
    made = Properties(kind)
    for name, value in given.items():
        for item in value if isinstance(value, list) else [value]:
            setattr(made, PAHO[name], item)
    return made


@settings(deadline=None, max_examples=40)
@given(given=PUBLISH_PROPERTIES)
def test_properties_of_a_publish_both_ways(given):
    check_properties(PacketTypes.PUBLISH, given)


@settings(deadline=None, max_examples=40)
@given(given=CONNECT_PROPERTIES)
def test_properties_of_a_connect_both_ways(given):
    check_properties(PacketTypes.CONNECT, given)


def check_properties(kind, given):
    ours, theirs = properties.encode(kind, given), paho(kind, given).pack()
    assert properties.decode(kind, ours, 0) == (given, len(ours))
    assert properties.decode(kind, theirs, 0) == (given, len(theirs))
    assert len(ours) == len(theirs)
    read, _ = Properties(kind).unpack(ours)
    for name, value in given.items():
        assert getattr(read, PAHO[name]) == value


def test_every_property_stands_where_paho_says():
    """The whole table: which property in which packet."""
    kinds = {**{n: n for n in range(1, 16)}, 0: PacketTypes.WILLMESSAGE}
    names = {"authentication_method": "AuthenticationMethod",
             "authentication_data": "AuthenticationData", **PAHO}
    known = Properties(PacketTypes.CONNECT)
    numbers = {name: known.getIdentFromName(camel) for name, camel in names.items()}
    assert len(numbers) == len(properties._NAMES)
    theirs = known.properties
    for name, number in numbers.items():
        place = 4 * properties._NAMES.index(name)
        assert properties._TABLE[place] == number, name
        for ours, paho_kind in kinds.items():
            allowed = paho_kind in theirs[number][1]
            assert bool(properties._allowed(place, ours)) == allowed, (name, ours)


@pytest.mark.parametrize("kind, given", [
    (3, {"topic_alias": 0}), (1, {"receive_maximum": 0}), (1, {"maximum_packet_size": 0}),
    (1, {"request_problem_information": 2}), (3, {"no_such": 1}), (3, {"receive_maximum": 1}),
    (8, {"subscription_identifier": 0}), (8, {"subscription_identifier": 1 << 28}),
    (3, {"content_type": "a\0b"}), (3, {"message_expiry_interval": 1 << 32}),
    (3, {"content_type": "x" * 65536}), (3, {"message_expiry_interval": -1}),
])
def test_a_property_that_cannot_be_sent(kind, given):
    with pytest.raises(ValueError):
        properties.encode(kind, given)


@pytest.mark.parametrize("kind, data", [
    (3, b"\x05\x23\0\1\x23\0\2"), (3, b"\x06\x23\0\1\x23\0\2"),  # twice (2.2.2.2)
    (3, b"\x02\x01\x02"), (3, b"\x03\x23\0\0"), (3, b"\x02\x0b\0"), (2, b"\x03\x21\0\0"),
    (3, b"\x03\x21\0\1"), (3, b"\x02\x7f\0"), (3, b"\x03\x03\0\5"), (3, b"\x04\x03\0\1\0"),
    (3, b"\x05\x03\0\2\xc3\x28"), (3, b"\x81\0"), (3, b"\x09\x23"), (3, b""), (3, b"\x80"),
    (3, b"\x05\x26\0\1a\0"), (3, b"\x01\x26"), (3, b"\x03\x26\0\x01"),
])
def test_a_property_that_must_not_come(kind, data):
    with pytest.raises(ProtocolError):
        properties.decode(kind, data, 0)


# ---- topics and text


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0b", "x" * 65536, b"\xff", b"\xc0\x80",
                                   b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe0\x80\xaf"])
def test_a_topic_that_cannot_be_published_to(topic):
    with pytest.raises(ValueError):
        up(out_bytes=70_000).publish(topic, b"")


@pytest.mark.parametrize("topic", ["a/#/b", "a#", "+a", "a/b+", "", "$share/x", "$share//a",
                                   "$share/+/a", "$share/x/", "a\0"])
def test_a_filter_that_cannot_be_subscribed_to(topic):
    with pytest.raises(ValueError):
        up().subscribe([topic, 0])


@pytest.mark.parametrize("topic_filter, topic, match", [
    ("#", "a", 1), ("#", "$SYS/a", 0), ("+/a", "$SYS/a", 0), ("$SYS/#", "$SYS/a", 1),
    ("a/#", "a", 1), ("a/#", "a/b/c", 1), ("a/+", "a", 0), ("a/+", "a/", 1), ("+", "a", 1),
    ("a/+/c", "a/b/c", 1), ("a/+/c", "a/b/d", 0), ("/+", "/a", 1), ("+/+", "/a", 1),
    ("a/b", "a/b/c", 0), ("a/b/c", "a/b", 0), ("$share/g/a/+", "a/b", 1),
])
def test_which_topics_a_filter_means(topic_filter, topic, match):
    from mqtt.filters import matches

    assert matches(topic_filter.encode(), topic.encode()) == bool(match)


# ---- any split

TALKS = {
    4: [
        packets.publish(b"a/b", b"hello"), packets.publish("ä".encode(), b"", 1, True, 7),
        packets.publish(b"x", bytes(200), 2, False, 8), b"\x62\x02\0\x08", packets.PINGRESP,
        packets.puback(1), b"\x50\x02\0\x02", packets.suback(3, 1),
        b"\xb0\x02\0\x04",
    ],
    5: [
        with_length(0x30, text(b"a/b") + b"\x03\x23\0\1hello"),
        with_length(0x30, b"\0\0\x03\x23\0\1x"),
        with_length(0x33, text(b"c") + b"\0\x07" + b"\x07\x26\0\1a\0\1b" + b"payload"),
        b"\x40\x02\0\1", b"\x50\x04\0\2\x10\0",
        with_length(0x90, b"\0\3\0\1"), with_length(0xB0, b"\0\4\0\x11"), packets.PINGRESP,
        with_length(0xE0, b"\x8b\x0b\x1f\0\x08shutdown"),
    ],
}


def waiting(level):
    """An engine that waits for every kind of answer: ids 1 to 4."""
    made = up(level, properties={"topic_alias_maximum": 1}) if level == 5 else up()
    made.publish("t", b"1", 1)
    made.publish("t", b"2", 2)
    made.subscribe(["s", 1])
    made.unsubscribe(["u"])
    out(made)
    return made


def listen(made, data):
    """What an engine makes of some bytes."""
    made.receive(data, 1)
    heard = []
    while event := made.next_event():
        told = [event, made.code if event != "publish" else 0, made.properties]
        if event == "publish":
            told += [made.topic, bytes(made.payload), made.qos, made.retain, made.dup]
            if made.qos:
                made.accept(made.packet_id)
        heard.append(told)
        out(made)
    out(made)
    return heard


@pytest.mark.parametrize("level", [4, 5])
def test_a_conversation_in_any_pieces(level):
    whole = b"".join(TALKS[level])
    expected = listen(waiting(level), whole)
    assert len(expected) >= 6
    for size in (1, 2, 3, 7, 64):
        made, heard = waiting(level), []
        for at in range(0, len(whole), size):
            heard += listen(made, whole[at : at + size])
        assert heard == expected
    for end in range(len(whole)):  # what is behind changes nothing of what is before
        heard = listen(waiting(level), whole[:end])
        assert heard == expected[: len(heard)]


@pytest.mark.parametrize("level", [4, 5])
def test_every_truncation_and_every_bit_flip_is_told(level):
    """It is an event, a ProtocolError or nothing yet; never anything else."""
    for packet in TALKS[level]:
        cases = [packet[:end] + packets.PINGRESP + packet for end in range(len(packet))]
        for place in range(8 * len(packet)):
            bad = bytearray(packet)
            bad[place >> 3] ^= 1 << (place & 7)
            cases.append(bytes(bad) + packets.PINGRESP + packet)
        for case in cases:
            try:
                listen(waiting(level), case)
            except ProtocolError as error:
                assert error.code in (0x81, 0x82, 0x8C, 0x94, 0x95)


def test_a_short_fuzz(seed):
    """`make fuzz` is the long one."""
    from host_tests.mqtt.fuzz import converse

    rng = random.Random(seed)
    for _ in range(1000):
        converse(rng)
