"""Does one connection outlive its packet ids, which are 16 bits, and does its memory stay flat?"""

import time

import paho.mqtt.client as paho
import pytest

from host_tests.chip import Chip
from host_tests.e2e.proofs import SOON_S, health_of, prove_sound, quick
from host_tests.faults.mqtt_packets import PUBACK, PUBLISH, SUBSCRIBE
from host_tests.faults.tcp import TO_CLIENT, TO_SERVER
from host_tests.harness import data

IDS = 65535  # from 1, MQTT 3.1.1 section 2.3.1
LEAK_BYTES = 1500  # less than one byte for 40 messages


def test_a_session_passes_the_wrap_of_packet_ids(proxy, receiver, umqtt):
    """It starts shortly before; Mosquitto takes every id, and none is 0."""
    count = 30
    with Chip("linking", umqtt=umqtt) as chip:
        message_bytes, raises, first_id = 1024, None, IDS - 10
        chip.call("make", "umqtt", {"port": proxy.port}, "d1", message_bytes, raises, first_id)
        sends = [["send", "data", f'{{"s":1,"n":{n}}}'] for n in range(1, count + 1)]
        told = chip.call("session", sends)
    assert (told["error"], told["done"]) == (None, count)
    receiver.wait_readings("d1", count, SOON_S)
    assert receiver.sequence_report("d1").popitem()[1].perfect
    sent = [p.packet_id for p in proxy.packets(TO_SERVER) if p.type in (SUBSCRIBE, PUBLISH)]
    assert sent == [*range(IDS - 10, IDS + 1), *range(1, len(sent) - 10)]
    assert [p.packet_id for p in proxy.packets(TO_CLIENT, PUBACK)] == sent[1:]


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_session_of_more_messages_than_there_are_packet_ids(
    mosquitto, receiver, device, figure
):
    settings = quick(
        mosquitto.port,
        sensor={"speed": 12_500, "loop": True},
        limits={"publish_per_s": 100_000},
        # On a busy machine it samples faster than it sends; in RAM that keeps its order.
        queue={"limit_kb": 4096, "durability": "ram"},
        umqtt={"timeout_s": 10},
    )
    started = device(settings, flags=["--heap", "12M"])
    receiver.wait_readings("d1", 100, SOON_S)
    before = health_after_a_new_birth(mosquitto, receiver, 2)
    begun, count = time.monotonic(), len(receiver.messages("d1", "data"))
    while len(receiver.messages("d1", "data")) <= count + IDS + 10:
        assert time.monotonic() < begun + 150, receiver.summary()
        time.sleep(0.5)  # asking at every message would take all the time there is
    figure("messages", f"{(IDS + 10) / (time.monotonic() - begun):.0f}", "a second")
    after = health_after_a_new_birth(mosquitto, receiver, 3)
    figure("heap free before and after", f"{before['free']} and {after['free']}", "bytes")
    assert after["acks"] - before["acks"] > IDS and after["skipped"] == after["dropped"] == 0
    assert after["free"] > before["free"] - LEAK_BYTES
    started.kill()
    report = receiver.sequence_report("d1").popitem()[1]
    assert report.in_order and not report.missing and len(report.duplicates) <= 2
    rows = data.rows(data.MOTE, data.MOTE_CHANNELS)
    readings = receiver.readings("d1")
    assert all(r.values == rows[(r.seq - 1) % len(rows)].values for r in readings)
    prove_sound(started)


def health_after_a_new_birth(mosquitto, receiver, connection):
    """The health at the birth that follows when another client of the same name takes over."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="d1")
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    client.disconnect()
    client.loop_stop()
    return receiver.wait_for(lambda: health_of(receiver, connection), SOON_S, "a birth's health")
