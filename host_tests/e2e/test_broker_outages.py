"""Is anything lost, late or stuck when the broker itself ends, dies, stalls or stops listening?"""

import contextlib
import socket
import threading
import time

from host_tests.e2e.proofs import (
    SOON_S,
    acknowledged,
    health_of,
    prove_recovery,
    prove_schedule_kept,
    prove_sound,
    quick,
    unsure,
    wait_failures,
)
from host_tests.faults.mqtt_packets import CONNECT, SUBSCRIBE, Splitter, parse


def test_a_broker_that_restarts(mosquitto, proxy, receiver, running, figure):
    mosquitto.stop()
    wait_failures(running, 3)
    mark = running.mark()
    mosquitto.start()
    prove_recovery(running, proxy, receiver, figure, mark)


def test_a_broker_that_is_killed(mosquitto, proxy, receiver, running, figure):
    """It acknowledges before it has delivered: what it took with it, it had acknowledged."""
    subscriptions = receiver.subscriptions
    mosquitto.kill()
    proxy.refuse()  # until the receiver is back: a new broker knows nothing of its session
    wait_failures(running, 3)
    acked = {number for _, number in acknowledged(proxy)}
    mosquitto.start()
    receiver.wait_subscribed(subscriptions + 1, SOON_S)
    mark = running.mark()
    proxy.accept()
    prove_recovery(running, proxy, receiver, figure, mark, may_lack=acked)


def test_a_broker_that_stalls(mosquitto, proxy, receiver, running, figure):
    """Its port still accepts connections; what they said it reads all at once when it wakes."""
    mosquitto.pause()
    wait_failures(running, 4)
    mark = running.mark()
    mosquitto.resume()
    failed = prove_recovery(running, proxy, receiver, figure, mark)
    assert failed[0].why == "ack: no acknowledgement within 1000 ms"
    assert failed[1].why == failed[2].why == "connack: no answer within 1000 ms"


# ---- more than the queue can hold


def test_a_queue_that_is_too_small_drops_the_oldest_and_counts_it(proxy, receiver, device):
    reconnect = {"first_s": 0.05, "max_s": 0.2}
    settings = quick(
        proxy.port,
        queue={"limit_kb": 2, "durability": "ram"},
        sensor={"speed": 2500},
        payload={"batch": 10},
        reconnect=reconnect,
    )
    started = device(settings)
    receiver.wait_readings("d1", 100, SOON_S)
    proxy.refuse()
    proxy.drop_connections()
    wait_failures(started, 8)
    mark = started.mark()
    proxy.accept()
    started.wait_log("online over", SOON_S, mark)
    receiver.wait_readings("d1", len(receiver.readings("d1")) + 400, SOON_S)
    mark = started.mark()
    proxy.drop_connections()  # a moment that the queue can bridge; the next birth brings health
    connects = int(started.wait_log(r"online .*connection (\d+)", SOON_S, mark)[1])
    health = receiver.wait_for(lambda: health_of(receiver, connects), SOON_S, "health")
    assert started.stop() == 0
    sampled, acked, dropped = map(
        int, started.wait_log(r"sampled (\d+) acked (\d+) dropped (\d+)", SOON_S).groups()
    )
    assert acked == sampled
    receiver.wait_for(
        lambda: receiver.sequence_report("d1").popitem()[1].last == sampled, SOON_S, "the last one"
    )
    report = receiver.sequence_report("d1").popitem()[1]
    assert report.in_order and set(report.duplicates) <= unsure(proxy)
    # What was dropped while its acknowledgement was lost has arrived all the same.
    assert 0 <= dropped - len(report.missing) <= len(unsure(proxy))
    assert health["dropped"] == dropped > 0
    # One gap of the oldest; the message under way when the queue was full may lie within.
    assert report.missing[-1] - report.missing[0] < len(report.missing) + 10
    prove_schedule_kept(receiver)
    prove_sound(started)


# ---- a peer that takes nothing any more


class DeafBroker:
    """Welcomes clients and then reads nothing any more, so that the network fills up: soon, as
    the kernel keeps little for a connection with such small segments.
    """

    def __init__(self):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        self.clients = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(SOON_S)
        for sock in (self._listener, *self.clients):
            sock.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                self.clients.append(client)
                self._welcome(client)

    def _welcome(self, client):
        """Answers CONNECT, SUBSCRIBE and the birth."""
        splitter, answered = Splitter(CONNECT), 0
        while answered < 3:
            for fragment in splitter.feed(client.recv(64)):
                if fragment.whole and answered < 3:
                    client.sendall(self._answer(parse(fragment.whole)))
                    answered += 1

    @staticmethod
    def _answer(packet):
        packet_id = (packet.packet_id or 0).to_bytes(2, "big")
        if packet.type == CONNECT:
            return b"\x20\x02\0\0"
        if packet.type == SUBSCRIBE:
            return b"\x90\x03" + packet_id + b"\x01"
        return b"\x40\x02" + packet_id


def test_a_connection_that_takes_nothing_any_more_is_found(device, figure):
    """QoS 0 goes on sending until the network's memory is full; no ping fits in either."""
    keepalive_s = 2
    with DeafBroker() as broker:
        limits = {"publish_per_s": 100000}
        umqtt = {"qos": 0, "keepalive_s": keepalive_s}
        started = device(quick(broker.port, umqtt=umqtt, sensor={"speed": 5000}, limits=limits))
        started.wait_log("online over", SOON_S)
        online = time.monotonic()
        started.wait_log(r"lost: the broker has been silent for \d+ ms", 2 * keepalive_s)
        found_s = time.monotonic() - online
        figure("full connection found after", f"{found_s:.2f}", f"s, keepalive {keepalive_s} s")
        assert found_s <= 1.5 * keepalive_s
        started.wait_log(r"connection 2\)", SOON_S)
        prove_sound(started)
