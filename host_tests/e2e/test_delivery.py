"""Does every row of a recording arrive, once, in order, with the right values and times?"""

import time

import pytest

from host_tests.e2e.proofs import (
    SOON_S,
    prove_schedule,
    prove_schedule_kept,
    prove_sound,
    prove_values,
    quick,
)
from host_tests.faults.mqtt_packets import CONNECT, DISCONNECT, PUBLISH, SUBSCRIBE
from host_tests.faults.tcp import TO_SERVER
from host_tests.harness import data
from host_tests.harness.receiver import Receiver

AIRPORT_CHANNELS = {
    "t": {"column": "temp_f", "unit": "degF", "decimals": 2},
    "d": {"column": "dewp_f", "unit": "degF", "decimals": 2},
    "h": {"column": "hum_pct", "unit": "%RH", "decimals": 0},
    "w": {"column": "wind_dir", "unit": "deg", "decimals": 0},
    "k": {"column": "wind_kn", "decimals": 0},
    "r": {"column": "precip_in", "decimals": 2},
    "p": {"column": "press_hpa", "unit": "hPa", "decimals": 1},
    "v": {"column": "visib_mi", "decimals": 2},
}
MOTE = {"file": data.MOTE, "every_s": 5, "channels": data.MOTE_CHANNELS}
AIRPORT = {"file": data.AIRPORT, "every_s": 3600, "channels": AIRPORT_CHANNELS}
FAST = {"publish_per_s": 100000, "message_bytes": 4096}


@pytest.mark.parametrize(
    ("sensor", "speed", "batch", "qos", "times"),
    [
        (MOTE, 20_000, 1, 1, "recorded"),
        (MOTE, 20_000, 60, 1, "device"),
        (MOTE, 20_000, 1, 0, "device"),
        (MOTE, 20_000, 60, 0, "recorded"),
        (AIRPORT, 14_000_000, 1, 1, "device"),
        (AIRPORT, 14_000_000, 60, 0, "recorded"),
    ],
)
def test_every_row(mosquitto, receiver, device, umqtt, sensor, speed, batch, qos, times):
    # A configured speed goes up to a million: the rest is a shorter interval.
    every_s = sensor["every_s"] * 1_000_000 / max(speed, 1_000_000)
    speed = min(speed, 1_000_000)
    rows = data.rows(sensor["file"], sensor["channels"])
    begun = time.time()
    started = device(
        quick(
            mosquitto.port,
            umqtt={"qos": qos, "timeout_s": 10},
            sensor={**sensor, "every_s": every_s, "speed": speed, "times": times},
            payload={"batch": batch},
            limits=FAST,
            queue={"limit_kb": 1024},  # a busy machine samples faster than it sends
        ),
        flags=["--until-drained", "--umqtt", umqtt, "--heap", "4M"],
    )
    assert started.wait_exit(60) == 0
    readings = receiver.wait_readings("d1", len(rows), SOON_S)
    (report,) = receiver.sequence_report("d1").values()
    assert report.perfect and report.count == len(rows)
    prove_values(readings, rows)
    if times == "recorded":
        assert [r.ts for r in readings] == [row.time for row in rows]
    else:
        prove_schedule(readings, lambda n: (n - 1) * round(every_s * 1000) // speed)
        assert begun - 1 <= readings[0].ts <= readings[-1].ts <= time.time()
    messages = receiver.messages("d1", "data")
    assert {m.qos for m in messages} == {qos}
    prove_packing(messages, batch, FAST["message_bytes"])
    prove_schedule_kept(receiver, timeout_s=10)
    prove_sound(started)


def prove_packing(messages, batch, message_bytes):
    """A message is never longer than allowed, and only the last one shorter than it could be."""
    texts = [message.payload.strip(b"[]").split(b"},{") for message in messages]
    assert all(len(message.payload) <= message_bytes for message in messages)
    for message, text, after in zip(messages, texts, texts[1:], strict=False):
        more = len(after[0]) + 2 + 2 * (len(text) == 1)  # a comma and a brace, perhaps brackets
        assert len(text) == batch or len(message.payload) + more > message_bytes, message.payload
    return [len(text) for text in texts]


@pytest.mark.parametrize("message_bytes", [100, 300, 1000])
def test_batches_are_split_to_fit_a_message(mosquitto, receiver, device, tmp_path, message_bytes):
    file = str(data.take(data.MOTE, tmp_path, 300))
    limits = {**FAST, "message_bytes": message_bytes}
    sensor = {"file": file, "speed": 20_000}
    started = device(
        quick(mosquitto.port, sensor=sensor, payload={"batch": 60}, limits=limits),
        flags=["--until-drained"],
    )
    assert started.wait_exit(SOON_S) == 0
    assert receiver.sequence_report("d1").popitem()[1].perfect
    prove_values(receiver.readings("d1"), data.rows(file, data.MOTE_CHANNELS))
    counts = prove_packing(receiver.messages("d1", "data"), 60, message_bytes)
    assert sum(counts) == 300 and max(counts) < 60


# ---- the order of things


def test_birth_comes_before_data_and_every_packet_leaves_in_one_segment(proxy, receiver, device):
    started = device(quick(proxy.port, payload={"batch": 10}))
    receiver.wait_readings("d1", 100, SOON_S)
    started.pause()  # so that the proxy comes to the end of what the kernel has counted
    segments = proxy.wire_segments() or 0
    proxy.wait_for(lambda: len(proxy.packets(TO_SERVER)) >= segments, SOON_S, "one packet each")
    packets = proxy.packets(TO_SERVER)
    started.resume()
    assert [p.type for p in packets[:3]] == [CONNECT, SUBSCRIBE, PUBLISH]
    birth, health, *rest = (p for p in packets if p.type == PUBLISH)
    assert (birth.topic, birth.qos, birth.retain) == ("devices/d1/status", 1, True)
    assert (health.topic, health.qos, health.retain) == ("devices/d1/health", 0, True)
    assert {(p.topic, p.qos, p.retain) for p in rest} == {("devices/d1/data", 1, False)}
    assert all(p.packet_id != 0 for p in packets)
    started.stop()
    assert proxy.packets(TO_SERVER)[-1].type == DISCONNECT


def test_status_and_health_are_there_for_who_comes_later(mosquitto, receiver, device):
    started = device(quick(mosquitto.port))
    receiver.wait_readings("d1", 1, SOON_S)
    (stream,) = receiver.sequence_report("d1")
    with Receiver(mosquitto.port) as late:
        status = late.wait_status("d1", "online", SOON_S)
        (health,) = late.wait_for(lambda: late.messages("d1", "health"), SOON_S)
        retained = [m for m in late.messages("d1") if m.retained]
    assert {m.topic.rsplit("/", 1)[1] for m in retained} == {"status", "health"}
    assert status["s"] == health.json()["s"] == stream
    assert health.json()["connects"] == 1
    prove_sound(started)
