"""lib/coap/reliable_socket.py: does the real microCoAPy, as it is, get what RFC 7252 promises?"""
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

import contextlib
import math
import socket
import subprocess

import pytest

from coap.message import ACK, CON, NON, RST, Message, decode
from host_tests.chip import Chip, environment
from host_tests.coap.ports import free_port
from petrel import runtime
from petrel.bench import microcoapy

pytestmark = pytest.mark.skipif(
    runtime.microcoapy_folder() is None, reason="microCoAPy is not here; try: make setup"
)

ACK_MS = 100
CHANGED, CONTENT, POST = 0x44, 0x45, 2
POSTS = 100


@pytest.fixture(scope="module")
def chip():
    with Chip("coap_microcoapy") as chip:
        yield chip


@pytest.fixture
def client(chip):
    chip.call("make", ACK_MS)
    return chip


@pytest.fixture
def peer():
    """A socket that the test answers from by hand."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def port_of(peer):
    return peer.getsockname()[1]


def answer(request, code=CONTENT, payload=b"", kind=ACK, mid=None, options=()):
    message = Message(code, payload, kind)
    message.mid = request.mid if mid is None else mid
    message.token = request.token if code else b""
    for number, value in options:
        message.add(number, value)
    return encode(message)


def encode(message):
    buffer = bytearray(message.size())
    message.encode_into(buffer)
    return bytes(buffer)


def receive(peer):
    data, address = peer.recvfrom(2000)
    return decode(data), address


def silent(peer, seconds=0.2):
    peer.settimeout(seconds)
    try:
        with contextlib.suppress(TimeoutError):
            return not peer.recv(2000)
        return True
    finally:
        peer.settimeout(5)


# ---- a client


def test_a_path_keeps_its_order(client, peer):
    client.call("post", port_of(peer), "a/b/c/d/e")
    request, _ = receive(peer)
    assert request.all(11) == [b"a", b"b", b"c", b"d", b"e"]


def test_a_post_is_repeated_byte_by_byte_and_answered_once(client, peer):
    number = client.call("post", port_of(peer), "log", "21.5")
    client.ask("turn", 600)
    first, _ = peer.recvfrom(2000)
    again, address = peer.recvfrom(2000)
    assert first == again
    for _ in range(2):  # the answer comes twice
        peer.sendto(answer(decode(first), CHANGED, b"done"), address)
    heard, failed, _ = client.answer()
    assert heard == [[number, CHANGED, "done", ["127.0.0.1", port_of(peer)]]]
    assert not failed


def test_a_separate_response_is_acknowledged_as_it_should_be(client, peer):
    number = client.call("get", port_of(peer), "slow")
    client.ask("turn", 800)
    request, address = receive(peer)
    peer.sendto(answer(request, 0), address)  # the empty acknowledgement: nothing is repeated
    assert silent(peer)
    for _ in range(2):
        peer.sendto(answer(request, CONTENT, b"late", CON, mid=0x1234), address)
        acknowledged = peer.recv(2000)
        assert acknowledged == b"\x60\x00\x12\x34", "microCoAPy's own has a code and a token"
    heard, failed, _ = client.answer()
    assert [(mid, payload) for mid, _, payload, _ in heard] == [(number, "late")]
    assert not failed


def test_answers_out_of_order_find_their_requests(client, peer):
    """Without a token of the caller's: microCoAPy sends none by itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(5)
        numbers = [client.call("get", port_of(each), "v") for each in (peer, other)]
        client.ask("turn", 400)
        requests = [receive(each) for each in (peer, other)]
        assert requests[0][0].token != requests[1][0].token != b""
        for sock, (request, address), payload in ((other, requests[1], b"second"),
                                                  (peer, requests[0], b"first")):
            sock.sendto(answer(request, CONTENT, payload), address)
        heard, _, _ = client.answer()
    assert [(one[0], one[2]) for one in heard] == [(numbers[1], "second"), (numbers[0], "first")]


def test_a_peer_that_is_silent_is_given_up_and_told_of(client, peer):
    client.call("make", 30)
    number = client.call("post", port_of(peer), "log")
    heard, failed, _ = client.call("block", deadline_s=20)
    assert (heard, failed) == ([], [[number, "no acknowledgement"]])
    peer.setblocking(False)
    sent = []
    with contextlib.suppress(BlockingIOError):
        while True:
            sent.append(peer.recv(2000))
    assert len(sent) == 5 and len(set(sent)) == 1


def test_a_reset_is_told_of(client, peer):
    number = client.call("post", port_of(peer), "log")
    client.ask("block")
    request, address = receive(peer)
    peer.sendto(answer(request, 0, kind=RST), address)
    assert client.answer()[1] == [[number, "reset by the peer"]]


