"""The interoperability matrix (github.com/cabo/td-coap4), each row by its id.

In the role `client` our client walks it against aiocoap's server, in the role `server` aiocoap's
client walks it against our server. `faulty` is the same through a network that loses 20 % each
way, doubles 10 % and reorders 10 %. Where a row chooses what is lost, that comes on top.
"""

import contextlib
import re
import socket
import subprocess
import sys
import time

import pytest

from coap.message import ACK, CON, RST, decode
from host_tests.chip import Chip
from host_tests.coap.asking import (
    DELETE,
    FETCH,
    GET,
    IPATCH,
    PATCH,
    POST,
    PUT,
    TRIES,
    Ours,
    Theirs,
)
from host_tests.coap.ports import free_port, wait_for_server
from host_tests.faults.udp import TO_CLIENT, TO_SERVER, UdpRelay
from petrel import ROOT

ACK_MS = 250
FAULTY_ACK_MS = 60
FAULTS = {"loss": 0.2, "double": 0.1, "late": 0.1}
SOON_S = 15
LARGE = bytes(range(65, 91)) * 50
CREATED, DELETED, VALID, CHANGED, CONTENT = 0x41, 0x42, 0x43, 0x44, 0x45
NOT_FOUND, NOT_ACCEPTABLE, PRECONDITION_FAILED = 0x84, 0x86, 0x8C
IF_MATCH, ETAG, IF_NONE_MATCH, OBSERVE, LOCATION_PATH, CONTENT_FORMAT = 1, 4, 5, 6, 8, 12
ACCEPT, LOCATION_QUERY, BLOCK2 = 17, 20, 23


