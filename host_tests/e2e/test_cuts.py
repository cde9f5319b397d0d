"""Does a device survive the end of its connection after each single byte, in either direction?

One device, hundreds of connections: the k-th is cut after k bytes, with FIN and RST in turn, so
the cuts go through CONNECT, SUBSCRIBE, birth, health and data on one side, and through CONNACK,
SUBACK, an inbound command and the acknowledgements on the other.
"""

import pytest

from host_tests.e2e.proofs import SOON_S, failures, prove_delivered, quick, unsure
from host_tests.faults.mqtt_packets import CONNACK, CONNECT, PUBACK, PUBLISH, SUBACK, SUBSCRIBE
from host_tests.faults.relay import Cut
from host_tests.faults.tcp import TO_CLIENT, TO_SERVER, FaultProxy
from host_tests.harness.receiver import Receiver

WORDS = {
    "lost: the broker closed the connection",
    "lost: connection reset",
    "lost: connection closed",
    "tcp: connection reset",
}


class CuttingProxy(FaultProxy):
    """Cuts its k-th connection after k bytes in `direction`, up to the `last` one."""

    def __init__(self, port, direction, last):
        super().__init__(port)
        self._direction, self._last = direction, last

    def _on_client(self, client):
        number = self.connections + 1
        if number <= self._last:
            self._cuts = {self._direction: Cut(number, rst=number % 2 == 0)}
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
    cutting = CuttingProxy(mosquitto.port, direction, last)
    with Receiver(mosquitto.port) as receiver, cutting as proxy:
        evidence("proxy", proxy.summary)
        # A retained command comes with every subscription, and is refused.
        receiver.publish("devices/d1/commands", '{"id":1,"cmd":"reboot"}', retain=True)
        started = device(quick(proxy.port, reconnect={"first_s": 0.01, "max_s": 0.01}))
        proxy.wait_for(lambda: proxy.connections > last, 60, f"{last} cuts")
        receiver.publish("devices/d1/commands", "", retain=True)
        started.wait_log(r"uplink: online", SOON_S, started.mark() - 1)
        assert receiver.command("d1", {"cmd": "ping"})["ok"]
        prove_delivered(started, receiver, unsure(proxy))
        assert {failure.why for failure in failures(started)} <= WORDS
        assert len(failures(started)) == last
        through = [p.type for p in proxy.delivered(direction) if p.connection == last]
    assert [kind for kind in through if kind not in (PUBLISH, PUBACK)] == seen[:2]
    assert len(through) >= len(seen) - 1
