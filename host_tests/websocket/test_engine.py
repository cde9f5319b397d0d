"""Handshake, sending, keeping time: one engine, and two wired to each other."""

import random

import pytest

from host_tests.websocket.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY,
    PING,
    PONG,
    SPLITS,
    TEXT,
    bytewise,
    close_payload,
    engine,
    feed,
    fixed_key,
    frame,
    parse,
    take,
)
from websocket.engine import CLOSED, CLOSING, OPEN, OPENING, Engine
from websocket.errors import HandshakeError, ProtocolError
from websocket.handshake import Handshake, accept

NONCE = b"the sample nonce"  # of the RFC's example, section 1.3
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
GOOD = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Accept": ACCEPT,
    "Sec-WebSocket-Protocol": "chat",
}
BEFORE_THE_WRAP = (1 << 30) - 5


def answer(status="HTTP/1.1 101 Switching Protocols", **changes):
    """The server's answer; changes: a header's name with _ for -, None leaves it out."""
    headers = {**GOOD, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [status, *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def opening(protocol="chat", **options):
    handshake = Handshake("example.com:8000", "/chat", NONCE, protocol)
    side = Engine(fixed_key, handshake, now=BEFORE_THE_WRAP, **options)
    assert take(side) == handshake.request
    return side


# ---- the handshake


def test_the_request():
    more = [("Authorization", "Basic eA==")]
    handshake = Handshake("example.com", "/a?b=c", NONCE, "mqtt", more)
    assert handshake.request.decode().split("\r\n") == [
        "GET /a?b=c HTTP/1.1",
        "Host: example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: mqtt",
        "Authorization: Basic eA==",
        "",
        "",
    ]


def test_the_accept_of_the_rfc():
    assert accept(b"dGhlIHNhbXBsZSBub25jZQ==").decode() == ACCEPT


@pytest.mark.parametrize("split", SPLITS)
def test_an_answer_and_the_message_behind_it(split):
    side = opening()
    events, _, failure = feed(side, answer() + frame(TEXT, b"hello"), split)
    assert failure is None
    assert events == [("open", "chat"), ("text", "hello")]
    assert side.state == OPEN


@pytest.mark.parametrize("good", [
    answer(Upgrade="WebSocket"),
    answer(Connection="keep-alive, upgrade"),
    answer(Set_Cookie="x" * 3000),
    answer(X="ä".encode().decode("latin-1")),
    answer().replace(b": ", b":").replace(b"Upgrade", b"UPGRADE"),
    answer().replace(b"\r\n", b"\n"),
], ids=range(6))
def test_answers_that_are_taken(good):
    assert feed(opening(), good)[0] == [("open", "chat")]


REFUSED = {
    "not found": answer("HTTP/1.1 404 Not Found"),
    "a redirect": answer("HTTP/1.1 302 Found", Location="/elsewhere"),
    "HTTP/1.0": answer("HTTP/1.0 101 Switching Protocols"),
    "no HTTP": b"\x20\x02\x00\x00\r\n",
    "no UTF-8": b"\xff\xff\r\n",
    "no number": answer("HTTP/1.1 yes"),
    "no upgrade": answer(Upgrade=None),
    "upgrade to something else": answer(Upgrade="h2c"),
    "no connection": answer(Connection=None),
    "connection without it": answer(Connection="keep-alive"),
    "no accept": answer(Sec_WebSocket_Accept=None),
    "a wrong accept": answer(Sec_WebSocket_Accept=ACCEPT.lower()),
    "no protocol": answer(Sec_WebSocket_Protocol=None),
    "another protocol": answer(Sec_WebSocket_Protocol="Chat"),
    "an extension": answer(Sec_WebSocket_Extensions="permessage-deflate"),
    "too much": answer(X="x" * 9000),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("split", SPLITS)
def test_answers_that_are_refused(case, split):
    side = opening()
    events, answered, failure = feed(side, REFUSED[case], split)
    assert (events, answered) == ([], [])
    assert isinstance(failure, HandshakeError)
    assert side.state == CLOSED


def test_the_status_is_in_the_error():
    failure = feed(opening(), REFUSED["not found"])[2]
    assert isinstance(failure, HandshakeError)
    assert failure.status == 404
    assert "404 Not Found" in str(failure)


def test_a_protocol_that_was_not_asked_for_is_refused():
    assert isinstance(feed(opening(protocol=None), answer())[2], HandshakeError)


@pytest.mark.parametrize("arguments", [
    ("a\r\nX: y", "/", NONCE),
    ("a", "/x\n", NONCE),
    ("a", "/x y", NONCE),
    ("a", "x", NONCE),
    ("a", "/", NONCE, "mqtt\r"),
    ("a", "/", NONCE, None, [("X", "1\r\nY: 2")]),
])
def test_what_no_header_can_carry(arguments):
    with pytest.raises(ValueError, match=r"line break|path"):
        Handshake(*arguments)


def test_every_truncation_of_the_answer_waits():
    data = answer()
    for end in range(len(data)):
        side = opening()
        assert feed(side, data[:end])[::2] == ([], None)
        assert side.state == OPENING


# ---- sending


@pytest.mark.parametrize("client", [True, False])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_a_message_goes_out_as_one_frame(client, size):
    side = engine(client, out_bytes=65536)
    data = random.Random(size).randbytes(size)
    side.send(data)
    assert take(side) == frame(BINARY, data, key=KEY if client else None)


def test_a_message_in_fragments():
    side = engine(True)
    side.send(b"one ", text=True, final=False)
    side.send(b"two ", text=True, final=False)
    side.send(b"three", text=True)
    side.send(b"next")
    assert parse(take(side)) == [
        (TEXT, False, b"one "), (CONTINUATION, False, b"two "), (CONTINUATION, True, b"three"),
        (BINARY, True, b"next"),
    ]


def test_the_caller_s_data_is_not_masked_in_its_place():
    data = bytearray(b"hello")
    engine(True).send(memoryview(data))
    assert data == b"hello"


def test_no_key_is_used_twice():
    keys = iter(range(100))

    def count(key):
        key[:] = next(keys).to_bytes(4, "big")

    side = Engine(count)
    for _ in range(3):
        side.send(b"")
    assert take(side) == b"".join(frame(BINARY, key=i.to_bytes(4, "big")) for i in range(3))


def test_there_is_room_for_what_room_says_and_no_more():
    side = engine(True, out_bytes=300)
    first = side.room()
    assert first >= 300
    side.send(bytes(100))
    side.send(bytes(side.room()))
    with pytest.raises(ValueError, match="room"):
        side.send(bytes(side.room() + 1))
    side.close(1000, "x" * 123)  # for which there is always room
    assert [opcode for opcode, _, _ in parse(take(side))] == [BINARY, BINARY, CLOSE]
    assert side.room() == first


def test_a_pong_waits_for_what_is_being_sent_and_only_the_last_ping_is_answered():
    side = engine(True)
    side.send(bytes(50))
    start = bytes(side.next_out()[:20])
    side.sent(20)
    for payload in (b"1", b"22", b""):
        side.receive(bytearray(frame(PING, payload)), 0)
    side.receive(bytearray(frame(PONG, b"not for the answer")), 0)
    rest = take(side)
    assert parse(start + rest) == [(BINARY, True, bytes(50)), (PONG, True, b"")]


def test_sent_in_any_portions():
    side = engine(True)
    side.send(b"x" * 200)
    sent = b""
    while len(out := side.next_out()):
        sent += bytes(out[:7])
        side.sent(len(out[:7]))
    assert parse(sent) == [(BINARY, True, b"x" * 200)]


# ---- a stream of bytes


@pytest.mark.parametrize("split", SPLITS)
def test_a_stream_is_left_in_the_caller_s_buffer(split):
    frames = [(BINARY, b"one", False), (PING, b"p"), (CONTINUATION, b"two"), (BINARY, b""),
              (BINARY, bytes(range(200)))]
    side = engine(True, message_bytes=0)
    got = b""
    for part in split(b"".join(frame(*entry) for entry in frames)):
        data = bytearray(part)
        got += data[: side.receive(memoryview(data), 0)]
    assert got == b"onetwo" + bytes(range(200))
    assert parse(take(side)) == [(PONG, True, b"p")]


def test_a_stream_takes_no_text():
    """[MQTT-6.0.0-1]"""
    side = engine(True, message_bytes=0)
    _, answered, failure = feed(side, frame(TEXT, b"x"))
    assert failure.code == 1003
    assert answered[0][2][:2] == close_payload(1003)


# ---- the end


def test_our_close_is_answered():
    side = engine(True)
    side.close(4000, "done", now=1)
    assert parse(take(side)) == [(CLOSE, True, close_payload(4000, b"done"))]
    assert side.state == CLOSING
    data = frame(TEXT, b"late") + frame(CLOSE, close_payload(4000))
    events, answered, _ = feed(side, data)
    assert events == [("text", "late"), ("closed", 4000, "")]
    assert answered == []
    assert side.state == CLOSED
    side.close()
    assert take(side) == b""


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 5000])
def test_codes_that_may_not_be_sent(code):
    with pytest.raises(ValueError, match="close code"):
        engine(True).close(code)


def test_a_reason_that_is_too_long():
    with pytest.raises(ValueError, match="123"):
        engine(True).close(1000, "ä" * 62)


@pytest.mark.parametrize("before", ["open", "closing", "opening", "closed"])
def test_the_stream_ends(before):
    side = opening() if before == "opening" else engine(True)
    if before == "closing":
        side.close()
    elif before == "closed":
        feed(side, frame(CLOSE))
    side.receive(b"", 5)
    expected = None if before == "closed" else ("closed", 1006, "the peer closed the connection")
    assert side.next_event() == expected
    assert side.next_event() is None
    with pytest.raises(ValueError, match="not open"):
        side.send(b"x")


def test_after_an_error_nothing_more_is_taken():
    side = engine(True)
    with pytest.raises(ProtocolError):
        side.receive(bytearray(frame(3)), 0)
    take(side)
    assert feed(side, frame(TEXT, b"x") + frame(PING)) == ([], [], None)


# ---- time, from just before the counter of a board wraps


def test_no_answer_to_the_handshake():
    side = opening(timeout_ms=700)
    assert side.deadline() == BEFORE_THE_WRAP + 700
    side.on_timer(side.deadline() - 1)
    assert side.next_event() is None
    side.on_timer(side.deadline())
    assert side.next_event() == ("closed", 1006, "no answer within 700 ms")
    assert side.deadline() is None


def test_no_answer_to_close():
    side = engine(True, timeout_ms=700, now=0)
    side.close(now=BEFORE_THE_WRAP)
    assert side.deadline() == BEFORE_THE_WRAP + 700
    side.on_timer(side.deadline())
    assert side.next_event() == ("closed", 1006, "no answer to Close within 700 ms")


def test_silence_is_asked_and_then_given_up():
    side = engine(True, ping_ms=1000, timeout_ms=300, now=BEFORE_THE_WRAP)
    now = side.deadline()
    assert now == BEFORE_THE_WRAP + 1000
    side.on_timer(now)
    assert parse(take(side)) == [(PING, True, b"")]
    feed(side, frame(PONG), now=now + 5)  # it lives
    assert side.deadline() == now + 1005
    late = now + 10_000  # the device was busy; the peer gets its time all the same
    side.on_timer(late)
    side.on_timer(late)
    assert side.next_event() is None
    assert side.deadline() == late + 300
    side.on_timer(late + 300)
    assert side.next_event() == ("closed", 1006, f"silent for {late + 300 - now - 5} ms")


def test_without_a_ping_there_is_no_deadline():
    assert engine(True).deadline() is None


# ---- two engines


def test_two_engines_exchange_anything_in_any_portions(seed):
    random_ = random.Random(seed)
    client, server = engine(True, message_bytes=600), engine(False, message_bytes=600)
    sent = {client: [], server: []}
    got = {client: [], server: []}
    for _ in range(3000):
        side = random_.choice((client, server))
        data = random_.randbytes(random_.choice((0, 1, 125, 126, 300, 600)))
        if len(data) <= side.room() and random_.random() < 0.3:
            cut = random_.randrange(len(data) + 1)
            if random_.random() < 0.5 or len(data) + 28 > side.room():
                side.send(data)
            else:
                side.send(data[:cut], final=False)
                side.send(data[cut:])
            sent[side].append(("binary", data))
        carry(side, server if side is client else client, random_.randrange(1, 400), got)
    for side, other in ((client, server), (server, client)):
        while carry(side, other, 1 << 20, got):
            pass
        assert got[other] == sent[side]
        assert len(got[other]) > 100


def carry(side, other, most, got):
    """Give the other side at most so many bytes; returns how many."""
    part = bytearray(side.next_out()[:most])
    if part:
        side.sent(len(part))
        other.receive(part, 0)
    while (event := other.next_event()) is not None:
        got[other].append(event)
    return len(part)


def test_byte_by_byte_is_what_the_splits_claim():
    assert list(bytewise(b"ab")) == [b"a", b"b"]
