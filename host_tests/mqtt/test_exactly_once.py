"""QoS 2 through a real Mosquitto: exactly once, whatever becomes of connections and of the power.

Faults are not timed but commanded: acknowledgements are held, released, thrown away and forged, a
connection ends after a number of bytes, the device's process is killed.
"""

import collections
import contextlib
import random
import threading

import paho.mqtt.client as paho
import pytest

from host_tests.chip import Chip
from host_tests.faults import mqtt_packets
from host_tests.faults.tcp import TO_CLIENT, TO_SERVER
from host_tests.mqtt.test_client import HELD_MS

ACKS = (mqtt_packets.PUBREC, mqtt_packets.PUBCOMP)


class Counter:
    """Counts what arrives at QoS 2."""

    def __init__(self, port):
        self.counts, self._came = collections.Counter(), threading.Condition()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "counter")
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe("once", 2)
        assert subscribed.wait(5)

    def _on_message(self, _client, _data, message):
        with self._came:
            self.counts[int(message.payload)] += 1
            self._came.notify_all()

    def wait_for(self, distinct, deadline_s):
        with self._came:
            return self._came.wait_for(lambda: len(self.counts) >= distinct, deadline_s)

    def close(self):
        self._client.loop_stop()
        self._client.disconnect()


def fault(proxy):
    """One lost connection, in one of many ways."""
    kind = random.randrange(5)
    if kind == 0:
        proxy.drop_connections(rst=random.random() < 0.5)
    elif kind == 1:
        direction = random.choice([TO_SERVER, TO_CLIENT])
        proxy.cut_after(random.randrange(1, 200), direction, rst=random.random() < 0.5)
    elif kind == 2:
        proxy.cut_after(random.randrange(1, 60), TO_CLIENT, next_connection=True)
        proxy.drop_connections()
    elif kind == 3:  # the broker has it, and we never hear that
        ack = random.choice(ACKS)
        proxy.hold(ack)
        with contextlib.suppress(TimeoutError):  # everything was acknowledged already
            proxy.wait_held(1, 2)
        proxy.drop_held()
        proxy.drop_connections()
        proxy.release()
    else:  # acknowledgements of packets that are not under way, or answered already
        forged = random.choice([0x50, 0x70]) << 16 | 0x2 << 8
        packet_id = random.randrange(60_000, 65_535)
        proxy.inject(forged.to_bytes(3, "big")[:2] + packet_id.to_bytes(2, "big"), TO_CLIENT)
        proxy.drop_connections()


def exactly_once(proxy, mosquitto, folder, protocol, count, losses, cuts, seed):
    random.seed(seed)
    counter = Counter(mosquitto.port)
    power_cuts = set(random.sample(range(losses), cuts))
    chip = Chip("mqtt_client")
    chip.ask("deliver", proxy.port, str(folder), count, 8, protocol)
    done = 0
    for n in range(losses):
        done += count / (losses + 1)
        assert counter.wait_for(int(done), 30), chip.errors()[-1000:]
        with contextlib.suppress(ValueError):  # there is no connection at the moment
            fault(proxy)
        if n in power_cuts:
            chip.__exit__()
            chip = Chip("mqtt_client")
            chip.ask("deliver", proxy.port, str(folder), count, 8, protocol)
    left, held_us = chip.answer(60)
    assert left == 0 and held_us < HELD_MS * 1000
    chip.__exit__()
    counter.wait_for(count, 10)
    counter.close()
    assert counter.counts == collections.Counter(range(1, count + 1))
    return proxy.connections


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_exactly_once(proxy, mosquitto, tmp_path, seed, protocol):
    exactly_once(proxy, mosquitto, tmp_path, protocol, 120, 20, 4, seed)


@pytest.mark.long
@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_exactly_once_a_thousand_messages(proxy, mosquitto, tmp_path, seed, protocol):
    connections = exactly_once(proxy, mosquitto, tmp_path, protocol, 1000, 200, 20, seed)
    assert connections >= 150
