"""lib/coap/exchange.py and serving.py: is every exchange delivered once or reported once,
whatever the network loses?
"""
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
# pyright: reportPossiblyUnboundVariable=false, reportOperatorIssue=false

import pytest

from coap.message import ACK, CON, NON, RST, Message, decode
from coap.params import Params
from host_tests.coap.wire import CONTENT, EDGE, GET, POST, Party, Wire

PATTERNS = 256
"""Every way to lose some of the first 8 datagrams."""


def pattern(bits):
    return lambda n: n < 8 and bits >> n & 1


def the_end(wire):
    """What the client was told, after checking that it was told one thing and keeps nothing."""
    assert len(wire.client.events) == 1, wire.client.events
    assert not wire.client.engine.exchanges and not wire.server.engine.exchanges
    return wire.client.events[0]


# ---- each exchange type under every pattern of loss


def piggybacked(wire, incoming):
    wire.respond(incoming)


def separate(wire, incoming):
    wire.respond(incoming, after_ms=1500)


def slow(wire, incoming):
    wire.respond(incoming, after_ms=20_000)


@pytest.mark.parametrize("respond", [piggybacked, separate, slow], ids=lambda f: f.__name__)
@pytest.mark.parametrize("kind", [CON, NON], ids=["CON", "NON"])
def test_one_delivery_or_one_failure_on_both_sides(respond, kind):
    outcomes = set()
    for bits in range(PATTERNS):
        wire = Wire(lost=pattern(bits), seed=bits)
        wire.answer = lambda incoming, message, wire=wire: respond(wire, incoming)
        wire.request(Message(POST, b"reading", type=kind))
        wire.run()
        name, *rest = the_end(wire)
        outcomes.add(name)
        asked = len(wire.server.told("request"))
        assert asked <= 1, f"{bits:08b}: the request was run {asked} times"
        if name == "response":
            assert asked == 1 and rest[1].payload == b"x"
        elif asked:  # what was run, was it reported? A separate response has an end of its own
            ends = wire.server.told("acknowledged") + wire.server.told("failed")
            assert len(ends) == (respond is not piggybacked and kind == CON), bits
        if not bits:
            assert name == "response"
    assert "response" in outcomes


def test_a_ping_under_every_loss():
    for bits in range(PATTERNS):
        wire = Wire(lost=pattern(bits), seed=bits)
        exchange = wire.client.engine.send(Message(), "server", wire.now)
        wire.run()
        name, told, *_ = the_end(wire)
        assert told is exchange
        assert bits or name == "acknowledged"
        assert all(len(datagram) == 4 for _, datagram in wire.sent), "a ping is 4 bytes each way"


def test_a_confirmable_message_is_sent_five_times_and_given_up():
    wire = Wire(lost=lambda n: True)
    start = wire.now
    wire.request()
    wire.run()
    assert [sender for sender, _ in wire.sent] == ["client"] * 5
    assert len({datagram for _, datagram in wire.sent}) == 1
    name, _, reason = the_end(wire)
    assert (name, reason) == ("failed", "no acknowledgement")
    assert 62_000 <= wire.now - start <= 93_000  # MAX_TRANSMIT_WAIT (section 4.8.2)
    assert wire.client.engine.retransmissions == 4


def test_the_waits_double():
    party = Party("client", 1)
    engine = party.engine
    engine.request(Message(GET), "server", EDGE)
    waits, now = [], EDGE
    while engine.exchanges:
        waits.append(engine.deadline() - now)
        now = engine.deadline()
        engine.on_timer(now)
    assert 2000 <= waits[0] <= 3000
    assert waits == [waits[0] << n for n in range(5)]


def test_derived_parameters():
    """RFC 7252, table 3."""
    params = Params()
    assert params.transmit_wait_ms == 93_000
    assert params.lifetime_ms == 247_000
    assert params.non_lifetime_ms == 145_000


# ---- responses and their tokens


def test_a_response_in_the_acknowledgement_needs_both_id_and_token():
    wire = Wire()
    exchange = wire.request()
    (datagram, _), engine = wire.client.engine.next_out(), wire.client.engine
    request = decode(datagram)
    wrong_token = Message(CONTENT, b"no", type=ACK)
    wrong_token.mid, wrong_token.token = request.mid, b"\0\0\0\0"
    wrong_mid = Message(CONTENT, b"no", type=ACK)
    wrong_mid.mid, wrong_mid.token = request.mid + 1 & 0xFFFF, request.token
    right = Message(CONTENT, b"yes", type=ACK)
    right.mid, right.token = request.mid, request.token
    for message, peer in ((wrong_token, "server"), (wrong_mid, "server"), (right, "stranger")):
        engine.receive(encode(message), peer, wire.now)
        assert engine.next_event() is None
    assert engine.rejected == 3
    engine.receive(encode(right), "server", wire.now)
    assert engine.next_event()[:2] == ("response", exchange)


