"""A broker of MQTT 5.0 that refuses a publish gets a decision, never a loop (link `mqtt`)."""

import json

import pytest

from host_tests.e2e.proofs import quick
from host_tests.faults.mqtt_packets import (
    CONNECT,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    SUBSCRIBE,
)
from host_tests.harness import data
from host_tests.packets import text, with_length
from host_tests.peer import Peer

# Reason codes of PUBACK and PUBREC (sections 3.4.2.1 and 3.5.2.1).
NEVER = [0x90, 0x99]  # topic, form
LATER = [0x80, 0x83, 0x87, 0x97]  # unspecified, the broker's own, not authorised, quota


@pytest.fixture(params=[1, 2])
def broker(request, device, tmp_path):
    with Peer() as peer:
        sensor = {"file": str(data.take(data.MOTE, tmp_path, 12)), "speed": 1500}
        mqtt = {"host": "127.0.0.1", "port": peer.port, "protocol": "5", "qos": request.param,
                "window": 1, "timeout_s": 5}
        queue = {"durability": "ram"}
        settings = quick(peer.port, links=["mqtt"], mqtt=mqtt, sensor=sensor, queue=queue)
        yield Scripted(peer, device(settings, flags=["--heap", "1M"]))


class Scripted:
    """A broker that takes everything but readings, which a test answers, and `unwanted`."""

    unwanted = None  # the last part of a topic
    refused = 0

    def __init__(self, peer, device):
        self.peer = peer
        self.device = device
        self.health = {}

    def welcome(self):
        self.peer.accept().expect(CONNECT)
        self.peer.send(with_length(0x20, bytes(3)))

    def data(self):
        """The next publish of readings and the number of the first, None at the end."""
        while packet := self.peer.next():
            if packet.type == SUBSCRIBE:
                self.say(SUBACK, packet, b"\0\1")
            elif packet.type == PUBREL:
                self.say(PUBCOMP, packet)
            elif packet.type == PUBLISH:
                kind = packet.topic.rpartition("/")[2]
                if kind == "data":
                    return packet, content(packet)["n"]
                if kind == "health":
                    self.health = content(packet)
                elif kind == self.unwanted:
                    self.refused += 1
                    self.answer(packet, 0x87)
                else:
                    self.answer(packet)
        return None

    def answer(self, packet, code=0):
        self.say(PUBREC if packet.qos == 2 else PUBACK, packet, bytes([code]) if code else b"")

    def say(self, kind, packet, more=b""):
        self.peer.send(with_length(kind << 4, packet.packet_id.to_bytes(2) + more))


def content(packet):
    return json.loads(packet.payload[packet.payload.index(b"{") :])


def test_readings_that_it_will_never_take_are_set_aside_and_counted(broker):
    broker.welcome()
    for number, code in enumerate(NEVER, 1):
        packet, first = broker.data()
        assert first == number
        broker.answer(packet, code)
    packet, first = broker.data()
    assert first == len(NEVER) + 1, "the next one comes, on the same connection"
    assert broker.device.wait_log(r"set aside, (\d+) so far", 5)
    assert sum("set aside" in line for line in broker.device.logs()) == len(NEVER)


def test_readings_that_it_may_take_later_are_not_lost(broker):
    broker.welcome()
    for code in LATER:
        packet, first = broker.data()
        assert first == 1
        broker.answer(packet, code)
        assert broker.data() is None, "the link is given up; the uplink waits its longest delay"
        broker.welcome()
    packet, first = broker.data()
    assert first == 1 and not packet.dup, "a message that was refused is a new one"
    broker.answer(packet)
    assert broker.data()[1] == 2
    assert not any("set aside" in line for line in broker.device.logs())


def test_a_refusal_of_anything_else_holds_up_no_reading(broker):
    broker.unwanted = "responses"
    broker.welcome()
    packet, number = broker.data()
    command = text(b"devices/d1/commands") + b"\0" + b'{"id":1,"cmd":"ping"}'
    broker.peer.send(with_length(0x30, command))
    for following in range(2, 9):
        broker.answer(packet)
        packet, number = broker.data()
        assert number == following, "on the same connection"
    assert broker.refused == 1
    broker.welcome()
    assert broker.data() and broker.health["posts_dropped"] == 1
