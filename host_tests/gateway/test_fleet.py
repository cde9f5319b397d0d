"""The fleet model: states and their reasons, readings in order, what is lost for certain."""

import dataclasses
import json
import math

import pytest

from petrel.gateway.fleet import fleet as fleet_module
from petrel.gateway.fleet.account import Account, account
from petrel.gateway.fleet.device import format_of
from petrel.gateway.fleet.fleet import Fleet
from petrel.gateway.fleet.history import MOST_CHANNELS, MOST_POINTS, History
from petrel.gateway.fleet.state import LOST, NEVER, ONLINE, SLEEPING, STALE, STOPPED, judge
from petrel.gateway.intake import Intake
from petrel.gateway.message import Arrival, Message, kind_of

T = 1_732_265_000_000


def message(topic, data, now=T, retained=False, payload=b"{}"):
    arrival = Arrival(topic, payload, now, retained, "MQTT")
    kind = kind_of(topic)
    name = topic if kind == "other" else topic.split("/")[1]
    return Message(1, now, topic, name, kind, json.dumps(data), arrival)


def shed(kind, data, now=T, **more):
    return message(f"devices/shed/{kind}", data, now, **more)


def row(fleet, name="shed"):
    return json.loads(fleet.devices[name].row())


# ---- states


@pytest.mark.parametrize("status, heard, usual, now, state, why", [
    ({}, None, None, T, NEVER, "nothing has come"),
    ({"status": "online"}, T, None, T, ONLINE, "connected"),
    ({}, T, 5000, T + 15_000, ONLINE, "heard every 5 s"),
    ({}, T, 5000, T + 15_001, STALE, "usually every 5 s"),
    ({}, T, 100, T + 10_000, ONLINE, "100 ms"),
    ({"status": "online"}, T, None, T + 900_001, STALE, "nothing has come"),
    ({"status": "offline"}, T, None, T, LOST, "will"),
    ({"status": "offline", "reason": "stopped"}, T, None, T, STOPPED, "told to stop"),
    ({"status": "offline", "reason": "own"}, T, None, T, STOPPED, "own"),
    ({"status": "sleeping", "next_s": 60}, T, 5000, T + 120_000, SLEEPING, "said so"),
    ({"status": "sleeping", "next_s": 60}, T, 5000, T + 120_001, STALE, "woken"),
    ({"status": "sleeping", "next_s": "soon"}, T, None, T + 900_000, SLEEPING, "said so"),
    ({"status": 5}, T, None, T, ONLINE, "connected"),
])
def test_a_state_has_its_reason(status, heard, usual, now, state, why):
    found, reason = judge(status, heard, usual, now)
    assert found == state and why in reason


def test_an_outage_is_told_and_stays_in_the_timeline():
    fleet = Fleet(["shed"])
    assert row(fleet)["state"] == NEVER
    fleet.take([shed("status", {"status": "online", "v": "1", "boot": "power"})])
    fleet.take([shed("status", {"status": "offline"}, T + 5000)])
    assert (row(fleet)["state"], row(fleet)["since"], row(fleet)["heard"]) == (LOST, T + 5000, T)
    fleet.take([shed("status", {"status": "online"}, T + 9000)])
    told = [(time, state) for time, state, _ in fleet.devices["shed"].timeline]
    assert told == [(T, ONLINE), (T + 5000, LOST), (T + 9000, ONLINE)]


def test_time_alone_makes_a_device_stale_and_a_word_ends_that():
    fleet = Fleet()
    for second in range(4):
        fleet.take([shed("data", {"s": 7, "n": second + 1, "t": 1}, T + 5000 * second)])
    seen = fleet.version
    fleet.tick(T + 20_000)
    assert fleet.since(seen) == ([], [])
    fleet.tick(T + 35_000)
    assert row(fleet)["state"] == STALE and fleet.since(seen)[0] == [fleet.devices["shed"]]
    fleet.take([shed("data", {"s": 7, "n": 5, "t": 1}, T + 36_000)])
    assert row(fleet)["state"] == ONLINE


def test_what_the_broker_kept_is_no_word_of_now():
    fleet = Fleet()
    fleet.take([shed("health", {"up": 5, "free": 9}, retained=True)])
    assert "heard" not in row(fleet) and "born" not in row(fleet) and row(fleet)["free"] == 9


# ---- readings


