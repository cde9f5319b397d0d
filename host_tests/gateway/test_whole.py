"""Real devices -> Mosquitto -> gateway -> database and webhook: is every reading there once,
whatever is killed, refused or full on the way?
"""

import collections
import json
import random
import resource
import time

import pytest

from host_tests.e2e.proofs import quick
from host_tests.e2e.test_delivery import AIRPORT
from host_tests.gateway.running import SOON_S, Gateway, Hook, wait_for
from host_tests.harness import data

ROWS = 150
FORMATS = {"json": 1, "frame": 20, "senml-cbor": 7, "cbor": 3}  # and readings a batch
CONFIG = """
[mqtt]
url = "mqtt://127.0.0.1:{port}"
protocol = "{protocol}"
[http]
listen = ""
[[webhook]]
name = "hook"
url = "{hook}"
batch = {batch}
timeout_s = 1
retry_max_s = 1
topics = ["devices/+/data", "sensors/#"]
"""


@pytest.fixture
def gateway(tmp_path, evidence):
    """Starts a gateway: gateway(broker, hook, batch=..., more=text of the config)."""
    made = []

    def start(broker, hook, batch=50, protocol="5", more=""):
        config = CONFIG.format(port=broker.port, hook=hook.url, batch=batch, protocol=protocol)
        config = config.replace("[mqtt]", '[mqtt]\ntopics = ["devices/#", "sensors/#"]')
        made.append(Gateway(tmp_path, config + more))
        evidence("log of the gateway", lambda: "\n".join(made[0].logs()))
        made[0].wait_log("connected", SOON_S)
        return made[0]

    yield start
    for each in made:
        each.kill()


