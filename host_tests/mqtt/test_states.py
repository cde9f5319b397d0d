"""Every state of the engine and of a publish, times everything that can come: the whole table.

A cell says what happens: an event, "error" and the clause, "" for nothing, and what is written.
"""

import pytest

from host_tests import packets
from host_tests.mqtt.pair import JUST_BELOW, engine
from mqtt.packet import ProtocolError

CONNACK, CONNACK5 = packets.connack(), b"\x20\x03\0\0\0"
KEEPALIVE_MS, ACK_MS = 60_000, 10_000

ARRIVALS = {
    "CONNACK": b"\x20\x02\0\0",
    "PUBLISH 0": packets.publish(b"t", b"x"),
    "PUBLISH 1": packets.publish(b"t", b"x", 1, False, 9),
    "PUBLISH 2": packets.publish(b"t", b"x", 2, False, 9),
    "PUBACK": b"\x40\x02\0\1",
    "PUBREC": b"\x50\x02\0\1",
    "PUBREL": b"\x62\x02\0\1",
    "PUBCOMP": b"\x70\x02\0\1",
    "SUBACK": b"\x90\x03\0\1\0",
    "UNSUBACK": b"\xb0\x02\0\1",
    "PINGRESP": b"\xd0\0",
    "DISCONNECT": b"\xe0\0",
    "AUTH": b"\xf0\0",
    "CONNECT": b"\x10\0",
    "SUBSCRIBE": b"\x82\0",
    "PINGREQ": b"\xc0\0",
}
NOTHING = ("", "")
RELEASE, COMPLETE = "62020001", "70020001"
PUBLISHES = {
    "PUBLISH 0": ("publish", ""), "PUBLISH 1": ("publish", "40020009"),
    "PUBLISH 2": ("publish", "50020009"),
}
OPEN = {
    "CONNACK": ("3.2.0-1", ""), **PUBLISHES, "PUBACK": NOTHING, "PUBREC": ("", RELEASE),
    "PUBREL": ("", COMPLETE), "PUBCOMP": NOTHING, "SUBACK": NOTHING,
    "UNSUBACK": NOTHING, "PINGRESP": NOTHING, "DISCONNECT": ("2.2.1", ""),
    "AUTH": ("2.2.1", ""),
    **dict.fromkeys(("CONNECT", "SUBSCRIBE", "PINGREQ"), ("2.2.2-2", "")),
}
WRONG = {"SUBACK": ("3.8.4-2", ""), "UNSUBACK": ("3.8.4-2", "")}  # packet 1 awaits another
TABLE = {
    "closed": dict.fromkeys(ARRIVALS, NOTHING),
    "connecting": {
        **dict.fromkeys(ARRIVALS, ("3.2.0-1", "")), "CONNACK": ("connack", ""),
        **dict.fromkeys(("CONNECT", "SUBSCRIBE", "PINGREQ"), ("2.2.2-2", "")),
    },
    "open": OPEN,
    # packet 1 is under way, and what has become of it
    "QoS 1": {**OPEN, **WRONG, "PUBACK": ("acked", ""), "PUBREC": ("4.3", ""),
              "PUBCOMP": ("4.3", "")},
    "QoS 2": {**OPEN, **WRONG, "PUBACK": ("4.3", ""), "PUBCOMP": ("4.3", "")},
    "QoS 2 received": {**OPEN, **WRONG, "PUBACK": ("4.3", ""), "PUBCOMP": ("acked", "")},
    "subscribing": {**OPEN, **WRONG, "SUBACK": ("suback", ""), "PUBACK": ("4.3", ""),
                    "PUBREC": ("4.3", ""), "PUBCOMP": ("4.3", "")},
    "unsubscribing": {**OPEN, **WRONG, "UNSUBACK": ("unsuback", ""), "PUBACK": ("4.3", ""),
                      "PUBREC": ("4.3", ""), "PUBCOMP": ("4.3", "")},
    # a publish that is not written again yet, after a connection was lost
    "QoS 1 unsent": {**OPEN, "PUBREC": NOTHING},
    "QoS 2 unsent": {**OPEN, "PUBREC": NOTHING},
}


def in_state(name, now=JUST_BELOW):
    made = engine()
    if name == "closed":
        return made
    made.connect(now)
    take(made)
    if name == "connecting":
        return made
    made.receive(CONNACK, now)
    assert made.next_event() == "connack"
    if name == "subscribing":
        made.subscribe(["s", 0])
    elif name == "unsubscribing":
        made.unsubscribe(["s"])
    elif name.startswith("QoS"):
        made.publish("t", b"x", int(name[4]))
    take(made)
    if name == "QoS 2 received":
        made.receive(ARRIVALS["PUBREC"], now)
        assert made.next_event() is None
        take(made)
    elif name.endswith("unsent"):
        made.lost()
        made.connect(now)
        take(made)
        made.receive(packets.connack(session=1), now)
        assert made.next_event() == "connack"
    return made


