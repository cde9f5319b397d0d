"""A broker that breaks the standard hears why (5.0), and loses the connection."""

import contextlib
import socket
import threading

import pytest

from host_tests import packets
from host_tests.chip import Chip
from host_tests.packets import text, with_length

CONNACK = {"3.1.1": packets.connack(), "5": b"\x20\x03\0\0\0"}
FAULTS = {
    "too large": (with_length(0x30, text(b"t") + b"\0" + bytes(5000)), 0x95),
    "a second CONNACK": (CONNACK["5"], 0x82),
    "a topic with a wildcard": (with_length(0x30, text(b"+") + b"\0"), 0x81),
    "reserved flags": (b"\x41\2\0\1", 0x81),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_the_last_word(fault, protocol):
    if (fault, protocol) == ("too large", "3.1.1"):
        return  # then it is skipped: the standard has no word for it
    packet, code = FAULTS[fault]
    why, heard = answers_to(CONNACK[protocol] + packet, protocol)
    assert "broke MQTT" in why
    assert heard == (bytes((0xE0, 1, code)) if protocol == "5" else b"")


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_what_comes_in_one_segment_with_connack_is_not_lost(protocol):
    """As after a reconnect to a session that was kept. [MQTT-4.5.0-2] [MQTT-4.5.0-2] (5): it is
    acknowledged though nobody wants it.
    """
    tail = b"\0x" if protocol == "5" else b"x"
    packet = b"".join(with_length(0x32, text(b"t") + bytes((0, n)) + tail) for n in range(1, 30))
    why, heard = answers_to(CONNACK[protocol] + packet, protocol, end=True)
    assert why == "the broker closed the connection"
    assert heard == b"".join(packets.puback(n) for n in range(1, 30))


def answers_to(data, protocol, end=False):
    """What a broker hears that sends this after CONNECT; and why the client gave it up."""
    heard = []

    def broker(listener):
        client, _ = listener.accept()
        with client, contextlib.suppress(ConnectionError):
            client.settimeout(10)
            client.recv(1000)
            client.sendall(data)
            if end:
                client.shutdown(socket.SHUT_WR)
            while came := client.recv(1000):
                heard.append(came)

    with socket.create_server(("127.0.0.1", 0)) as listener, Chip("mqtt_faults") as chip:
        thread = threading.Thread(target=broker, args=(listener,), daemon=True)
        thread.start()
        why = chip.call("until_lost", listener.getsockname()[1], protocol)
        thread.join(10)
    return why, b"".join(heard)