@contextlib.contextmanager
def their_server(ack_ms):
    port = free_port()
    argv = [sys.executable, "-m", "host_tests.coap.plugtest", str(port), str(ack_ms / 1000)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield port
        finally:
            process.kill()


@contextlib.contextmanager
def our_server(ack_ms):
    """aiocoap's client sends back no Echo, so that through a faulty network, where its first
    acknowledgement may be lost, it would remain a stranger.
    """
    port = free_port()
    with Chip("coap_serving") as chip:
        chip.ask("serve", port, ack_ms, ack_ms == ACK_MS)
        wait_for_server(port)
        yield port
        assert "Traceback" not in chip.errors(), chip.errors()


@pytest.fixture(scope="module")
def asking_chip():
    with Chip("coap_asking") as chip:
        yield chip


@pytest.fixture(scope="module")
def servers():
    """{(role, ack_ms): port}, started when first asked for."""
    with contextlib.ExitStack() as stack:
        ports = {}

        def port(role, ack_ms):
            if (role, ack_ms) not in ports:
                server = their_server if role == "client" else our_server
                ports[role, ack_ms] = stack.enter_context(server(ack_ms))
            return ports[role, ack_ms]

        yield port


def between(network, port, request):
    faults = FAULTS if network == "faulty" else {}
    return UdpRelay(port, seed=f"2 {request.node.name}", **faults)


def first_wait(network):
    """ACK_TIMEOUT in ms."""
    return FAULTY_ACK_MS if network == "faulty" else ACK_MS


@pytest.fixture(params=["clean", "faulty"])
def network(request):
    return request.param


@pytest.fixture(params=["client", "server"])
def role(request):
    return request.param


@pytest.fixture
def relay(role, network, servers, request, evidence):
    """Between client and server, also on the clean network: it counts and can be told to drop."""
    with between(network, servers(role, first_wait(network)), request) as relay:
        evidence("relay", relay.summary)
        yield relay


@pytest.fixture
def peer(role, network, relay, asking_chip):
    if role == "client":
        return Ours(asking_chip, relay.port, first_wait(network))
    return Theirs(relay.port, first_wait(network))


def arrived(relay, direction, wanted):
    """How many of the datagrams that the relay has seen are `wanted(bytes)` and were not lost."""
    seen = [data for way, _, data, fate in list(relay.seen) if way == direction and fate != "lost"]
    return sum(map(wanted, seen))


def is_reset(data):
    return data[0] == 0x70


class Bare:
    """A socket that the test speaks CoAP from, byte by byte."""

    def __init__(self, port):
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.connect(("127.0.0.1", port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._sock.close()

    def ask(self, datagram):
        """Send it until there is an answer, which is returned."""
        for _ in range(TRIES):
            self._sock.send(datagram)
            if heard := self.hear():
                return heard
        raise AssertionError("no answer")

    def hear(self, within_s=0.3):
        """The next message, or None."""
        self._sock.settimeout(within_s)
        try:
            return decode(self._sock.recv(2000))
        except TimeoutError:
            return None

    def notified(self, besides=None, say=ACK):
        """The next confirmable message, but not those of the id `besides`: to them it says `say`.
        """
        ends = time.monotonic() + SOON_S
        while time.monotonic() < ends:
            message = self.hear()
            if message and message.type == CON:
                if message.mid != besides:
                    return message
                self.say(say, besides)
        raise AssertionError("no notification")

    def say(self, kind, mid):
        """An empty ACK or RST."""
        self._sock.send(bytes((0x40 | kind << 4, 0)) + mid.to_bytes(2, "big"))


# ---- CORE

METHODS = {"01": (GET, CONTENT), "02": (DELETE, DELETED), "03": (PUT, CHANGED),
           "04": (POST, CREATED)}


@pytest.mark.parametrize("row", METHODS)
def test_core_01_to_04(peer, row):
    code, wanted = METHODS[row]
    answer = peer.ask(code, "test", b"" if code in (GET, DELETE) else b"body")
    assert answer.code == wanted
    if code == GET:
        assert (answer.payload, answer.options[CONTENT_FORMAT]) == (b"test", [b""])


@pytest.mark.parametrize("row", METHODS)
def test_core_05_to_08(peer, row):
    code, wanted = METHODS[row]
    payload = b"" if code in (GET, DELETE) else b"body"
    assert peer.ask(code, "test", payload, confirmable=False).code == wanted


def test_core_09_separate_response(peer):
    assert peer.ask(GET, "separate").payload == b"separate"


def test_core_10_and_11_tokens(peer, relay):
    peer.ask(GET, "test")
    peer.ask(GET, "separate")
    tokens = [data[4 : 4 + (data[0] & 15)] for *_, data, _ in relay.seen if data[1]]
    assert all(tokens)
    assert len(set(tokens)) == 2


def test_core_12_empty_token(asking_chip, relay, network, role):
    """aiocoap's client always sends a token, so that our server is asked by hand."""
    if role == "client":
        answer = asking_chip.call("empty_token", relay.port, first_wait(network), ["test"])
        assert answer["code"] == CONTENT
        return
    with Bare(relay.port) as bare:
        answer = bare.ask(b"\x40\x01\x77\x01\xb4test")
    assert (answer.code, answer.token, answer.payload) == (CONTENT, b"", b"test")


def test_core_13_uri_paths(peer):
    assert peer.ask(GET, "seg1/seg2/seg3").code == CONTENT
    assert peer.ask(GET, "seg3/seg2/seg1").code == NOT_FOUND


def test_core_14_uri_queries(peer):
    answer = peer.ask(GET, "query", query=["first=1", "second=2", "third=3"])
    assert answer.payload == b"first=1&second=2&third=3"


def test_beside_the_matrix_fetch_patch_and_ipatch(peer):
    """RFC 8132. PATCH adds to what is there, so a repeated one that was done twice would show."""
    assert peer.ask(IPATCH, "patched", b"one,").code == CHANGED
    assert peer.ask(PATCH, "patched", b"two,").code == CHANGED
    told = [peer.ask(FETCH, "patched", part) for part in (b"one,two,", b"two,two,", b"three,")]
    assert [(answer.code, answer.payload) for answer in told] == [
        (CONTENT, b"yes"), (CONTENT, b"no"), (CONTENT, b"no")
    ]


def test_core_15_loss_of_a_piggybacked_response(peer, relay):
    relay.drop(TO_SERVER, 1)
    relay.drop(TO_CLIENT, 1)
    assert peer.ask(GET, "test").code == CONTENT


def test_core_16_loss_of_a_separate_response(peer, relay):
    relay.drop(TO_CLIENT, 1, 2)
    assert peer.ask(GET, "separate").payload == b"separate"


def test_core_17_separate_response_to_what_is_not_confirmable(peer):
    assert peer.ask(GET, "separate", confirmable=False).payload == b"separate"


def test_core_18_location_path(peer):
    assert peer.ask(POST, "test").options[LOCATION_PATH] == [b"location1", b"location2"]


def test_core_19_location_query(peer):
    assert peer.ask(POST, "query").options[LOCATION_QUERY] == [b"first=1", b"second=2"]


def test_core_20_accept(peer):
    assert peer.ask(GET, "multi-format", options=[(ACCEPT, b"")]).payload == b"text"
    answer = peer.ask(GET, "multi-format", options=[(ACCEPT, b"\x29")])
    assert (answer.payload, answer.options[CONTENT_FORMAT]) == (b"<x/>", [b"\x29"])
    assert peer.ask(GET, "multi-format", options=[(ACCEPT, b"\x32")]).code == NOT_ACCEPTABLE


def test_core_21_etag(peer):
    first = peer.ask(GET, "validate")
    tag = first.options[ETAG][0]
    again = peer.ask(GET, "validate", options=[(ETAG, tag)])
    assert (again.code, again.payload) == (VALID, b"")
    peer.ask(PUT, "validate", b"two")
    assert peer.ask(GET, "validate", options=[(ETAG, tag)]).payload == b"two"


def test_core_22_if_match(peer):
    tag = peer.ask(GET, "validate").options[ETAG][0]
    assert peer.ask(PUT, "validate", b"new", [(IF_MATCH, tag)]).code == CHANGED
    assert peer.ask(PUT, "validate", b"x", [(IF_MATCH, tag)]).code == PRECONDITION_FAILED
    assert peer.ask(GET, "validate").payload == b"new"


def test_core_23_if_none_match(peer):
    answer = peer.ask(PUT, "test", b"x", [(IF_NONE_MATCH, b"")])
    assert answer.code == PRECONDITION_FAILED


def test_core_31_ping(asking_chip, relay, network):
    assert asking_chip.call("ping", relay.port, first_wait(network)) == "acknowledged"
    assert {(way, len(data)) for way, _, data, _ in relay.seen} == {(TO_SERVER, 4), (TO_CLIENT, 4)}


# ---- LINK

LINKS = {
    "01": ([], {"link1", "link2", "link3", "test", "path/sub1"}),
    "02": (["rt=Type1"], {"link1", "link3"}),
    "03": (["rt=*"], {"link1", "link2", "link3"}),
    "04": (["rt=Type2"], {"link1", "link2"}),
    "05": (["if=If*"], {"link1", "link2"}),
    "06": (["sz=*"], {"link1"}),
    "07": (["href=/link1"], {"link1"}),
    "08": (["href=/link*"], {"link1", "link2", "link3"}),
    "09": (["ct=40"], {"path/sub1"}),
}


@pytest.mark.parametrize("row", LINKS)
def test_link(peer, row, role):
    query, wanted = LINKS[row]
    answer = peer.ask(GET, ".well-known/core", query=query)
    assert answer.options[CONTENT_FORMAT] == [b"\x28"]
    found = {link.split(">")[0].strip(" </") for link in answer.payload.decode().split(",")}
    found -= {".well-known/core"}
    if row == "01" or (row, role) == ("03", "client"):  # aiocoap takes `*` for everything
        assert wanted <= found
    else:
        assert wanted == found


# ---- BLOCK


def test_block_01_early_negotiation(peer):
    answer = peer.ask(GET, "large", options=[(BLOCK2, b"\x02")])
    assert answer.payload == LARGE


def test_block_02_late_negotiation(peer):
    assert peer.ask(GET, "large").payload == LARGE


def test_block_03_and_04_put_and_what_was_put(peer):
    body = bytes(range(48, 58)) * 150
    assert peer.ask(PUT, "large", body).code == CHANGED
    assert peer.ask(GET, "large").payload == body
    assert peer.ask(PUT, "large", LARGE).code == CHANGED


def test_block_05_both_ways(peer):
    body = bytes(range(48, 58)) * 150
    assert peer.ask(POST, "large", body).payload == body[::-1]


def test_block_06_the_smallest_blocks(peer, network):
    answer = peer.ask(GET, "large", options=[(BLOCK2, b"" if network == "clean" else b"\x02")])
    assert answer.payload == LARGE


# ---- OBS

OBSERVE_OBS = b"\x41\x01\x77\x02o\x60\x53obs"
NOTIFICATIONS = [bytes((0x40 | token_len, CONTENT)) for token_len in range(9)]
"""How a confirmable one begins."""


def change(payload, path="obs", options=()):
    return (PUT, path, payload, options)


def heard(answers):
    return [answer.payload for answer in answers if answer.code == CONTENT]


@pytest.mark.parametrize("confirmable", [True, False], ids=["01", "02"])
def test_obs(peer, confirmable):
    """Where what is not confirmable was lost, the client registers, or changes it, once more."""
    peer.ask(PUT, "obs", b"0")
    answers = peer.watch("obs", [change(b"1"), change(b"2")], confirmable=confirmable)
    assert heard(answers)[0] == b"0"
    assert heard(answers)[-1] == b"2"
    assert all(OBSERVE in answer.options for answer in answers)


def test_obs_04_max_age(peer):
    assert peer.watch("obs", [])[0].options[14] == [b"\x05"]


def test_obs_03_and_06_a_client_that_has_forgotten_resets(peer, relay, role, network):
    """Ours ends its observation without a word and stays at its port; the notification that
    still comes is refused, and once that has arrived there is no other. Towards ours as a server
    it is done by hand.
    """
    peer.ask(PUT, "obs", b"0")
    if role == "client":
        changes = [change(b"%d" % value) for value in range(2, 6)]
        peer.watch("obs", [change(b"1"), "forget", *changes])
        prove_no_other_after_a_reset(relay)
        return
    with Bare(relay.port) as bare:
        assert bare.ask(OBSERVE_OBS).payload == b"0"
        peer.ask(PUT, "obs", b"1")
        notified = bare.notified()
        assert notified.payload == b"1"
        bare.say(RST, notified.mid)
        while not arrived(relay, TO_SERVER, is_reset):
            if bare.hear():
                bare.say(RST, notified.mid)
        peer.ask(PUT, "obs", b"2")
        while message := bare.hear(3 * ACK_MS / 1000):
            assert network == "faulty" and message.payload != b"2"


def prove_no_other_after_a_reset(relay):
    """No notification that is new was sent when a reset had arrived."""
    seen = list(relay.seen)
    resets = [at for at, (_, _, data, fate) in enumerate(seen)
              if is_reset(data) and fate in ("passed", "doubled")]
    assert resets, "nothing was reset"

    def told(part):
        return {data[2:4] for way, _, data, _ in part
                if way == TO_CLIENT and data[:2] in NOTIFICATIONS}

    assert told(seen[: resets[0]]) == told(seen)


def test_obs_11_one_notification_is_under_way(peer, relay, role):
    """What changes while a notification is lost and repeated is told by the next one alone. That
    aiocoap, as a server, keeps to that is its own affair: our client ends with the latest.
    """
    peer.ask(PUT, "obs", b"0")
    if role == "client":
        relay.drop(TO_CLIENT, 4)  # behind the answers to PUT, the registration and a PUT
        answers = peer.watch("obs", [change(b"1"), change(b"2")])
        assert heard(answers)[-1] == b"2"
        return
    with Bare(relay.port) as bare:
        assert bare.ask(OBSERVE_OBS).payload == b"0"
        for value in (b"1", b"2", b"3"):
            peer.ask(PUT, "obs", value)
        first, again = bare.notified(), bare.notified()  # not acknowledged: it is repeated
        assert (first.mid, first.payload) == (again.mid, b"1") == (again.mid, again.payload)
        bare.say(ACK, first.mid)
        after = bare.notified(besides=first.mid)
        assert after.payload == b"3"
        bare.say(RST, after.mid)


def test_obs_05_and_12_the_client_cancels(peer):
    peer.ask(PUT, "obs", b"0")
    answers = peer.watch("obs", [change(b"1"), "close"])
    assert heard(answers) == [b"0", b"1"]
    assert peer.ask(PUT, "obs", b"2").code == CHANGED


def test_obs_07_deleted(peer):
    peer.ask(PUT, "obs", b"0")
    answers = peer.watch("obs", [(DELETE, "obs"), None])
    assert peer.ask(GET, "obs").code == NOT_FOUND
    assert peer.ask(PUT, "obs", b"0").code == CHANGED
    assert answers[-1].code == NOT_FOUND


def test_obs_08_the_format_changes(peer):
    peer.ask(PUT, "obs", b"0", [(CONTENT_FORMAT, b"")])
    step = change(b"x", options=[(CONTENT_FORMAT, b"\x32")])
    answers = peer.watch("obs", [step], options=[(ACCEPT, b"")])
    peer.ask(PUT, "obs", b"0", [(CONTENT_FORMAT, b"")])
    assert answers[-1].code == NOT_ACCEPTABLE


def test_obs_09_an_update_through_the_same_resource(peer):
    peer.ask(PUT, "obs", b"0")
    answers = peer.watch("obs", [change(b"9")])
    assert heard(answers) == [b"0", b"9"]


def test_obs_10_a_plain_get_does_not_cancel(peer):
    """The GET comes from the observer's own port, between two notifications."""
    peer.ask(PUT, "obs", b"0")
    answers = peer.watch("obs", [change(b"1"), "get", change(b"2")])
    assert heard(answers) == [b"0", b"1", b"1", b"2"]
    assert [OBSERVE in answer.options for answer in answers] == [True, True, False, True]


def test_obs_13_and_14_large_and_varying(peer, role, network, servers, asking_chip, request):
    """aiocoap sends no notification block-wise, so our client meets our own server here."""
    with contextlib.ExitStack() as stack:
        if role == "client":
            ack_ms = first_wait(network)
            relay = stack.enter_context(between(network, servers("server", ack_ms), request))
            peer = Ours(asking_chip, relay.port, ack_ms)
        path = "obs-large"
        peer.ask(PUT, path, b"a")
        answers = peer.watch(path, [change(b"bc", path), change(b"d", path)])
    assert heard(answers) == [b"a" * 1000, b"bc" * 1000, b"d" * 1000]


# ---- is every row there?

ROWS = (
    *(f"CORE_{n:02}" for n in (*range(1, 24), 31)), *(f"LINK_{n:02}" for n in range(1, 10)),
    *(f"BLOCK_{n:02}" for n in range(1, 7)),
    *(f"OBS_{n:02}" for n in (1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)),
)
"""The matrix of shared/facts/coap.md. Those of DTLS are in test_dtls.py."""


def test_every_row_has_its_test():
    found = set()
    for name, thing in list(globals().items()):
        if not (match := re.match(r"test_(core|link|block|obs)(_|$)", name)):
            continue
        group = match[1].upper()
        numbers = [int(number) for number in re.findall(r"_(\d\d)(?=_|$)", name)]
        if "_to_" in name and len(numbers) == 2:
            numbers = range(numbers[0], numbers[1] + 1)
        found.update(f"{group}_{number:02}" for number in numbers)
        for mark in getattr(thing, "pytestmark", ()):
            if mark.name == "parametrize":
                ids = mark.kwargs.get("ids") or list(mark.args[1])
                found.update(f"{group}_{one}" for one in ids)
    missing = set(ROWS) - found
    assert not missing, f"rows without a test: {sorted(missing)}"
