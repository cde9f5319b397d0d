"""Does a device survive the end of its connection after each single byte, in either direction?

One device, hundreds of connections: the k-th is cut after k bytes, with FIN and RST in turn, so
the cuts go through CONNECT, SUBSCRIBE, birth, health and data on one side, and through CONNACK,
SUBACK, an inbound command and the acknowledgements on the other.
"""

import pytest

from host_tests.e2e.proofs import (
    SOON_S,
    failures,
    prove_caught_up,
    prove_delivered,
    prove_sound,
    quick,
    unsure,
    wait_failures,
)
from host_tests.faults.mqtt_packets import CONNACK, CONNECT, PUBACK, PUBLISH, SUBACK, SUBSCRIBE
from host_tests.faults.relay import Cut
from host_tests.faults.tcp import TO_CLIENT, TO_SERVER, FaultProxy
from host_tests.harness.receiver import Receiver
from petrel.broker import TlsFiles

STAGES = {"tcp", "connack", "lost"}


class CuttingProxy(FaultProxy):
    """Cuts its k-th connection in `direction` after as many bytes as the k-th of `cuts` says."""

    def __init__(self, port, direction, cuts):
        super().__init__(port)
        self._direction, self._plan = direction, dict(enumerate(cuts, 1))

    def _on_client(self, client):
        number = self.connections + 1
        if number in self._plan:
            self._cuts = {self._direction: Cut(self._plan[number], rst=number % 2 == 0)}
        super()._on_client(client)


@pytest.mark.parametrize(
    ("direction", "last", "seen"),
    [
        (TO_SERVER, 450, [CONNECT, SUBSCRIBE, PUBLISH, PUBLISH, PUBLISH]),
        (TO_CLIENT, 130, [CONNACK, SUBACK, PUBLISH, PUBACK, PUBACK, PUBACK]),
    ],
)
def test_a_cut_after_each_byte(start_mosquitto, device, evidence, direction, last, seen):
    mosquitto = start_mosquitto(extra="set_tcp_nodelay true")  # a second PUBACK leaves at once
    cutting = CuttingProxy(mosquitto.port, direction, range(1, last + 1))
    with Receiver(mosquitto.port) as receiver, cutting as proxy:
        evidence("proxy", proxy.summary)
        # A retained command comes with every subscription, and is refused.
        receiver.publish("devices/d1/commands", '{"id":1,"cmd":"reboot"}', retain=True)
        reconnect, in_order = {"first_s": 0.01, "max_s": 0.01}, {"durability": "ram"}
        started = device(quick(proxy.port, reconnect=reconnect, queue=in_order))
        proxy.wait_for(lambda: subscribed(proxy, last + 1), 60, f"{last} cuts")
        receiver.publish("devices/d1/commands", "", retain=True)
        assert receiver.command("d1", {"cmd": "ping"})["ok"]
        prove_caught_up(receiver)
        prove_delivered(started, receiver, unsure(proxy))
        assert {failure.why.partition(":")[0] for failure in failures(started)} <= STAGES
        assert len(failures(started)) == last
        through = [p.type for p in proxy.delivered(direction) if p.connection == last]
    assert [kind for kind in through if kind not in (PUBLISH, PUBACK)] == seen[:2]
    assert len(through) >= len(seen) - 1


@pytest.mark.parametrize(
    ("direction", "cuts"), [(TO_SERVER, range(1, 1400, 53)), (TO_CLIENT, range(1, 1900, 53))]
)
def test_cuts_in_a_handshake(start_mosquitto, certificates, device, evidence, direction, cuts):
    """Of TLS, with a certificate on either side, and in what comes after it."""
    server, client = certificates.server, certificates.client
    broker = start_mosquitto(tls=TlsFiles(certificates.ca.cert, server.cert, server.key, True))
    cutting = CuttingProxy(broker.tls_port, direction, cuts)
    ours = {"ca": str(certificates.ca.cert), "cert": str(client.cert), "key": str(client.key)}
    with Receiver(broker.port) as receiver, cutting as proxy:
        evidence("proxy", proxy.summary)
        reconnect = {"first_s": 0.01, "max_s": 0.01}
        started = device(quick(proxy.port, umqtt={"tls": ours}, reconnect=reconnect))
        proxy.wait_for(lambda: proxy.connections > len(cuts), 60, f"{len(cuts)} cuts")
        wait_failures(started, len(cuts))
        started.wait_log("online", SOON_S, started.mark() - 1)
        assert {failure.why.partition(":")[0] for failure in failures(started)} <= {"tls", "lost"}
        assert len(failures(started)) == len(cuts)
        received = {reading.seq for reading in receiver.readings("d1")}
        prove_delivered(started, receiver, may_repeat=received)
        prove_sound(started)


def subscribed(proxy, connection):
    return [p for p in proxy.delivered(TO_CLIENT, SUBACK) if p.connection == connection]
