"""To another broker: does all of it arrive there, whatever becomes of that, and what it refuses
alone stand aside?
"""

import json

import pytest

from host_tests.faults.tcp import FaultProxy
from host_tests.gateway.running import SOON_S, Gateway, wait_for
from host_tests.harness.receiver import Receiver
from petrel.gateway.message import Message, plain_text
from petrel.gateway.sinks.republish import payload_of

CONFIG = """
[mqtt]
url = "mqtt://127.0.0.1:{source}"
topics = ["devices/#", "sensors/#"]
[http]
listen = ""
[[republish]]
name = "mirror"
url = "mqtt://127.0.0.1:{target}"
prefix = "site/"
protocol = "{protocol}"
timeout_s = 1
retry_max_s = 1
{more}
"""


@pytest.fixture
def gateway(tmp_path, evidence):
    made = []

    def start(source, target, protocol="5", more=""):
        made.append(Gateway(tmp_path, CONFIG.format(
            source=source, target=target, protocol=protocol, more=more)))
        evidence("log of the gateway", lambda: "\n".join(made[0].logs()))
        made[0].wait_log("connected", SOON_S)
        return made[0]

    yield start
    for each in made:
        each.kill()


@pytest.mark.parametrize("payload, bytes_", [
    (b"23.50", None), (b'{"a":1}', None), (b"ON", None), (b"\xff\x00", None),
    (b'{"base64":"?"}', None), (b'{"base64":1}', None), (b" 1 ", b"1"), (b'"ON"', b"ON"),
])
def test_what_is_no_reading_leaves_as_it_came(payload, bytes_):
    message = Message(1, 0, "sensors/a", "sensors/a", "other", plain_text(payload))
    assert payload_of(message) == (bytes_ or payload)


def numbers(receiver, device="shed"):
    """Numbers of the readings that came, without repetitions, in order."""
    came = [json.loads(m.payload)["n"] for m in receiver.messages()
            if m.topic == f"site/devices/{device}/data"]
    return list(dict.fromkeys(came))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_the_broker_is_cut_off_frozen_and_away(start_mosquitto, gateway, protocol):
    source, target = start_mosquitto(), start_mosquitto()
    with (Receiver(source.port) as here, FaultProxy(target.port) as proxy,
          Receiver(target.port, "site/#") as there):
        running = gateway(source.port, proxy.port, protocol)

        def send(*range_):
            for n in range(*range_):
                here.publish("devices/shed/data", json.dumps({"s": 7, "n": n, "t": n}))

        def arrive(count):
            wait_for(lambda: len(numbers(there)) >= count, SOON_S, lambda: str(numbers(there)))
            assert numbers(there) == [*range(1, count + 1)]

        send(1, 21)
        arrive(20)
        proxy.drop_connections(rst=True)
        send(21, 41)
        arrive(40)
        proxy.freeze()
        send(41, 61)
        running.wait_log("mirror: no acknowledgement within 1 s; next try in", SOON_S)
        arrive(60)
        proxy.refuse()
        proxy.drop_connections()
        send(61, 81)
        running.wait_rows(80)  # the database waits for nobody
        running.kill()
        mark = running.mark()
        running.start()
        running.wait_log("mirror: .*does not answer; next try in", SOON_S, mark)
        proxy.accept()
        arrive(80)
        here.publish("devices/shed/status", b'{"status":"online"}', retain=True)
        here.publish("sensors/roof", b"ON")
        wait_for(lambda: [m for m in there.messages() if m.topic == "site/sensors/roof"], SOON_S,
                 lambda: str(there.messages()[-3:]))
        assert there.messages()[-1].payload == b"ON"
    with Receiver(target.port, "site/#") as late:
        wait_for(late.messages, SOON_S, lambda: "no retained message")
        assert [m.topic for m in late.messages()] == ["site/devices/shed/status"]


def test_what_the_broker_forbids_stands_aside(start_mosquitto, gateway, tmp_path):
    allowed = tmp_path / "acl"
    allowed.write_text("topic readwrite site/devices/#\n")
    source, target = start_mosquitto(), start_mosquitto(extra=f"acl_file {allowed}")
    with Receiver(source.port) as here, Receiver(target.port, "site/devices/#") as there:
        running = gateway(source.port, target.port)
        for n in (1, 2):
            here.publish("devices/shed/data", json.dumps({"s": 7, "n": n, "t": n}))
            here.publish(f"sensors/{n}", b"1")
        wait_for(lambda: numbers(there) == [1, 2], SOON_S, lambda: str(numbers(there)))
        running.wait_log("mirror refuses a message on sensors/2: not authorized", SOON_S)
