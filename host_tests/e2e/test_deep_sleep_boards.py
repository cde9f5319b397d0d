"""Does a sleeping board lose nothing when its access point, its broker and its power fail?

The whole application on stand-in boards (host_tests/boards) against a real Mosquitto: an ESP32,
whose sleep keeps 2 KB of memory and the time, and a Pico W, whose sleep is a light sleep and a
reset that keep 16 bytes and no time. The air is ten times as hasty as a real one.
"""

import time

import pytest

from host_tests.e2e.proofs import prove_values, quick
from host_tests.harness import data, standin
from petrel import ROOT

EVERY_S = 1
SLEEP = {"deep": True, "deliver_every": 2, "listen_s": 0.1, "awake_s": 5}
HOME = {"ssid": "home", "password": "secret"}
AWAY_MS = 4_000
LATE_S = 30  # a reading that an outage held up comes when the next delivery is due


@pytest.mark.timeout(150)
@pytest.mark.long
@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_nothing_is_lost_through_sleeps_outages_and_a_power_cut(
    proxy, receiver, device, tmp_path, port, figure
):
    air = {"haste": 10, "id": port, "points": [{**HOME, "rssi": -50}], "events": []}
    sensor = {"every_s": EVERY_S, "speed": 1, "loop": True}
    config = quick(
        proxy.port, device={"id": port}, wifi=[HOME], sensor=sensor, sleep=SLEEP,
        payload={"batch": 5},
    )
    config["sensors"][0]["file"] = str(data.DATA / data.MOTE)
    command = standin.command(port, tmp_path / port, air)
    board = device(config, name=port, command=command, env={"PYTHONPATH": str(ROOT)})
    board.wait_log(r"sleep: for \d{3} ms", LATE_S)
    now_ms = int(time.time() * 1000)  # asleep: the next life finds nothing
    air["events"] = [[now_ms, "home", {"up": False}], [now_ms + AWAY_MS, "home", {"up": True}]]
    standin.change(tmp_path / port, air)
    board.wait_log("no such network here", LATE_S)
    came(receiver, board, port, board.mark())
    mark = board.mark()
    proxy.refuse()
    board.wait_log("uplink: tcp: connection refused", LATE_S, mark)
    board.kill()
    proxy.accept()
    mark = board.mark()
    board.start()
    came(receiver, board, port, mark)
    board.kill()

    first, second = receiver.sequence_report(port).values()
    assert (first.missing, second.missing) == ([], [])
    births = [told for told in receiver.statuses(port) if told["status"] == "online"]
    before = next(told["before"] for told in births if "before" in told)
    assert before["n"] == first.last, "what was in flash when the power failed has come"
    assert {told["boot"] for told in births} == {"power", "deepsleep"}
    rows = data.rows(data.MOTE, data.MOTE_CHANNELS)
    prove_values(receiver.readings(port), rows)
    for stream in receiver.sequence_report(port):
        prove_even([r for r in receiver.readings(port) if r.stream == stream])
    figure(f"readings of {port}", first.last + second.last, f"in {len(births)} deliveries")


def came(receiver, board, port, mark):
    """Until some readings have come that were taken and delivered behind this place in the log."""
    board.wait_log("online over", LATE_S, mark)
    count = len(receiver.readings(port))
    stream = int(board.wait_log(r"stream (\d+)", LATE_S, mark)[1])

    def enough():
        ours = [r for r in receiver.readings(port) if r.stream == stream]
        return len(ours) >= 4 and len(receiver.readings(port)) >= count + 4

    receiver.wait_for(enough, LATE_S, f"readings of stream {stream}")


def prove_even(readings):
    """Reading n is dated n intervals after the start, in whole seconds."""
    starts = [r.ts - r.seq * EVERY_S for r in readings]
    assert max(starts) - min(starts) <= 1, starts
