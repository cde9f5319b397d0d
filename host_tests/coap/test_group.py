"""lib/coap/group.py: is discovery by multicast answered at leisure, and nothing else at all?"""
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false

import random
import socket
import struct

import pytest

from coap.group import Group
from coap.message import CON, NON, Message, decode
from host_tests.chip import Chip
from host_tests.coap.ports import free_port, wait_for_server
from host_tests.coap.wire import EDGE, GET

ALL_NODES = "224.0.1.187"
CORE = [".well-known", "core"]
LEISURE_MS = 5000
LOOPBACK = socket.inet_aton("127.0.0.1")


class Lamp:
    rt = "light"


def asked(kind=NON, code=GET, path=CORE, query=None, token=b"tk"):
    message = Message(code, type=kind)
    message.token, message.mid = token, 7
    for segment in path:
        message.add(11, segment)
    if query:
        message.add(15, query)
    buffer = bytearray(message.size())
    message.encode_into(buffer)
    return bytes(buffer)


@pytest.fixture
def group(seed):
    return Group({"lamp": Lamp(), "dark/lamp": Lamp()}, random.Random(seed).getrandbits)


def test_each_answer_waits_for_a_moment_of_the_leisure(group):
    """RFC 7252, section 8.2; the answer is no longer than three times the request."""
    delays = []
    for number in range(400):
        group.receive(asked(), f"peer {number}", EDGE)
        assert group.next_out() is None
        delays.append(group.deadline() - EDGE)
        group.on_timer(group.deadline() - 1)
        assert group.next_out() is None
        group.on_timer(group.deadline())
        datagram, peer = group.next_out()
        assert group.deadline() is None and peer == f"peer {number}"
        answer = decode(datagram)
        assert (answer.type, answer.code, answer.token) == (NON, 0x45, b"tk")
        assert answer.uint(12) == 40 and answer.payload.startswith(b"</dark/lamp>")
        assert len(datagram) <= 3 * len(asked())
    assert 0 <= min(delays) < LEISURE_MS // 20 and LEISURE_MS * 19 // 20 < max(delays) < LEISURE_MS
    assert abs(sum(delays) / len(delays) - LEISURE_MS / 2) < LEISURE_MS / 10


@pytest.mark.parametrize("datagram", [
    asked(kind=CON), asked(code=2), asked(path=["lamp"]), asked(query="rt=nothing"),
    asked(path=[*CORE, "more"]), asked()[:9], b"\x50", b"\xff" * 20, b"\x40\x01\0\1\xff",
], ids=["CON", "POST", "another resource", "no match", "below it", "cut", "1 byte", "rubbish",
        "malformed and confirmable"])
def test_everything_else_is_met_with_silence(group, datagram):
    group.receive(datagram, "peer", EDGE)
    assert group.deadline() is None and group.ignored == 1


def test_a_flood_makes_at_most_four_answers_at_once(group):
    for number in range(10_000):
        group.receive(asked(), f"peer {number}", EDGE)
    assert group.ignored == 10_000 - 4
    group.on_timer(EDGE + LEISURE_MS)
    assert sum(group.next_out() is not None for _ in range(10)) == 4


def test_on_the_wire():
    """At the loopback interface, on MicroPython, a server that has the port for itself too."""
    port = free_port()
    with Chip("coap_serving") as chip, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        chip.ask("serve", port, 250, True, True)
        wait_for_server(port)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, LOOPBACK)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, struct.pack("b", 0))
        sock.settimeout(5)
        try:
            sock.sendto(asked(query="rt=Type3"), (ALL_NODES, port))
        except OSError as error:
            pytest.skip(f"no multicast at the loopback interface here: {error}")
        data, address = sock.recvfrom(2000)
        assert address == ("127.0.0.1", port), "it comes from where the rest can be fetched"
        answer = decode(data)
        assert (answer.type, answer.code) == (NON, 0x45)
        assert answer.payload.startswith(b"</link2>")
        sock.sendto(asked(path=["test"]), (ALL_NODES, port))
        sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            sock.recv(2000)
        assert "Traceback" not in chip.errors(), chip.errors()