def test_pings_and_strays_are_reset_and_what_is_malformed_is_survived(client, peer):
    """A datagram of three bytes blocks microCoAPy, a token of nine ends it."""
    client.call("get", port_of(peer), "v")
    client.ask("turn", 500)
    request, address = receive(peer)
    strays = [b"\x40\x00\x00\x01", answer(request, CONTENT, b"?", CON, 2)[:4] + b"\xffx",
              b"\x40\x02\x00\x03"]
    for number, stray in enumerate(strays, 1):
        peer.sendto(stray, address)
        assert peer.recv(2000) in (b"\x70\x00\x00" + bytes([number]), b"\x70\x00\x00\x02")
    nine = b"\x69\x45\x00\x01123456789"
    for bad in (b"", b"\x40", b"\x40\x45\x00", nine, b"\x60\x45\x00\x01\xff"):
        peer.sendto(bad, address)
    peer.sendto(answer(request, CONTENT, b"fine"), address)
    heard, failed, _ = client.answer()
    assert [one[2] for one in heard] == ["fine"]
    assert not failed


def test_what_it_could_not_read_is_a_failure_and_no_lost_payload(client, peer):
    number = client.call("get", port_of(peer), "v")
    client.ask("block")
    request, address = receive(peer)
    options = [(8, bytes([65 + n])) for n in range(10)]
    peer.sendto(answer(request, CONTENT, b"lost", options=options), address)
    heard, failed, _ = client.answer()
    assert not heard
    assert failed == [[number, "a response that microCoAPy can't read"]]
    assert client.call("state")["unreadable"] == 1


def test_an_observation_from_its_beginning_to_its_end(client, peer):
    number = client.call("get", port_of(peer), "t", "tk", 0)
    client.ask("turn", 500)
    request, address = receive(peer)
    assert (request.uint(6), request.token) == (0, b"tk")
    peer.sendto(answer(request, CONTENT, b"1", options=[(6, b"\1")]), address)
    for value in (2, 3):
        notification = answer(request, CONTENT, b"%d" % value, CON, value, [(6, bytes([value]))])
        peer.sendto(notification, address)
        assert peer.recv(2000) == b"\x60\0\0" + bytes([value])
    heard, _, _ = client.answer()
    assert [(one[0], one[2]) for one in heard] == [(number, value) for value in "123"]
    client.call("get", port_of(peer), "t", "tk", 1)
    client.ask("turn", 300)
    request, address = receive(peer)
    peer.sendto(answer(request, CONTENT, b"4"), address)
    client.answer()
    assert client.call("state")["exchanges"] == 0


# ---- a server


@pytest.fixture
def served(chip):
    port = free_port()
    chip.call("make", ACK_MS, port, True)
    return port


@pytest.mark.parametrize("kind", [CON, NON], ids=["CON", "NON"])
def test_a_request_is_run_once_and_answered_in_its_own_kind(chip, served, kind):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(5)
        peer.connect(("127.0.0.1", served))
        request = Message(1, type=kind)
        request.mid, request.token = 77, b"abc"
        request.add(11, "lamp")
        chip.ask("turn", 500)
        answers = []
        for _ in range(3 if kind == CON else 1):
            peer.send(encode(request))
            answers.append(peer.recv(2000))
        assert chip.answer()[2] == 1
        told = decode(answers[0])
        assert len(set(answers)) == 1
        assert (told.type, told.code, told.token) == (ACK if kind == CON else NON, CONTENT, b"abc")
        assert told.payload == b"on"


def test_what_it_does_not_serve_is_not_found(chip, served):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(5)
        peer.connect(("127.0.0.1", served))
        chip.ask("turn", 300)
        peer.send(b"\x40\x01\x00\x05\xb1x")
        told = decode(peer.recv(2000))
        chip.answer()
    assert (told.type, told.mid) == (ACK, 5)


# ---- beside the plain one


def run(code, **more):
    image = runtime.build()
    return subprocess.run(
        [*runtime.find_runtime(), "-X", "heapsize=2M", "-c", code], cwd=image,
        env=environment(image, **more), capture_output=True, text=True, timeout=60, check=True,
    ).stdout


@pytest.mark.parametrize("loss", [0, 20])
def test_plain_against_reliable(loss, evidence):
    """`make bench` has the whole table."""
    plain, reliable = (
        microcoapy.posts(run, kind, loss, POSTS)["delivered"] for kind in ("plain", "reliable")
    )
    evidence("delivered", lambda: f"plain {plain}, reliable {reliable} of {POSTS}")
    once, five_times = microcoapy.expected(loss)
    for found, share in ((plain, once), (reliable, five_times)):
        sigma = math.sqrt(POSTS * share * (1 - share))
        assert abs(found - POSTS * share) <= 5 * sigma
    assert reliable >= plain