class Fleet:
    """Devices that send `ROWS` rows, each in a payload format, after which it is called."""

    def __init__(self, device, file, broker, formats, pace_ms):
        self.formats, self.rows = formats, data.rows(file, AIRPORT["channels"])
        sensor = {**AIRPORT, "file": str(file), "times": "recorded",
                  "speed": 3600 * 1000 // pace_ms}
        self.devices = [
            device(
                quick(broker.port, device={"id": name}, sensor=sensor,
                      payload={"format": name, "batch": FORMATS[name]}),
                name, flags=["--until-drained"],
            )
            for name in formats
        ]

    def wait_drained(self):
        assert [each.wait_exit(60) for each in self.devices] == [0] * len(self.devices)

    def prove_in(self, gateway, hook):
        """Both sinks have every reading of every device once, as it is in the CSV; returns
        whether they came to the webhook in order.
        """
        wanted = [(name, n, row.time, row.values) for name in sorted(self.formats)
                  for n, row in enumerate(self.rows, 1)]
        assert gateway.wait_rows(len(wanted)) == wanted
        wait_for(lambda: len(hook.readings()) >= len(wanted), SOON_S,
                 lambda: f"{len(hook.readings())} of {len(wanted)} at the webhook")
        told = [(name, r["n"], r["ts"], {k: r[k] for k in r if k not in ("s", "n", "ts")})
                for name, r in hook.readings()]
        assert sorted(told, key=lambda each: each[:2]) == wanted
        return all(own == sorted(own) for own in (
            [n for other, n, *_ in told if other == name] for name in self.formats
        ))


@pytest.fixture
def fleet(device, tmp_path):
    """Starts devices: fleet(broker, formats, pace_ms)."""
    file = data.take(data.AIRPORT, tmp_path, ROWS)
    return lambda broker, formats=("json", "frame"), pace_ms=10: Fleet(
        device, file, broker, formats, pace_ms)


def test_every_reading_in_every_format(mosquitto, receiver, fleet, gateway):
    with Hook() as hook:
        running = gateway(mosquitto, hook)
        receiver.publish("sensors/roof", b'{"temperature":25.50,"humidity":60}')
        receiver.publish("sensors/roof/bare", b"23.5")
        devices = fleet(mosquitto, FORMATS)
        devices.wait_drained()
        assert devices.prove_in(running, hook)
        assert hook.requests == hook.taken
        foreign = {item["topic"]: item["data"] for item in hook.once()
                   if item["topic"].startswith("sensors")}
        assert foreign == {"sensors/roof": {"temperature": 25.5, "humidity": 60},
                           "sensors/roof/bare": 23.5}
        assert running.stop() == 0


def test_killed_at_random(mosquitto, fleet, gateway, seed):
    with Hook() as hook:
        running = gateway(mosquitto, hook)
        devices = fleet(mosquitto, pace_ms=20)
        for _ in range(3):
            time.sleep(random.uniform(0.1, 1))
            running.kill()
            mark = running.mark()
            running.start()
            running.wait_log("connected", SOON_S, mark)
        devices.wait_drained()
        assert devices.prove_in(running, hook)
        keys = collections.defaultdict(set)
        for key, items in hook.requests:
            keys[key].add(json.dumps(items))
        assert all(len(bodies) == 1 for bodies in keys.values()), "a key means one body"
        ids = [item["id"] for key, items in dict(hook.taken).items()
               for item in items]
        assert len(ids) == len(set(ids)), "who remembers keys has each message once"


def test_a_webhook_that_fails_in_every_way_loses_nothing(mosquitto, fleet, gateway):
    """Nobody is there, then somebody who fails; the database waits for none of it."""

    def answer(number, items):
        return [500, None, (429, {"Retry-After": "1"}), 503, *[200] * 1000][number - 1]

    gone = Hook()
    gone.close()
    running = gateway(mosquitto, gone)
    devices = fleet(mosquitto)
    running.wait_rows(2 * ROWS)
    devices.wait_drained()
    running.wait_log("hook: no answer: .*; next try in", SOON_S)
    running.kill()
    running.start()
    with Hook(answer, port=gone.server_port) as hook:
        assert devices.prove_in(running, hook)
        running.wait_log("hook: status 500; next try in", SOON_S)
        assert hook.requests[0] == hook.requests[1], "repeated as it was"


def test_a_refused_message_waits_in_the_dead_letters(mosquitto, receiver, gateway):
    def answer(number, items):
        return 400 if any(item["data"] == "poison" for item in items) else 200

    with Hook(answer) as hook:
        running = gateway(mosquitto, hook, batch=8)
        for n in range(20):
            receiver.publish("sensors/a", b"poison" if n == 11 else b"%d" % n)
        wait_for(lambda: len(hook.once()) == 19, SOON_S, lambda: str(len(hook.once())))
        running.wait_log("refuses a message on sensors/a: status 400; it is in the dead", SOON_S)
        assert [item["data"] for item in hook.once()] == [n for n in range(20) if n != 11]


def test_mosquitto_restarted(mosquitto, fleet, gateway):
    with Hook() as hook:
        running = gateway(mosquitto, hook, batch=1, protocol="3.1.1")
        devices = fleet(mosquitto, pace_ms=20)
        for _ in range(2):
            time.sleep(0.7)
            mosquitto.stop()  # a SIGKILL of Mosquitto loses what it has acknowledged
            mosquitto.start()
        devices.wait_drained()
        devices.prove_in(running, hook)


def test_the_disk_is_full(mosquitto, fleet, gateway):
    """Once until there is room again, once until the gateway is killed: what it could not write
    it had not acknowledged.
    """
    with Hook() as hook:
        running = gateway(mosquitto, hook)
        devices = fleet(mosquitto, pace_ms=20)
        running.wait_rows(20)
        for killed in (False, True):
            mark = running.mark()
            resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
            running.wait_log("can't be written", SOON_S, mark)
            time.sleep(0.5)  # for messages to come that must wait
            if killed:
                running.kill()
                running.start()
            else:
                resource.prlimit(running.pid, resource.RLIMIT_FSIZE,
                                 (resource.RLIM_INFINITY,) * 2)
                running.wait_log("is written again", SOON_S, mark)
        devices.wait_drained()
        assert devices.prove_in(running, hook)
