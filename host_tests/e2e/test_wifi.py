"""Does a board with WiFi lose nothing, whatever happens in the air?

The whole application on stand-in boards (host_tests/boards), against a real Mosquitto. The air is
ten times as hasty as a real one: a lost access point is noticed after 0.6 s, a scan takes 0.24 s.
`make soak` plays a hundred events to each board in three minutes, `make test` six.
"""

import os
import random
import time

import pytest

from host_tests.e2e.proofs import SOON_S, prove_values, quick
from host_tests.harness import data, standin
from petrel import ROOT

EVENTS = 100 if os.environ.get("PETREL_SOAK") else 6
EVERY_S = 1.8
LEAD_S = 3  # to be online first
CALM_S = 60  # the longest that it may take to be online again when all is well
NETWORKS = [{"ssid": "home", "password": "secret"}, {"ssid": "shed", "password": "spade"}]
PORTS = ("esp32", "rp2")


def gone(rng, point):
    """The access point is off for a while."""
    yield 0, {"up": False}
    yield rng.uniform(0.1, 1.7), {"up": True}


def moved(rng, point):
    """It is off, and back on another channel."""
    yield 0, {"up": False}
    yield rng.uniform(0.1, 1.2), {"up": True, "channel": rng.choice((1, 6, 11, 13))}


def other_password(rng, point):
    """Somebody changes its password, which ends all connections, and changes it back."""
    yield 0, {"up": False, "password": "another"}
    yield 0.2, {"up": True}
    yield rng.uniform(0.8, 1.5), {"up": False, "password": point["password"]}
    yield rng.uniform(1.6, 1.7), {"up": True}


def no_dhcp(rng, point):
    """It comes back without a DHCP server that answers."""
    yield 0, {"up": False, "dhcp": False}
    yield 0.7, {"up": True}
    yield rng.uniform(1.2, 1.7), {"dhcp": True}


def flapping(rng, point):
    """A signal that comes and goes, every three seconds were the air not so hasty."""
    for i in range(3):
        yield i * 0.6, {"up": False}
        yield i * 0.6 + 0.3, {"up": True}


def no_memory(rng, point):
    """lwIP has no memory left: not to send, and not for a new socket."""
    yield 0, {"memory": False}
    yield rng.uniform(0.8, 1.7), {"memory": True}


KINDS = (gone, moved, other_password, no_dhcp, flapping, no_memory)


def storm(seed, start_s):
    """The events of a seed: [[Unix ms, ssid, changes], ...], in order, and their kinds."""
    rng = random.Random(seed)
    events, kinds = [], []
    for n in range(EVENTS):
        kind = KINDS[n % len(KINDS)] if EVENTS < 20 else rng.choice(KINDS)
        point = NETWORKS[0] if rng.random() < 0.7 else NETWORKS[1]
        at = start_s + n * EVERY_S
        kinds.append(f"{n * EVERY_S:.1f} s: {kind.__name__} {point['ssid']}")
        for after, change in kind(rng, point):
            ssid = None if "memory" in change else point["ssid"]
            events.append([int((at + after) * 1000), ssid, change])
    at_ms = int((start_s + (EVENTS + 1) * EVERY_S) * 1000)
    for point in NETWORKS:  # at the end all is well
        end = {"up": True, "dhcp": True, "password": point["password"]}
        events.append([at_ms, point["ssid"], end])
    events.append([at_ms, None, {"memory": True}])
    return sorted(events, key=lambda event: event[0]), kinds


@pytest.fixture
def board(device, tmp_path, mosquitto):
    """Starts stand-in boards, each with a script of what happens in its air."""

    def start(port, events):
        air = {
            "haste": 10, "id": port,
            "points": [{**NETWORKS[0], "rssi": -50}, {**NETWORKS[1], "rssi": -70}],
            "events": events,
        }
        config = quick(
            mosquitto.port, device={"id": port}, wifi=NETWORKS, sensor={"speed": 50},
            reconnect={"first_s": 0.2, "max_s": 1},
        )
        config["sensors"][0]["file"] = str(data.DATA / data.MOTE)
        command = standin.command(port, tmp_path / port, air)
        return device(config, name=port, command=command, env={"PYTHONPATH": str(ROOT)})

    return start


@pytest.mark.timeout(EVENTS * EVERY_S + 150)
@pytest.mark.long
def test_nothing_is_lost_through_a_storm(receiver, board, seed, evidence, figure):
    start_s = time.time() + LEAD_S
    boards = {}
    for i, port in enumerate(PORTS):
        events, kinds = storm(seed + i, start_s)
        evidence(f"storm of {port}", lambda kinds=kinds: "\n".join(kinds))
        boards[port] = board(port, events)
    for port in PORTS:
        receiver.wait_readings(port, 5, SOON_S)
    time.sleep(max(0, start_s + (EVENTS + 1) * EVERY_S - time.time()))
    calm = {port: boards[port].mark() for port in PORTS}
    for port in PORTS:
        wait_flowing(receiver, port)
        assert receiver.command(port, {"cmd": "reboot"})["ok"]
    for port in PORTS:
        prove_all_arrived(receiver, boards[port], port, calm[port], figure)


def wait_flowing(receiver, name):
    """Until readings arrive steadily: the device is online, whatever the last word was."""
    ends = time.monotonic() + CALM_S
    count = -1
    while len(receiver.readings(name)) <= count + 5 or count < 0:
        assert time.monotonic() < ends, f"{name} is not online again {CALM_S} s after the storm"
        count = len(receiver.readings(name))
        time.sleep(1)


def prove_all_arrived(receiver, started, name, calm, figure):
    """What the device sampled before its reboot arrived, each reading with its own values."""
    told = started.wait_log(r"reboot; sampled (\d+) acked (\d+) dropped (\d+)", CALM_S, calm)
    assert not [line for line in started.logs() if "ended by an error" in line]
    sampled, acked, dropped = map(int, told.groups())
    assert (acked, dropped) == (sampled, 0)
    stream = int(started.wait_log(r"stream (\d+)", SOON_S)[1])
    report = receiver.sequence_report(name)[stream]
    assert not report.missing and report.last == sampled  # in order where no outage was long
    readings = [r for r in receiver.readings(name) if r.stream == stream]
    prove_values(readings, data.rows(data.MOTE, data.MOTE_CHANNELS))
    births = [m for m in receiver.statuses(name) if m.get("s") == stream]
    figure(f"connections of {name}", len(births), f"for {acked} readings")
