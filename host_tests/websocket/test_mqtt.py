"""MQTT over WebSocket, plain and TLS: lib/mqtt on lib/websocket against Mosquitto and amqtt."""

import random
import socket
import threading

import pytest

from host_tests.chip import WORDS, Chip
from host_tests.faults.tcp import TO_CLIENT, TO_SERVER, FaultProxy
from host_tests.harness.receiver import Receiver
from host_tests.mqtt.test_client import HELD_MS
from petrel.broker import TlsFiles

PROTOCOLS = pytest.mark.parametrize("protocol", ["3.1.1", "5"])
SIZES = (0, 1, 12, 13, 50, 125, 126, 300, 800)


@pytest.fixture
def broker(start_mosquitto, certificates):
    files = TlsFiles(certificates.ca.cert, certificates.server.cert, certificates.server.key)
    return start_mosquitto(websocket=True, tls=files)


@WORDS
@PROTOCOLS
def test_every_qos_there_and_back(broker, words, protocol):
    with Chip("mqtt_websocket", words) as chip:
        got = chip.call("exchange", broker.ws_port, protocol, None, SIZES)
        assert chip.call("longest_hold_us") < HELD_MS * 1000
    assert sorted(got) == expected()


@PROTOCOLS
def test_over_tls(broker, certificates, protocol):
    with Chip("mqtt_websocket") as chip:
        ca = str(certificates.ca.cert_der)
        assert sorted(chip.call("exchange", broker.wss_port, protocol, ca, SIZES)) == expected()
        assert chip.call("longest_hold_us") < HELD_MS * 1000
        wrong = str(certificates.wrong_ca.cert_der)
        kind, stage, _ = chip.call("failure", broker.wss_port, protocol, wrong)
    assert (kind, stage) == ("ConnectError", "tls")


def expected():
    return sorted(
        [f"ws/{i}", i % 3, (bytes(range(i, i + 10)) * size).hex()]
        for i, size in enumerate(SIZES)
    )


@PROTOCOLS
def test_connections_cut_anywhere(broker, protocol, seed):
    """Inside a frame's header, a mask, a packet, an answer: nothing is lost, and what was
    published at QoS 2 arrives once.
    """
    count = 900  # so many that some are left for the last cut
    random_ = random.Random(seed)
    with FaultProxy(broker.ws_port) as proxy, Receiver(
        broker.port, "ws/#"
    ) as receiver, Chip("mqtt_websocket") as chip:
        chip.ask("deliver", proxy.port, protocol, count)
        for _ in range(15):
            where = random_.choice((TO_SERVER, TO_CLIENT))
            proxy.cut_after(random_.randrange(1, 700), where, next_connection=True)
            seen = proxy.connections
            proxy.drop_connections()
            # The next connection is the one that is cut, and another follows it.
            proxy.wait_for(lambda seen=seen: proxy.connections > seen + 1, 10, "two connections")
        connections = chip.answer(40)
        assert chip.call("longest_hold_us") < HELD_MS * 1000
        receiver.wait_for(lambda: len(payloads(receiver)) >= count, 10, "all payloads")
        numbers = [int(message.payload) for message in receiver.messages()]
    assert proxy.connections >= 30
    assert connections > 8, "too many were cut while they opened"
    assert set(numbers) == set(range(count))
    assert [n for n in set(numbers) if n % 2 and numbers.count(n) > 1] == []


def payloads(receiver):
    return {message.payload for message in receiver.messages()}


def test_a_path_that_is_none(broker):
    with socket.create_server(("127.0.0.1", 0)) as listener, Chip("mqtt_websocket") as chip:
        threading.Thread(target=refuse, args=(listener,), daemon=True).start()
        outcome = chip.call("failure", listener.getsockname()[1], "3.1.1")
    assert outcome[:2] == ["ConnectError", "websocket"]
    assert "403 Forbidden" in outcome[2]


def refuse(listener):
    client, _ = listener.accept()
    with client:
        client.recv(1000)
        client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")


def test_a_server_that_never_answers(broker):
    with socket.create_server(("127.0.0.1", 0)) as listener, Chip("mqtt_websocket") as chip:
        port = listener.getsockname()[1]
        outcome = chip.call("failure", port, "3.1.1", None, "/mqtt", 0.5)
    assert outcome[0] == "ConnectError"
    assert "500 ms" in outcome[2]