def test_a_separate_response_to_nothing_is_reset():
    engine = Party("client", 1).engine
    for kind in (CON, NON):
        stray = Message(CONTENT, b"x", type=kind)
        stray.mid, stray.token = 7, b"abcd"
        engine.receive(encode(stray), "server", EDGE)
        reset = decode(engine.next_out()[0])
        assert (reset.type, reset.code, reset.mid) == (RST, 0, 7)


def test_a_separate_response_that_overtakes_the_acknowledgement_is_taken():
    wire = Wire(lost=lambda n: n == 1)  # the empty ACK
    wire.answer = lambda incoming, message: wire.respond(incoming, after_ms=1100)
    wire.request()
    wire.run()
    assert the_end(wire)[0] == "response"
    assert wire.client.engine.retransmissions == 0


def test_a_duplicate_of_a_separate_response_is_acknowledged_again():
    wire = Wire(lost=lambda n: n == 3)  # the ACK of the separate response
    wire.answer = lambda incoming, message: wire.respond(incoming, after_ms=1500)
    wire.request()
    wire.run()
    the_end(wire)
    kinds = [(who, decode(datagram).type) for who, datagram in wire.sent]
    assert kinds == [("client", CON), ("server", ACK), ("server", CON), ("client", ACK),
                     ("server", CON), ("client", ACK)]
    assert len(wire.server.told("acknowledged")) == 1


def test_a_reset_ends_a_request():
    wire = Wire()
    wire.server.engine.serving = None  # a mere client refuses requests
    wire.request()
    wire.run()
    assert the_end(wire)[2] == "reset by the peer"


def test_a_critical_option_in_a_response_that_is_not_known_fails_it():
    wire = Wire()

    def answer(incoming, message):
        response = Message(CONTENT)
        response.add(9, b"?")
        wire.server.engine.serving.respond(incoming, response, wire.now)

    wire.answer = answer
    wire.request()
    wire.run()
    assert the_end(wire)[2] == "critical option 9"


def test_a_late_answer_to_what_was_cancelled_is_reset():
    wire = Wire()
    wire.answer = lambda incoming, message: wire.respond(incoming, after_ms=1500)
    exchange = wire.request()
    wire.later.append((wire.now + 1200, lambda: wire.client.engine.cancel(exchange, wire.now)))
    wire.run()
    assert not wire.client.events
    assert [event[2] for event in wire.server.told("failed")] == ["reset by the peer"]


# ---- several at once


def test_nstart_confirmable_messages_are_under_way_to_a_peer():
    """RFC 7252, section 4.7."""
    for nstart in (1, 3):
        engine = Party("client", 1, params=Params(nstart=nstart)).engine
        made = [engine.request(Message(GET), peer, EDGE) for peer in ["a"] * 5 + ["b"]]
        sent = []
        while out := engine.next_out():
            sent.append(out)
        assert [peer for _, peer in sent] == ["a"] * nstart + ["b"]
        engine.receive(bytes((0x60, 0)) + sent[0][0][2:4], "a", EDGE)
        assert engine.next_out()[1] == "a", "an acknowledgement lets the next one go"
        engine.cancel(made[1], EDGE)


def test_too_many_exchanges_are_refused():
    engine = Party("client", 1).engine
    for _ in range(32):
        engine.request(Message(GET), "a", EDGE)
    with pytest.raises(OSError, match="too many exchanges"):
        engine.request(Message(GET), "a", EDGE)


def test_a_group_s_answers_are_all_taken():
    engine = Party("client", 1).engine
    exchange = engine.request(Message(GET, type=NON), "all", EDGE, group=True)
    request = decode(engine.next_out()[0])
    for mid, peer in ((1, "a"), (1, "b"), (1, "a"), (2, "c")):
        answer = Message(CONTENT, peer.encode(), type=NON)
        answer.mid, answer.token = mid, request.token
        engine.receive(encode(answer), peer, EDGE)
    heard = []
    while event := engine.next_event():
        assert event[1] is exchange
        heard.append(event[2].peer)
    assert heard == ["a", "b", "c"], "each once"
    engine.on_timer(engine.deadline())
    assert engine.next_event()[0] == "failed"