def take(made, now=JUST_BELOW):
    data = bytes(made.next_out())
    if data:
        made.sent(len(data), now)
    return data


@pytest.mark.parametrize("arrival", ARRIVALS)
@pytest.mark.parametrize("state", TABLE)
def test_the_table(state, arrival):
    event, answer = TABLE[state][arrival]
    made = in_state(state)
    made.receive(ARRIVALS[arrival], JUST_BELOW)
    if event[:1].isdigit():
        with pytest.raises(ProtocolError, match="MQTT " + event.replace(".", r"\.") + r"$"):
            made.next_event()
        return
    assert (made.next_event() or "") == event
    if event == "publish" and made.qos:
        made.accept(made.packet_id)
    assert made.next_event() is None
    written = take(made).hex()
    if state.endswith("unsent"):  # the publish comes again, with DUP, behind the answer
        assert ("3a" if "1" in state else "3c") in written
        written = written[: len(answer)]
    assert written == answer


# ---- what the caller does, by state


@pytest.mark.parametrize("state", TABLE)
def test_what_the_caller_may_do(state):
    made = in_state(state)
    is_open = state not in ("closed", "connecting")
    for qos in range(3):
        assert (made.publish("t", b"y", qos) is not None) == is_open
    made.on_timer(JUST_BELOW + 1)
    assert made.next_event() is None
    made.accept(77)  # nothing to accept
    made.disconnect()
    if is_open:
        assert take(made).endswith(packets.DISCONNECT)
    made.lost()
    assert made.deadline() is None and not made.next_out()
    made.connect(JUST_BELOW)
    assert take(made)[:1] == b"\x10"


# ---- time


def test_silence_is_pinged_and_then_given_up():
    made = in_state("open")
    half, end = JUST_BELOW + KEEPALIVE_MS // 2, JUST_BELOW + KEEPALIVE_MS * 5 // 4
    assert made.deadline() == half
    made.on_timer(half - 1)
    assert made.next_event() is None and take(made) == b""
    made.on_timer(half)
    assert made.next_event() is None and take(made, half) == packets.PINGREQ
    assert made.deadline() == end
    made.on_timer(end - 1)
    assert made.next_event() is None
    made.on_timer(end)
    assert made.next_event() == "lost" and "silent" in made.text
    assert made.next_event() is None and made.deadline() is None


def test_a_pingresp_is_a_sign_of_life():
    made, now = in_state("open"), JUST_BELOW
    for _ in range(1000):
        now = made.deadline()
        made.on_timer(now)
        assert made.next_event() is None and take(made, now) == packets.PINGREQ
        made.receive(packets.PINGRESP, now)
        assert made.next_event() is None


def test_we_say_something_even_if_the_broker_never_stops_talking():
    made, now, pings = in_state("open"), JUST_BELOW, 0
    for _ in range(1000):
        now += 1000
        made.receive(ARRIVALS["PUBLISH 0"], now)
        assert made.next_event() == "publish"
        made.on_timer(now)
        assert made.next_event() is None
        pings += take(made, now) == packets.PINGREQ
    assert pings >= 1000 * 1000 // KEEPALIVE_MS


@pytest.mark.parametrize("state", ["connecting", "QoS 1", "QoS 2", "QoS 2 received",
                                   "subscribing", "unsubscribing"])
def test_an_answer_that_does_not_come_ends_the_connection(state):
    made = in_state(state)
    made.on_timer(JUST_BELOW + 7)  # the wait begins here at the latest
    due = made.deadline()
    assert JUST_BELOW < due <= JUST_BELOW + 7 + ACK_MS
    made.on_timer(due - 1)
    assert made.next_event() is None
    made.on_timer(due)
    assert made.next_event() == "lost" and "no acknowledgement" in made.text


def test_bytes_that_the_network_does_not_take_end_the_connection():
    made = in_state("open")
    made.publish("t", b"x")
    assert made.deadline() == 0
    made.on_timer(JUST_BELOW)
    made.on_timer(JUST_BELOW + ACK_MS)
    assert made.next_event() == "lost"