def test_readings_stand_in_the_order_of_their_times():
    fleet = Fleet()
    fleet.take([shed("data", {"s": 7, "n": n, "ts": T // 1000 + n, "t": n}) for n in (1, 4)])
    late = [{"s": 7, "n": n, "ts": T // 1000 + n, "t": n} for n in (2, 3)]
    fleet.take([shed("data", late)])
    told = fleet.devices["shed"].detail()["history"]
    assert told["numbers"] == [1, 2, 3, 4] and told["channels"] == {"t": [1, 2, 3, 4]}
    assert row(fleet)["reading"] == {"t": 4}, "the newest, not the last that came"


def test_history_is_bounded():
    history = History()
    for n in range(MOST_POINTS + 50):
        history.add(n, 1, n, {f"c{n % 40}": n})
    history.add(-1, 1, 0, {"c0": 1})
    told = history.dump()
    assert len(told["times"]) == MOST_POINTS and told["times"][0] == 50
    assert len(told["channels"]) == MOST_CHANNELS
    assert {len(column) for column in told["channels"].values()} == {MOST_POINTS}


@pytest.mark.parametrize("data", [
    5, "on", [], {}, None, True, {"t": "x"}, [[[]]], {"s": "x", "n": {}, "ts": [], "t": 1},
    {"s": -1, "n": 2**70, "ts": 1e300, "t": 2**70}, {"t": 1e308}, {"t": 2**2000}, [{"t": 1}, 5],
    {"base64": "/wA="}, {"": 1}, {"t": 1e999}, 1e999, {"status": "offline", "reason": ["x"]},
    {"status": 1e999, "v": "x" * 9999, "up": 2**3000, "rssi": [1], "problem": {"a": {"b": {}}}},
    {"x" * 500: 1},
])
@pytest.mark.parametrize("topic", ["devices/shed/data", "sensors/roof", "devices/shed/status",
                                   "devices/shed/health", "devices/shed/responses"])
def test_whatever_comes_is_shown_or_left_out(topic, data):
    fleet = Fleet()
    text = json.dumps(data).replace("Infinity", "1e999")
    fleet.take([dataclasses.replace(message(topic, 0), data=text)])
    fleet.tick(T + 1000)
    (device,) = fleet.devices.values()

    def strict(name):
        raise AssertionError(f"{name} is no JSON")

    json.loads(device.row(), parse_constant=strict)
    assert len(device.row()) < 4000
    json.loads(json.dumps([device.detail(), device.spark()]), parse_constant=strict)


@pytest.mark.parametrize("payload, form", [
    (b'{"t":1}', "JSON"), (b"[1]", "JSON"), (b"23.5", "text"), (b"", "text"),
    (bytes([0xE1, 0]), "frame"), (bytes([0xA2, 0x61]), "CBOR"),
])
def test_the_format_is_named(payload, form):
    assert format_of(payload) == form


# ---- what is lost


def counted(health=None, over=None, *numbers):
    intake = Intake()
    said = {"s": 7, **health} if health else {}
    if health:
        _told(intake, "health", said)
    for number in numbers:
        reading = json.dumps({"s": 7, "n": number, "t": 1}).encode()
        intake.take(Arrival("devices/shed/data", reading, T))
    if over:
        _told(intake, "status", {"status": "online", "s": 8, "before": {"s": 7, "n": over}})
    return account(intake, "shed").counts()


def _told(intake, kind, said):
    intake.take(Arrival(f"devices/shed/{kind}", json.dumps(said).encode(), T))


def test_a_gap_without_flash_is_lost():
    assert counted(None, None, 1, 2, 5) == (3, 2, 0, 0)


def test_a_gap_that_may_wait_in_flash_is_awaited():
    assert counted({"acked": 0, "flash": {"queued": 2}}, None, 1, 2, 5) == (3, 0, 2, 0)
    assert counted({"acked": 5, "flash": {"queued": 2}}, None, 1, 2, 5) == (3, 2, 0, 0)


def test_the_end_of_a_life_is_lost_when_the_next_begins_without_it():
    assert counted(None, 4, 1, 2) == (2, 2, 0, 0)


def test_the_sum_follows_every_device():
    fleet = Fleet(["a", "b"])
    fleet.account({"a": Account(5, 1, 0, 2), "b": Account(3), "nobody": Account(9, 9, 9, 9)})
    fleet.account({"a": Account(6, 0, 1, 2)})
    assert fleet.total == Account(9, 0, 1, 2)


# ---- for a viewer


def test_a_viewer_gets_what_changed_since_it_looked():
    fleet = Fleet(["a", "b", "c"])
    seen = fleet.version
    fleet.take([message("devices/b/data", {"t": 1})])
    assert [device.id for device in fleet.since(seen)[0]] == ["b"]
    assert len(fleet.since(-1)[0]) == 3


def test_too_many_devices_forget_the_one_that_was_silent_longest(monkeypatch):
    monkeypatch.setattr(fleet_module, "MOST_DEVICES", 3)
    fleet = Fleet(["a", "b", "c"])
    fleet.account({"b": Account(5, 1)})
    fleet.take([message("devices/a/data", {"t": 1})])
    seen = fleet.version
    fleet.take([message("devices/d/data", {"t": 1})])
    changed, gone = fleet.since(seen)
    assert [device.id for device in changed] == ["d"] and gone == ["c"]
    assert fleet.figures()["devices"] == 3 and fleet.figures()["forgotten"] == 1


def test_a_new_device_in_the_message_s_company_forgets_nobody_who_just_spoke(monkeypatch):
    monkeypatch.setattr(fleet_module, "MOST_DEVICES", 2)
    fleet = Fleet(["a", "b"])
    fleet.take([message("devices/a/data", {"t": 1}), message("devices/c/data", {"t": 1})])
    assert set(fleet.devices) == {"a", "c"} == fleet.touched


def test_the_rate_is_of_whole_seconds():
    fleet = Fleet()
    for second in range(6):
        fleet.take([shed("data", {"t": 1}, T + 1000 * second + 10 * n) for n in range(20)])
    fleet.tick(T + 6000)
    assert math.isclose(fleet.figures()["rate"], 20)
    fleet.tick(T + 60_000)
    assert fleet.figures()["rate"] == 0


def test_it_begins_with_what_was_known():
    fleet = Fleet()
    fleet.recall([Arrival("devices/shed/status", b'{"status":"offline"}', T),
                  Arrival("devices/shed/health", b'{"free":7}', T)])
    assert row(fleet)["state"] == LOST and row(fleet)["free"] == 7
