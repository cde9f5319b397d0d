"""lib/coap/server.py on MicroPython: what the matrix does not ask of it."""

import socket

import pytest

from host_tests.chip import Chip
from host_tests.coap.asking import POST, in_hex
from host_tests.coap.ports import free_port, wait_for_server

ACK_MS = 250
FLOOD, BETWEEN = 10_000, 50
LEAST_BYTES = 2048
"""The heap may be so much fuller: the tables that the flood fills, up to their bounds."""


@pytest.fixture
def port():
    port = free_port()
    with Chip("coap_serving") as chip:
        chip.ask("serve", port, ACK_MS, True)
        wait_for_server(port)
        yield port
        assert "Traceback" not in chip.errors(), chip.errors()


def test_a_second_large_answer_to_the_same_peer_is_not_mixed_with_the_first(port):
    bodies = [bytes([65 + n]) * 1500 for n in range(3)]
    requests = [
        {"code": POST, "path": ["large"], "payload": body.hex(), "options": in_hex([])}
        for body in bodies
    ]
    with Chip("coap_asking") as chip:
        answers = chip.call("ask", port, ACK_MS, requests)
    assert [answer.get("payload") for answer in answers] == [body.hex() for body in bodies]


@pytest.mark.alone
def test_a_flood_from_forged_addresses_neither_fills_the_heap_nor_stops_service(port):
    """10,000 peers, each of an address of its own, all of 127/8 being this machine's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as friend:
        friend.connect(("127.0.0.1", port))
        friend.settimeout(5)
        heap = []
        for number in range(FLOOD):
            if number % BETWEEN == 0:
                heap.append(_heap(friend, number // BETWEEN))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forged:
                forged.bind((f"127.1.{number >> 8}.{number & 255}", 0))
                request = b"\x41" if number % 3 else b"\x51"
                forged.sendto(request + b"\x01\0\1t\xb4test", ("127.0.0.1", port))
    print(f"heap: {heap[0]} at first, {heap[10]} to {max(heap[10:])} in the flood")
    assert max(heap[10:]) - min(heap[10:]) <= LEAST_BYTES


def _heap(friend, number):
    """What is allocated of the server's heap, says the server: it must answer."""
    request = b"\x41\x01" + (number + 100).to_bytes(2, "big") + b"t\xb4heap"
    friend.send(request)
    answer = friend.recv(100)
    assert answer[:2] == b"\x61\x45", answer
    return int(answer.rpartition(b"\xff")[2])