# ---- the server's side


def test_a_duplicate_is_answered_with_the_same_bytes_and_not_run_again():
    wire = Wire(lost=lambda n: n in (1, 3))
    wire.answer = lambda incoming, message: wire.respond(incoming)
    wire.request(Message(POST))
    wire.run()
    assert the_end(wire)[0] == "response"
    assert len(wire.server.told("request")) == 1
    assert len({datagram for who, datagram in wire.sent if who == "server"}) == 1
    assert wire.server.engine.serving.duplicates == 2


def test_the_same_id_is_a_new_request_after_its_lifetime():
    wire = Wire()
    wire.answer = lambda incoming, message: wire.respond(incoming)
    for wait in (0, 246_000, 248_000):
        datagram = b"\x40\x01\x12\x34"
        wire.now = EDGE + wait
        wire.server.engine.on_timer(wire.now)
        wire.server.engine.receive(datagram, "client", wire.now)
        wire._take_events(wire.server)
    assert len(wire.server.told("request")) == 2


def test_a_critical_option_of_a_request_that_is_not_known():
    """RFC 7252, section 5.4.1: 4.02 to a confirmable one, silence to the other."""
    for kind, answers in ((CON, 1), (NON, 0)):
        wire = Wire()
        request = Message(GET, type=kind)
        request.add(9, b"?")
        wire.request(request)
        wire.run(1000)
        assert [decode(d).code for who, d in wire.sent if who == "server"] == [0x82] * answers
        assert not wire.server.told("request")


@pytest.mark.parametrize("value, code, quiet", [
    (2, CONTENT, True), (2, 0x84, False), (8, 0x84, True), (16, 0xA0, True), (26, CONTENT, True),
    (24, CONTENT, False), (0, CONTENT, False),
])
def test_no_response(value, code, quiet):
    """RFC 7967, section 2.1: what is not wanted is acknowledged only."""
    wire = Wire()
    wire.answer = lambda incoming, message: wire.respond(incoming, code)
    request = Message(POST)
    request.add(258, value)
    wire.request(request)
    wire.run(1000)
    answers = [decode(datagram) for who, datagram in wire.sent if who == "server"]
    assert [answer.code for answer in answers] == [0 if quiet else code]


def test_a_full_table_forgets_the_oldest_answered_request_and_never_one_under_way():
    wire = Wire()
    wire.answer = lambda incoming, message: (
        None if message.peer == "slow" else wire.respond(incoming)
    )
    engine, serving = wire.server.engine, wire.server.engine.serving
    engine.receive(b"\x40\x02\0\0", "slow", EDGE)
    wire._take_events(wire.server)
    for number in range(10_000):
        engine.receive(b"\x40\x02" + number.to_bytes(2, "big"), f"peer {number}", EDGE)
        wire._take_events(wire.server)
        while engine.next_out():
            pass
    assert len(serving.table) == 24
    assert serving.table[0].peer == "slow"
    assert serving.refused == 0


def test_a_server_that_is_flooded_says_so():
    wire = Wire()
    for number in range(25):
        wire.server.engine.receive(b"\x40\x02" + number.to_bytes(2, "big"), "client", EDGE)
    refusal = decode(wire.server.engine.next_out()[0])
    assert (refusal.code, refusal.uint(14)) == (0x9D, 10)
    assert wire.server.engine.serving.refused == 1


def test_what_is_not_confirmable_leaves_nothing_behind():
    wire = Wire()
    wire.answer = lambda incoming, message: wire.respond(incoming)
    engine = wire.server.engine
    mids = set()
    for number in range(100):
        engine.receive(b"\x50\x02" + number.to_bytes(2, "big"), f"peer {number}", EDGE)
        wire._take_events(wire.server)
        mids.add(decode(engine.next_out()[0]).mid)
    assert len(mids) == 100
    assert not engine.exchanges and len(engine.serving.table) == 24


def test_a_late_answer_for_which_there_is_no_room_is_lost_and_its_request_forgotten_in_time():
    wire = Wire()
    engine, serving = wire.server.engine, wire.server.engine.serving
    engine.receive(b"\x40\x02\0\1", "client", EDGE)
    engine.on_timer(engine.deadline())
    incoming = engine.next_event()[1]
    for _ in range(32):
        engine.request(Message(GET), "a", EDGE)
    with pytest.raises(OSError, match="too many"):
        serving.respond(incoming, Message(CONTENT), EDGE)
    engine.on_timer(EDGE + 1_000_000)
    assert not serving.table


