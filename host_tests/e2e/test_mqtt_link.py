"""The whole device over the link `mqtt`: versions and QoS through lost connections, brokers in
their order, a redirection.
"""

import random

import pytest

from host_tests.e2e.proofs import SOON_S, prove_sound, quick
from host_tests.faults.mqtt_packets import CONNECT, DISCONNECT, PUBCOMP, PUBREC, SUBSCRIBE
from host_tests.harness import data
from host_tests.packets import with_length
from host_tests.peer import Peer, answer_to
from petrel.broker import free_port

COUNT = 400


def config(port, tmp_path, **options):
    sensor = {"file": str(data.take(data.MOTE, tmp_path, COUNT)), "speed": 1500}
    mqtt = {"host": "127.0.0.1", "port": port, "timeout_s": 2, "window": 4, **options}
    return quick(port, links=["mqtt"], mqtt=mqtt, sensor=sensor, payload={"batch": 3})


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize("qos", [1, 2])
def test_every_reading_through_lost_connections(
    proxy, receiver, device, tmp_path, seed, protocol, qos
):
    started = device(config(proxy.port, tmp_path, protocol=protocol, qos=qos),
                     flags=["--until-drained", "--heap", "1M"])
    for n in range(8):
        receiver.wait_readings("d1", 1 + n * COUNT // 10, SOON_S)
        if n % 2:
            proxy.hold(random.choice([PUBREC, PUBCOMP]))
            proxy.drop_held()
            proxy.drop_connections(rst=n % 4 == 1)
            proxy.release()
        else:
            proxy.cut_after(random.randrange(1, 300), random.choice(["to_server", "to_client"]))
    assert started.wait_exit(40) == 0
    receiver.wait_readings("d1", COUNT, SOON_S)
    (report,) = receiver.sequence_report("d1").values()
    assert not report.missing and report.last == COUNT
    assert qos == 1 or not report.duplicates
    assert proxy.connections >= 4
    prove_sound(started)


def test_brokers_are_tried_in_their_order(mosquitto, receiver, device, tmp_path):
    options = {"host": f"127.0.0.1:{free_port()}", "hosts": [f"localhost:{mosquitto.port}"]}
    started = device(config(1, tmp_path, **options), flags=["--until-drained"])
    assert started.wait_exit(30) == 0
    receiver.wait_readings("d1", COUNT, SOON_S)


def test_a_broker_that_sends_us_to_another_is_obeyed(mosquitto, receiver, device, tmp_path):
    with Peer() as peer:
        started = device(config(peer.port, tmp_path, protocol="5"), flags=["--until-drained"])
        peer.accept().expect(CONNECT)
        server = b"127.0.0.1:%d" % mosquitto.port
        properties = b"\x1c" + len(server).to_bytes(2, "big") + server
        peer.send(with_length(0x20, b"\0\x9d" + bytes([len(properties)]) + properties))
        assert started.wait_exit(30) == 0
    receiver.wait_readings("d1", COUNT, SOON_S)


def test_a_session_is_present_and_nothing_is_subscribed_to_again(device, tmp_path):
    with Peer() as peer:
        device(config(peer.port, tmp_path, qos=2))
        peer.accept()  # of the session's past nothing is known: it is ended first
        assert peer.expect(CONNECT).payload[7] & 2
        peer.send(b"\x20\x02\0\0")
        assert [packet.type for packet in peer.rest()] == [DISCONNECT]
        peer.welcome()
        peer.close()
        peer.accept()
        connect = peer.expect(CONNECT)
        assert not connect.payload[7] & 2, "a kept session is gone on with"
        peer.send(b"\x20\x02\x01\x00")
        packet = peer.next()
        assert packet.type != SUBSCRIBE
        peer.send(answer_to(packet))