def test_the_wait_begins_anew_with_every_answer():
    made = in_state("open")
    now = JUST_BELOW
    for _ in range(20):
        made.publish("t", b"x", 1)
        take(made, now)
        made.on_timer(now)
        now += ACK_MS - 1
        made.on_timer(now)
        assert made.next_event() is None
        made.receive(packets.puback(made.flight.entries[0].packet_id), now)
        assert made.next_event() == "acked"


def test_a_keepalive_of_0_is_none():
    made = engine(keepalive_s=0)
    made.connect(0)
    take(made, 0)
    made.receive(CONNACK, 0)
    assert made.next_event() == "connack"
    assert made.deadline() is None


# ---- the window and the packet ids


def test_the_window_is_kept():
    made = in_state("open")
    made.window = made.most = 3
    assert [made.publish("t", b"x", 1 + n % 2) for n in range(4)] == [1, 2, 3, None]
    take(made)
    made.receive(packets.puback(1), 0)
    assert made.next_event() == "acked"
    assert made.publish("t", b"x", 1) == 4


def test_seventy_thousand_publishes_have_legal_ids():
    made = in_state("open")
    last = 0
    for n in range(70_000):
        packet_id = made.publish("t", b"x", 1)
        assert packet_id == last % 65535 + 1
        last = packet_id
        take(made)
        made.receive(packets.puback(packet_id), n)
        assert made.next_event() == "acked"


def test_an_id_in_use_is_passed_over():
    made = in_state("open")
    made.flight.next_id = 65535
    assert made.publish("t", b"x", 2) == 65535
    assert made.publish("t", b"x", 1) == 1
    made.flight.next_id = 65535
    assert made.publish("t", b"x", 1) == 2


def test_what_waits_for_room_leaves_in_its_order():
    made = in_state("open")
    payload = bytes(300)
    assert [made.publish("t", payload, 1) for _ in range(3)] == [1, 2, 3]
    out = b""
    for _ in range(3):
        part = take(made)
        assert len(part) <= 512
        out += part
    assert out == b"".join(packets.publish(b"t", payload, 1, False, n) for n in (1, 2, 3))


def test_a_publish_that_never_fits_is_refused_at_once():
    for state in ("open", "closed"):
        with pytest.raises(ValueError, match="at most 512"):
            in_state(state).publish("t", bytes(508), 1)


# ---- inbound


def test_a_publish_too_large_is_skipped_and_acknowledged():
    made = in_state("open")
    big = packets.publish(b"t", bytes(5000), 1, False, 5)
    event = None
    for at in range(0, len(big), 100):
        made.receive(big[at : at + 100], 0)
        event = made.next_event()
    assert event == "publish" and made.skipped == len(big) and not made.payload
    assert take(made) == packets.puback(5)
    made.receive(packets.publish(b"t", b"next"), 0)
    assert made.next_event() == "publish" and made.payload == b"next" and not made.skipped


def test_a_repeated_qos_2_publish_is_handed_out_once():
    made = in_state("open")
    made.receive(ARRIVALS["PUBLISH 2"] * 2, 0)
    assert made.next_event() == "publish" and made.next_event() is None
    assert take(made) == b""  # nobody has taken it yet
    made.accept(9)
    assert take(made) == b"\x50\x02\0\x09"
    made.receive(ARRIVALS["PUBLISH 2"], 0)
    assert made.next_event() is None and take(made) == b"\x50\x02\0\x09"
    made.receive(b"\x62\x02\0\x09", 0)
    assert made.next_event() is None and take(made) == b"\x70\x02\0\x09"
    made.receive(ARRIVALS["PUBLISH 2"], 0)
    assert made.next_event() == "publish"


def test_what_was_not_accepted_cannot_be_on_the_next_connection():
    made = in_state("open")
    made.receive(ARRIVALS["PUBLISH 1"], 0)
    assert made.next_event() == "publish"
    made.lost()
    made.connect(0)
    take(made)
    made.receive(packets.connack(session=1), 0)
    assert made.next_event() == "connack"
    made.accept(9)
    assert take(made) == b""


def test_a_flood_waits_until_our_answers_have_left():
    made = in_state("open")
    made.receive(b"\x62\x02\0\x01" * 500, JUST_BELOW)
    written = b""
    while made.unread():
        assert made.next_event() is None
        written += take(made)
    assert written + take(made) == b"\x70\x02\0\x01" * 500


MALFORMED = [
    (b"\x20\x02\x02\0", "3.2.2-4"), (b"\x20\x02\1\1", "3.2.2-4"), (b"\x20\x03\0\0\0", "3.2.2-4"),
    (b"\x20\x00", "3.2.2-4"),
]


