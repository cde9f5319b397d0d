"""Echo (RFC 9175): does a client whose address is doubted prove it, once? And does a server send
a stranger no more than three times what came from it?
"""
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false

import contextlib
import socket
import threading
import time

import pytest

from coap.message import ACK, Message, decode
from host_tests.chip import Chip
from host_tests.coap.asking import GET, POST, Ours
from host_tests.coap.ports import free_port, wait_for_server

CONTENT, UNAUTHORIZED = 0x45, 0x81
OBSERVE, ECHO, BLOCK1 = 6, 252, 27
PROOF = b"are you you?"
ACK_MS = 250
LATE_S = 1.5
"""Longer than a separate response and its repetitions take."""


class Doubting:
    """A server that answers only who sends back `PROOF`; `convinced` False: nobody. `asked` is
    what came.
    """

    def __init__(self, convinced=True):
        self._convinced = convinced
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self._sock.settimeout(0.1)
        self.port = self._sock.getsockname()[1]
        self.asked = []
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over = True
        self._thread.join(5)
        self._sock.close()

    def _run(self):
        while not self._over:
            with contextlib.suppress(TimeoutError):
                data, peer = self._sock.recvfrom(2000)
                self._sock.sendto(self._answer(decode(data)), peer)

    def _answer(self, request):
        self.asked.append(request)
        if self._convinced and request.get(ECHO) == PROOF:
            answer = Message(CONTENT, b"it is you", ACK)
            if request.uint(OBSERVE) == 0:
                answer.add(OBSERVE, 1)
            if block := request.uint(BLOCK1):
                answer.code = 0x5F if block & 8 else 0x44
                answer.add(BLOCK1, block)
        else:
            answer = Message(UNAUTHORIZED, type=ACK)
            answer.add(ECHO, PROOF)
        answer.mid, answer.token = request.mid, request.token
        buffer = bytearray(answer.size())
        answer.encode_into(buffer)
        return bytes(buffer)


@pytest.fixture(scope="module")
def chip():
    with Chip("coap_asking") as chip:
        yield chip


def test_a_client_asks_once_more_with_what_it_was_given(chip):
    with Doubting() as server:
        answer = Ours(chip, server.port, ACK_MS).ask(POST, "light", b"on")
    assert answer.payload == b"it is you"
    first, second = server.asked
    assert (first.get(ECHO), second.get(ECHO)) == (None, PROOF)
    assert (second.code, second.all(11), second.payload) == (POST, [b"light"], b"on")
    assert first.mid != second.mid and first.token != second.token


def test_and_not_for_ever(chip):
    with Doubting(convinced=False) as server:
        answer = Ours(chip, server.port, ACK_MS).ask(GET, "light")
    assert answer.code == UNAUTHORIZED
    assert len(server.asked) == 2


def test_an_observation_is_proven_too(chip):
    with Doubting() as server:
        heard = chip.call("watch", server.port, ACK_MS, ["light"], ["close"])
    assert bytes.fromhex(heard[0]["payload"]) == b"it is you"
    assert [request.get(ECHO) for request in server.asked[:2]] == [None, PROOF]


def test_and_a_body_in_blocks(chip):
    with Doubting() as server:
        answer = Ours(chip, server.port, ACK_MS).ask(POST, "light", bytes(2000))
    assert answer.code == 0x44
    assert [len(request.payload) for request in server.asked] == [1024, 1024, 976, 976]


def test_a_stranger_gets_at_most_three_times_what_it_sent():
    """On the wire: every request comes from an address of its own."""
    port = free_port()
    requests = (
        b"\x41\x01\0\1t\xb5large", b"\x51\x01\0\1t\xb5large", b"\x41\x01\0\1t\xb8separate",
        b"\x41\x01\0\1t\xbbmulti-format", b"\x41\x01\0\1t\x60\x59obs-large",
        b"\x41\x01\0\1t\xbb.well-known\x04core",
    )
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Chip("coap_serving"))
        server.ask("serve", port, ACK_MS, True)
        wait_for_server(port)
        strangers = []
        for request in requests:
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.connect(("127.0.0.1", port))
            sock.setblocking(False)
            sock.send(request)
            strangers.append(sock)
        time.sleep(LATE_S)
        for sock, request in zip(strangers, requests, strict=True):
            assert 0 < _received(sock) <= 3 * len(request), request
        assert "Traceback" not in server.errors(), server.errors()


def _received(sock):
    total = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            total += len(sock.recv(2000))
    return total