def test_cached_replies_stay_within_their_memory():
    wire = Wire()
    wire.answer = lambda incoming, message: wire.respond(incoming, payload=bytes(1000))
    for number in range(20):
        wire.server.engine.receive(b"\x40\x02" + number.to_bytes(2, "big"), "client", EDGE)
        wire._take_events(wire.server)
    serving = wire.server.engine.serving
    assert sum(len(incoming.reply) for incoming in serving.table) <= 4096


# ---- addresses that have proven nothing


def unproven(payload):
    server = Party("server", 1, serves=True, proofs=True)

    def receive(datagram, peer="victim"):
        server.engine.receive(datagram, peer, EDGE)
        while event := server.engine.next_event():
            if event[0] == "request":
                server.engine.serving.respond(event[1], Message(CONTENT, payload), EDGE)
        sent = []
        while out := server.engine.next_out():
            sent.append(out[0])
        return sent

    return server, receive


def test_an_unproven_address_gets_at_most_three_times_what_it_sent():
    server, receive = unproven(bytes(500))
    requests = (b"\x40\x01\0\1", b"\x40\x01\0\1", b"\x44\x01\0\2abcd\xb4test", b"\x50\x01\0\3")
    for request in requests:
        sent = sum(map(len, receive(request)))
        assert sent <= 3 * len(request), request
    server.engine.on_timer(EDGE + 1_000_000)
    assert server.engine.next_out() is None, "nothing is repeated to it"


def test_an_echo_proves_an_address():
    """RFC 9175, section 2.4."""
    server, receive = unproven(bytes(500))
    request = b"\x44\x01\0\2abcd\xb4test"
    challenge = decode(receive(request)[0])
    assert challenge.code == 0x81
    again = Message(GET)
    again.mid, again.token = 3, b"abce"
    again.add(11, "test")
    again.add(252, challenge.get(252))
    assert len(receive(encode(again))[0]) > 500
    assert server.engine.serving.proofs.is_proven("victim")
    again.mid = 4
    assert len(receive(encode(again), "another")[0]) < 100, "an Echo is good for one address only"


def test_an_echo_does_not_last():
    server, _ = unproven(b"")
    proofs = server.engine.serving.proofs
    echo = proofs.echo("a", EDGE)
    assert proofs.check("a", echo, EDGE + 50_000)
    assert not proofs.check("b", echo, EDGE)
    assert not proofs.check("a", echo, EDGE + 121_000)


def test_a_flood_of_forged_addresses_does_not_make_a_known_peer_s_request_run_twice():
    server, receive = unproven(b"x")
    server.engine.serving.proofs.prove("friend")
    request = b"\x44\x02\0\1abcd"
    receive(request, "friend")
    for number in range(10_000):
        receive(b"\x40\x02" + (number & 0xFFFF).to_bytes(2, "big"), f"forged {number}")
    receive(request, "friend")
    assert server.engine.serving.duplicates == 1
    assert len(server.engine.serving.table) <= 24


# ---- what is no message


def test_what_is_malformed_is_rejected():
    """RFC 7252, sections 3 and 4.2: a confirmable one by RST, the rest by silence."""
    for datagram, reset in (
        (b"", False), (b"\x40", False), (b"\x40\x01\0", False),
        (b"\x00\x01\0\1", False),  # version 0
        (b"\x80\x01\0\1", False),
        (b"\x49\x01\0\1123456789", True),  # TKL 9
        (b"\x4f\x01\0\1123456789012345", True),
        (b"\x40\x01\0\1\xff", True),  # a payload marker alone
        (b"\x50\x01\0\1\xff", False),
        (b"\x40\x00\0\1x", True),  # an empty message with content
        (b"\x40\x01\0\1\xf0", True),
        (b"\x40\x20\0\1", True),  # a reserved class
        (b"\x40\xe0\0\1", True),
        (b"\x60\x01\0\1", False),  # a request in an acknowledgement
    ):
        engine = Party("server", 1, serves=True).engine
        engine.receive(datagram, "peer", EDGE)
        out = engine.next_out()
        assert bool(out) == reset, datagram
        if out:
            assert out == (b"\x70\0" + datagram[2:4], "peer")
        assert engine.next_event() is None


def encode(message):
    buffer = bytearray(1200)
    return bytes(buffer[: message.encode_into(buffer)])