@pytest.mark.parametrize("data, clause", MALFORMED)
def test_a_connack_that_must_not_come(data, clause):
    made = in_state("connecting")
    made.receive(data, 0)
    with pytest.raises(ProtocolError, match=clause):
        made.next_event()


def test_a_session_cannot_be_present_after_a_clean_start():
    made = engine(clean=True)  # [MQTT-3.2.2-1]
    made.connect(0)
    take(made)
    made.receive(packets.connack(session=1), 0)
    with pytest.raises(ProtocolError):
        made.next_event()


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 200])
def test_a_refused_connection(code):
    made = in_state("connecting")
    made.receive(packets.connack(code), 0)
    assert made.next_event() == "connack" and made.code == code
    assert made.deadline() is None and made.publish("t", b"") is None


@pytest.mark.parametrize("data, clause", [
    (b"\x36\x06\0\1t\0\1x", "2.2.2-2"),  # [MQTT-3.3.1-4] QoS 3
    (b"\x38\x04\0\1tx", "2.2.2-2"),  # [MQTT-3.3.1-2] DUP at QoS 0
    (b"\x60\x02\0\1", "2.2.2-2"), (b"\x41\x02\0\1", "2.2.2-2"), (b"\x00\x00", "2.2.2-2"),
    (b"\x30\xff\xff\xff\xff\x01", "2.2.3"),
    (b"\x30\x02\0\0", "3.3.2-2"), (b"\x30\x03\0\1+", "3.3.2-2"), (b"\x30\x04\0\2a#", "3.3.2-2"),
    (b"\x30\x03\0\1\0", "3.3.2-2"), (b"\x30\x04\0\2\xc3\x28", "3.3.2-2"),
    (b"\x30\x05\0\3\xed\xa0\x80", "3.3.2-2"), (b"\x30\x04\0\2\xc0\x80", "3.3.2-2"),
    (b"\x30\x03\0\5t", "3.3.2"), (b"\x30\x01\0", "3.3.2"), (b"\x32\x04\0\1t\0", "3.3.2"),
    (b"\x32\x05\0\1t\0\0", "2.3.1-1"), (b"\x40\x02\0\0", "2.3.1-1"), (b"\x40\x01\0", "2.3.1-1"),
    (b"\x62\x02\0\0", "2.3.1-1"), (b"\x40\x03\0\1\0", "3.4.2"), (b"\xd0\x01\0", "2.2.1"),
])
def test_a_packet_that_must_not_come(data, clause):
    made = in_state("open")
    made.receive(data, 0)
    with pytest.raises(ProtocolError, match="MQTT " + clause + "$"):
        made.next_event()


@pytest.mark.parametrize("codes", [b"", b"\x03", b"\0\0", b"\x7f", b"\x81"])
def test_a_suback_that_must_not_come(codes):
    made = in_state("subscribing")
    made.receive(bytes([0x90, 2 + len(codes), 0, 1]) + codes, 0)
    with pytest.raises(ProtocolError, match=r"3\.9\.3-2"):
        made.next_event()


def test_what_must_be_saved_says_so():
    """resume.py: before a publish of QoS 2 leaves, before its PUBREL, before PUBREC of theirs."""
    made = in_state("open")

    def changed():
        was, made.changed = made.changed, False
        return was

    assert changed()  # a new session
    made.publish("t", b"x", 1)
    take(made)
    assert not changed()
    made.publish("t", b"x", 2)
    assert changed()
    take(made)
    made.receive(b"\x50\x02\0\2", JUST_BELOW)
    assert made.next_event() is None and changed()
    take(made)
    made.receive(b"\x70\x02\0\2", JUST_BELOW)
    assert made.next_event() == "acked" and not changed()
    made.receive(ARRIVALS["PUBLISH 2"], JUST_BELOW)
    assert made.next_event() == "publish" and not changed()
    made.accept(9)
    assert changed()


def test_a_pubcomp_that_knows_no_such_id_is_an_end_like_any_other():
    """[MQTT-4.3.3-1] 0x92 (5): PUBREL was repeated, after its PUBCOMP was lost."""
    made = engine(5)
    made.connect(JUST_BELOW)
    take(made)
    made.receive(b"\x20\3\0\0\0", JUST_BELOW)
    assert made.next_event() == "connack"
    made.publish("t", b"x", 2)
    take(made)
    made.receive(b"\x50\2\0\1", JUST_BELOW)
    assert made.next_event() is None
    take(made)
    made.receive(b"\x70\3\0\1\x92", JUST_BELOW)
    assert (made.next_event(), made.packet_id, made.code) == ("acked", 1, 0)
