"""Routing keys: is each value called by its quantity, and each message by its topic?"""

import json

import cbor2
import pytest

from petrel.gateway.intake import Intake
from petrel.gateway.message import Arrival, Message
from petrel.gateway.routing import Routes, is_bound, key_of_topic, topic_of_key

NOW = 1_795_354_689_123
READING = Message(12, NOW, "devices/shed/data", "shed", "data",
                  '{"s":7,"n":1,"ts":1795354689,"t":25.5,"h":60,"soil":3}')


def keys(message, quantities=None, units=None):
    return [key for key, *_ in Routes(quantities or {}, units or {}).parcels(message, "f00")]


def test_a_reading_goes_out_whole_and_value_by_value():
    assert keys(READING) == [
        "devices.shed.data", "sensors.temperature", "sensors.humidity", "sensors.soil"]
    parcels = Routes({}, {}).parcels(READING, "f00")
    assert [number for _, number, _ in parcels] == [
        "f00-12", "shed/7/1/t", "shed/7/1/h", "shed/7/1/soil"]
    assert json.loads(parcels[0][2])["data"]["t"] == 25.5
    assert json.loads(parcels[1][2]) == {
        "deviceId": "shed", "quantity": "temperature", "data": 25.5, "unit": "Cel", "channel": "t",
        "s": 7, "n": 1, "ts": 1795354689, "topic": "devices/shed/data",
        "timestamp": "2026-11-22T13:38:09.123Z"}


def test_a_batch_is_value_by_value_in_its_order():
    data = '[{"s":7,"n":1,"t":1},{"s":7,"n":2,"t":2}]'
    message = Message(1, NOW, "devices/a/data", "a", "data", data)
    assert [number for _, number, _ in Routes({}, {}).parcels(message, "f")][1:] == [
        "a/7/1/t", "a/7/2/t"]


@pytest.mark.parametrize("quantities, units, expected", [
    ({"Cel": "temp"}, {}, "temp"),
    ({"t": "water.warmth"}, {}, "water_warmth"),
    ({}, {"shed": {"t": "lx"}}, "illuminance"),
    ({}, {"shed": {"t": "furlong"}}, "t"),
    ({"furlong": "distance"}, {"shed": {"t": "furlong"}}, "distance"),
    ({"t": "a", "Cel": "b"}, {}, "a"),
])
def test_the_names_are_config(quantities, units, expected):
    assert keys(READING, quantities, units)[1] == f"sensors.{expected}"


@pytest.mark.parametrize("topic, device, kind, key", [
    ("sensors/roof", "sensors/roof", "other", "sensors.roof"),
    ("devices/a.b*/status", "a.b*", "status", "devices.a_b_.status"),
    ("site/devices/a/health", "a", "health", "devices.a.health"),
    ("devices/a/else", "a", "other", "devices.a.else"),
])
def test_what_is_no_reading_has_its_topic(topic, device, kind, key):
    assert keys(Message(1, NOW, topic, device, kind, "23.5")) == [key]


def test_topics_and_keys_are_each_others():
    assert key_of_topic("devices/+/data/#") == "devices.*.data.#"
    assert topic_of_key("devices.shed.data") == "devices/shed/data"


@pytest.mark.parametrize("pattern, key, bound", [
    ("sensors.#", "sensors.temperature", True), ("sensors.#", "sensors", True),
    ("sensors.*", "sensors.a.b", False), ("#", "a.b", True), ("#.b", "a.b", True),
    ("*.b", "b", False), ("a.#.d", "a.b.c.d", True), ("a.#.d", "a.b.c", False),
    ("a", "a", True), ("a", "b", False),
])
def test_what_a_binding_takes(pattern, key, bound):
    assert is_bound(pattern, key) == bound


def test_units_are_learnt_where_a_payload_tells_them():
    intake = Intake()
    senml = cbor2.dumps([{-2: "devices/a/", 0: "x", 1: "lx", 2: 3, "seq": 1, "stream": 7}])
    (message,) = intake.take(Arrival("devices/a/data", senml, NOW))
    assert json.loads(message.data) == {"s": 7, "n": 1, "x": 3}
    assert intake.units == {"a": {"x": "lx"}}
    assert intake.taken_changes().units == {("a", "x"): "lx"}
    intake.take(Arrival("devices/a/data", senml, NOW))
    assert intake.taken_changes().units == {}
