"""Is a device harmed by what is sent to it, and does everybody who asks get an answer?"""

import json
import re

import paho.mqtt.client as paho
import pytest

from host_tests.e2e.proofs import (
    SOON_S,
    prove_delivered,
    prove_recovery,
    prove_schedule_kept,
    prove_sound,
    quick,
)
from host_tests.faults.mqtt_packets import PUBACK, PUBLISH
from host_tests.faults.tcp import TO_CLIENT, TO_SERVER
from host_tests.harness import data

COMMANDS = "devices/d1/commands"


def answers(receiver, count, before=0):
    """The responses from the `before`th on, once there are `count` of them."""

    def found():
        return [m.json() for m in receiver.messages("d1", "responses")[before:]]

    receiver.wait_for(lambda: len(found()) >= count, SOON_S, f"{count} responses")
    return found()


def answer(receiver, payload, **options):
    """The one response to the bytes of a command."""
    before = len(receiver.messages("d1", "responses"))
    receiver.publish(COMMANDS, payload, **options)
    (response,) = answers(receiver, 1, before)
    return response


# ---- too large


@pytest.mark.parametrize("size", [100_000, 20_000_000])
def test_a_message_that_is_too_large(proxy, receiver, device, figure, size):
    """It is skipped as it arrives: the memory that it would take is never asked for."""
    started = device(quick(proxy.port, umqtt={"timeout_s": 10}))
    receiver.wait_readings("d1", 20, SOON_S)
    response = answer(receiver, bytes(size), deadline_s=SOON_S)
    refusal = r"a command of (\d+) bytes; at most 512 are taken"
    assert size < int(re.fullmatch(refusal, response.pop("error"))[1]) < size + 100
    assert response == {"id": None, "ok": False}
    assert receiver.command("d1", {"cmd": "ping"})["ok"]
    assert proxy.connections == 1
    prove_recovery(started, proxy, receiver, figure, 0)


def test_the_longest_command(receiver, running):
    """512 bytes with everything that is sent around the command."""
    most = 512 - (1 + 2 + 2 + len(COMMANDS) + 2)
    command = json.dumps({"cmd": "ping", "id": 1})
    assert answer(receiver, command.ljust(most)) == {"id": 1, "ok": True}
    assert "at most 512" in answer(receiver, command.ljust(most + 1))["error"]


# ---- malformed


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"", "not JSON in UTF-8"),
        (b'{"cmd":"pi', "not JSON in UTF-8"),
        (b'{"id":"\xff","cmd":"ping"}', "not JSON in UTF-8"),
        (b"[" * 400, "not JSON in UTF-8"),
        (b"[1,2]", 'not a JSON object with "id" and "cmd"'),
        (b'{"id":1}', '"cmd" is missing or no string'),
        (b'{"cmd":7}', '"cmd" is missing or no string'),
        (b'{"cmd":"fly"}', 'unknown "cmd"; there is: info, ping, read, reboot'),
        (b'{"id":[1],"cmd":"ping"}', '"id" is no whole number and no string of at most 64'),
        (b'{"id":"\\ud83d","cmd":"ping"}', '"id" has half of a surrogate pair'),
    ],
)
def test_a_malformed_command(receiver, running, payload, error):
    response = answer(receiver, payload)
    assert response.pop("error").startswith(error)
    assert response == {"id": None, "ok": False}
    assert receiver.command("d1", {"cmd": "ping"})["ok"]
    prove_delivered(running, receiver)


def test_a_retained_command_is_refused_at_each_connection(proxy, receiver, running):
    receiver.publish(COMMANDS, '{"id":1,"cmd":"reboot"}', retain=True)
    running.wait_log("app: reboot", SOON_S)  # to whoever is there it is a command like any
    refusal = "a retained command, which would run again at every connection"
    mark = running.mark()
    for _ in range(3):
        running.wait_log(f"commands: refused: {refusal}", SOON_S, mark)
        running.wait_log("online over", SOON_S, mark)
        mark = running.mark()
        proxy.drop_connections()
    running.wait_log("online over", SOON_S, mark)
    assert receiver.command("d1", {"cmd": "info"})["boot"] == "software"
    assert [a["error"] for a in answers(receiver, 5) if not a["ok"]][:3] == [refusal] * 3
    prove_sound(running)


# ---- many


def publish_all(port, topic, payloads):
    """Publishes without waiting for one before the next."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for sent in [client.publish(topic, payload, 1) for payload in payloads]:
        sent.wait_for_publish(SOON_S)
    client.disconnect()
    client.loop_stop()


def test_a_flood_of_commands(mosquitto, proxy, receiver, running, figure):
    """Every one is acknowledged, and answered, or counted where the answers found no room."""
    flood = 500
    pings = [json.dumps({"id": n, "cmd": "ping"}) for n in range(flood)]
    publish_all(mosquitto.port, COMMANDS, pings)
    proxy.wait_for(
        lambda: len(proxy.packets(TO_SERVER, PUBACK)) == flood, SOON_S, "acknowledgements"
    )
    came = [p.packet_id for p in proxy.packets(TO_CLIENT, PUBLISH)]
    assert [p.packet_id for p in proxy.packets(TO_SERVER, PUBACK)] == came
    assert receiver.command("d1", {"cmd": "ping", "id": "after"})["ok"]
    responses = answers(receiver, 1)
    done = [response["id"] for response in responses if response["ok"]]
    busy = [response["error"] for response in responses if not response["ok"]]
    assert done == [*sorted(done[:-1]), "after"] and len(done) > 1
    assert set(busy) <= {"busy; 4 commands wait already"}
    assert proxy.connections == 1
    prove_recovery(running, proxy, receiver, figure, 0)
    dropped = receiver.messages("d1", "health")[-1].json()["posts_dropped"]
    assert len(done) - 1 + len(busy) + dropped == flood
    figure("answered, busy, dropped", f"{len(done)}, {len(busy)}, {dropped}", f"of {flood}")


def test_a_command_of_qos_2_arrives_as_qos_1(proxy, receiver, running):
    receiver.publish(COMMANDS, '{"id":2,"cmd":"ping"}', qos=2)
    assert answers(receiver, 1) == [{"id": 2, "ok": True}]
    (command,) = proxy.packets(TO_CLIENT, PUBLISH)
    assert command.qos == 1
    assert proxy.connections == 1


# ---- beyond ASCII


def test_names_and_values_beyond_ascii(mosquitto, receiver, device, umqtt):
    name = "Süd-☃ 😀"
    channels = {
        "Öl": {"column": "temp_c", "unit": "°C", "decimals": 1},
        "温度": {"column": "hum_pct", "unit": "µg", "decimals": 0},
    }
    settings = quick(mosquitto.port, device={"id": name}, umqtt={"username": "Jürgen"})
    settings["sensors"][0]["channels"] = channels
    started = device(settings, flags=["--umqtt", umqtt])
    receiver.wait_readings(name, 20, SOON_S)
    info = receiver.command(name, {"cmd": "info", "id": "ü 😀"})
    assert info["channels"] == {"Öl": ["°C", 1], "温度": ["µg", 0]}
    assert receiver.command(name, {"cmd": "fliege 🪰"})["error"].startswith('unknown "cmd"')
    started.kill()
    receiver.wait_status(name, "offline", SOON_S)
    rows = data.rows(data.MOTE, channels)
    readings = receiver.readings(name)
    assert [r.values for r in readings] == [row.values for row in rows[: len(readings)]]
    prove_schedule_kept(receiver, name=name)
    assert f"device {name}, stream" in started.logs()[0]
