"""Devices on MQTT, umqtt and CoAP -> gateway -> webhook, RabbitMQ, PostgreSQL and SQLite at once:
is every reading exactly once in each, as it is in the CSV?
"""

import collections
import json
import re

import pytest

from host_tests.coap.ports import free_port
from host_tests.e2e.proofs import quick
from host_tests.e2e.test_delivery import AIRPORT
from host_tests.gateway.running import SOON_S, Gateway, Hook, wait_for
from host_tests.gateway.test_amqp import Queues
from host_tests.gateway.test_postgresql import ask
from host_tests.harness import data
from petrel.setup.services import find_postgresql, find_rabbitmq

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(
        not (find_rabbitmq() and find_postgresql()),
        reason="no rabbitmq-server, or no postgres; try: make setup-services",
    ),
]
ROWS = 100
LINKS = {"mqtt": "frame", "umqtt": "json", "coap": "senml-cbor"}  # and each device's payloads
CONFIG = """
[mqtt]
url = "mqtt://127.0.0.1:{mqtt}"
[http]
listen = ""
[coap]
listen = "127.0.0.1:{coap}"
[[webhook]]
name = "hook"
url = "{hook}"
batch = 50
topics = ["devices/+/data"]
[[amqp]]
name = "rabbit"
url = "{amqp}"
[[postgresql]]
name = "pg"
url = "{postgresql}"
"""


def started(device, link, ports, file):
    sensor = {**AIRPORT, "file": str(file), "times": "recorded", "speed": 360_000}
    made = quick(ports["mqtt"], device={"id": link}, sensor=sensor, links=[link],
                 payload={"format": LINKS[link], "batch": 7})
    if link != "umqtt":
        made[link] = {"port": ports[link]}
    return device(made, link, flags=["--until-drained"])


def readings(values):
    """[(device, number, time, {channel: value})] of (device, number, time, channel, value) each;
    a value that came twice shows as a list.
    """
    found = collections.defaultdict(dict)
    for *place, channel, value in values:
        own = found[tuple(place)]
        own[channel] = [own[channel], value] if channel in own else value
    return sorted(((*place, own) for place, own in found.items()), key=lambda each: each[:2])


def in_queue(queues):
    return readings(
        (m["deviceId"], m["n"], m["ts"], m["channel"], m["data"])
        for m in (json.loads(message.body) for message in list(queues.messages["sensor-data"])))


def in_hook(hook):
    return readings((device, r["n"], r["ts"], key, r[key]) for device, r in hook.readings()
                    for key in r.keys() - {"s", "n", "ts"})


def in_postgresql(url):
    return readings(ask(url, "SELECT device, number, extract(epoch FROM time)::bigint, channel, "
                        "value FROM readings"))


def test_every_reading_is_once_in_each(
    mosquitto, device, rabbitmq, postgresql, tmp_path, evidence,
):
    file = data.take(data.AIRPORT, tmp_path, ROWS)
    wanted = [(link, n, row.time, row.values) for link in sorted(LINKS)
              for n, row in enumerate(data.rows(file, AIRPORT["channels"]), 1)]
    ports = {"mqtt": mosquitto.port, "coap": free_port()}
    ask(postgresql.url, "CREATE DATABASE systems")
    url = re.sub("/postgres$", "/systems", postgresql.url)
    with (Hook() as hook, Queues(rabbitmq, "sensor-data") as queues,
          Gateway(tmp_path, CONFIG.format(**ports, hook=hook.url, amqp=rabbitmq.url,
                                          postgresql=url)) as gateway):
        evidence("log of the gateway", lambda: "\n".join(gateway.logs()))
        gateway.wait_log("127.0.0.1:.* connected", SOON_S)
        gateway.wait_log("listens for CoAP", SOON_S)
        devices = [started(device, link, ports, file) for link in LINKS]
        assert [each.wait_exit(60) for each in devices] == [0] * len(devices)
        for name, found in (("SQLite", gateway.rows), ("webhook", lambda: in_hook(hook)),
                            ("RabbitMQ", lambda: in_queue(queues)),
                            ("PostgreSQL", lambda: in_postgresql(url))):
            wait_for(lambda: len(found()) >= len(wanted), SOON_S,  # noqa: B023
                     lambda: f"{name}: {len(found())} of {len(wanted)}")  # noqa: B023
            assert found() == wanted, name
