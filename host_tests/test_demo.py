"""`petrel demo`: does the view tell the truth, and does the plug lose nothing?"""

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from host_tests.harness.device import alive, children
from petrel.broker import Mosquitto
from petrel.demo_device import DATA, Plan, plan
from petrel.demo_fleet import Device, Fleet
from petrel.demo_plug import Plug
from petrel.demo_view import Scene, bars, page

PLAN = Plan("shed", 2.0, {"t": ("Cel", 1)}, {})
SUMMARY = re.compile(r"sent (\d+) acked (\d+) received (\d+) lost (\d+) duplicates (\d+)")


# ---- the model


@pytest.fixture
def fleet():
    """A fleet of one device, and a function that has it say something at a moment."""
    fleet = Fleet([Device(PLAN, 100.0)])

    def say(kind, now, **message):
        fleet.message(f"devices/shed/{kind}", json.dumps(message).encode(), now)

    return fleet, fleet.devices["shed"], say


def test_the_state_is_what_the_status_topic_says(fleet):
    fleet, shed, say = fleet
    assert (shed.state, shed.reconnects) == ("starting", 0)
    say("status", 101, status="online")
    assert (shed.state, shed.since) == ("online", 101)
    say("status", 105, status="offline")
    assert (shed.state, shed.away) == ("offline", True)
    say("status", 109, status="online")
    assert (shed.state, shed.reconnects) == ("online", 1)
    say("status", 110, status="offline", reason="stopped")
    assert (shed.state, shed.away) == ("stopped", False)


def test_a_device_has_settled_once_it_is_through_with_connecting(fleet):
    _, shed, say = fleet
    assert not shed.settled
    say("status", 101, status="online")
    assert not shed.settled
    say("health", 101, s=1)
    assert shed.settled
    say("status", 102, status="offline")
    assert not shed.settled
    say("status", 103, status="online")
    assert not shed.settled
    shed.end(1, 104)
    assert shed.settled


def test_the_queue_is_estimated_while_away_and_known_when_back(fleet):
    fleet, shed, say = fleet
    say("status", 101, status="online")
    say("data", 102, s=1, n=1, t=3)
    say("status", 102, status="offline")
    assert shed.queue(106) == (8, True)  # 2 a second
    say("status", 107, status="online")
    say("health", 107, s=1, n=11, queued=10, dropped=0, connects=2)
    assert shed.queue(107) == (10, False)
    for number in range(2, 10):
        say("data", 107, s=1, n=number, t=3)
    assert shed.queue(107) == (2, False)


def test_what_was_dropped_or_skipped_is_lost(fleet):
    fleet, shed, say = fleet
    say("data", 101, s=1, n=1, t=3)
    say("data", 101, s=1, n=4, t=3)
    assert shed.lost == 2
    say("health", 102, dropped=3)
    assert shed.lost == 3


def test_the_last_words_of_a_device_count_all_its_lives(fleet):
    fleet, shed, say = fleet
    for number in (1, 2, 3):
        say("data", 101, s=1, n=number, t=3)
    say("data", 102, s=2, n=1, t=3)
    assert (shed.sent, shed.acked) == (None, None)
    fleet.line("shed", "9.000 app: stopped; sampled 5 acked 4 dropped 0")
    assert (shed.sent, shed.acked) == (8, 7)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [("devices/shed/data", b"junk"), ("devices/shed/status", b"\xff"),
     ("devices/shed/health", b"[1]"), ("devices/other/data", b'{"s":1,"n":1}'),
     ("devices", b""), ("devices/shed/status", b'{"status":7}')],
)
def test_nonsense_is_survived(fleet, topic, payload):
    fleet, shed, _ = fleet
    fleet.message(topic, payload, 101)
    assert (shed.state, shed.received, shed.health) == ("starting", 0, {})


def test_an_outage_is_a_row_of_dots_and_then_a_tall_bar(fleet):
    fleet, shed, say = fleet
    say("status", 100, status="online")
    say("data", 100.5, s=1, n=1, t=3)
    say("status", 101, status="offline")
    fleet.tick(103.5)
    say("status", 104, status="online")
    for number in range(2, 10):
        say("data", 104, s=1, n=number, t=3)
    fleet.tick(105)
    assert bars(shed.history, 6).plain == "▁···█ "


@pytest.mark.parametrize(("width", "height"), [(40, 10), (80, 24), (120, 40)])
@pytest.mark.parametrize("count", [1, 3, 20])
def test_a_page_fits_its_terminal(width, height, count):
    fleet = Fleet([Device(each, 0.0) for each in plan(count)])
    scene = Scene(fleet, "mosquitto", 0.0, 0.0, keys=True)
    for device in fleet:
        fleet.message(f"devices/{device.name}/data", b'{"s":1,"n":1,"t":2.5}', 1.0)
        fleet.line(device.name, "0.100 app: a [line] of the log")
    console = Console(width=width, height=height, highlight=False)
    with console.capture() as capture:
        console.print(page(scene, 5.0, width, height))
    lines = capture.get().splitlines()
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)
    assert "Petrel demo" in lines[0]


def test_the_devices_differ_and_find_their_recordings():
    plans = plan(7)
    assert len({each.name for each in plans}) == 7
    assert any(each.config["payload"]["batch"] > 1 for each in plans)
    for each in plans:
        assert 0.5 <= each.per_s <= 2
        sensor = each.config["sensors"][0]
        columns = Path(sensor["file"]).read_text().partition("\n")[0].split(",")
        assert {channel["column"] for channel in sensor["channels"].values()} <= set(columns)
        assert sensor["file"].startswith(str(DATA))


# ---- the plug


def test_the_plug_relays_cuts_and_refuses():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        with Plug(server.getsockname()[1]) as plug:
            client, broker = connected(plug, server)
            client.sendall(b"there")
            assert broker.recv(10) == b"there"
            broker.sendall(b"back")
            assert client.recv(10) == b"back"
            plug.pull()
            assert cut(client)
            assert cut(broker)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", plug.port), 5)
            plug.put_back()
            client, broker = connected(plug, server)
            broker.close()
            assert cut(client)


def connected(plug, server):
    client = socket.create_connection(("127.0.0.1", plug.port), 5)
    broker = server.accept()[0]
    broker.settimeout(5)
    return client, broker


def cut(sock):
    """Is this connection over?"""
    try:
        return sock.recv(10) == b""
    except ConnectionResetError:
        return True


# ---- all of it


def demo(*arguments, **options):
    return subprocess.Popen([sys.executable, "-m", "petrel.cli", "demo", *arguments], **options)


def test_without_a_terminal_it_prints_lines_and_loses_nothing():
    process = demo("--for", "6", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, ""), out
    *lines, last = out.splitlines()
    sent, acked, received, lost, _ = map(int, SUMMARY.fullmatch(last).groups())
    assert sent == acked == received > 20
    assert lost == 0
    assert len(lines) < 20
    assert any("greenhouse online" in line for line in lines)


class Terminal:
    """A demo with a terminal of its own, 80 x 24."""

    def __init__(self, *arguments):
        self.screen = ""
        self.ours, theirs = pty.openpty()
        env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
        self.process = demo(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
        os.close(theirs)

    def until(self, text, limit_s=30):
        """Read until `text` shows, which is not a part of what was read before."""
        deadline = time.monotonic() + limit_s
        start = len(self.screen)
        while text not in self.screen[start:]:
            assert time.monotonic() < deadline, f"no {text!r} in {self.screen[-3000:]}"
            if select.select([self.ours], [], [], 0.1)[0]:
                try:
                    data = os.read(self.ours, 65536)
                except OSError:  # the other side is closed
                    data = b""
                assert data, f"it ended without {text!r}: {self.screen[-3000:]}"
                self.screen += data.decode(errors="replace")

    def end(self):
        """The exit status, after the summary; (sent, acked, received, lost, duplicates)."""
        self.until("duplicates")
        status = self.process.wait(timeout=10)
        counts = SUMMARY.search(self.screen)
        assert counts, self.screen[-1000:]
        return status, *map(int, counts.groups())

    def type(self, keys):
        os.write(self.ours, keys.encode())

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


@pytest.fixture
def terminal():
    started = []

    def start(*arguments):
        started.append(Terminal(*arguments))
        return started[-1]

    yield start
    for each in started:
        each.close()


def test_an_outage_by_a_key_is_seen_and_survived(terminal):
    demo = terminal()
    demo.until("online")
    time.sleep(1)
    demo.type("p")
    demo.until("unplugged")
    demo.until("offline 3 s")
    demo.type("p")
    demo.until("plugged in")
    demo.until("online")
    demo.type("q")
    status, sent, acked, received, lost, _ = demo.end()
    assert (status, acked, received, lost) == (0, sent, sent, 0)


def test_an_end_during_an_outage_puts_the_plug_back_first(terminal):
    demo = terminal()
    demo.until("online")
    demo.type("p")
    demo.until("offline 2 s")
    demo.type("q")
    status, sent, acked, received, lost, _ = demo.end()
    assert (status, acked, received, lost) == (0, sent, sent, 0)


def test_ctrl_c_ends_it_politely(terminal):
    demo = terminal()
    demo.until("online")
    demo.process.send_signal(signal.SIGINT)
    status, sent, acked, received, lost, _ = demo.end()
    assert (status, acked, received, lost) == (0, sent, sent, 0)


def gone(pids):
    """Are these processes gone within 5 s?"""
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(alive(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a killed process's children")
def test_a_killed_demo_leaves_nobody_behind(terminal):
    demo = terminal()
    demo.until("online")
    boards_and_broker = children(demo.process.pid)
    chips = []
    deadline = time.monotonic() + 10
    while len(chips) < 3 and time.monotonic() < deadline:
        chips = [chip for board in boards_and_broker for chip in children(board)]
    assert (len(boards_and_broker), len(chips)) == (4, 3)
    demo.process.kill()
    demo.process.wait()
    assert gone(boards_and_broker + chips)


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc which child is the broker")
def test_a_broker_that_dies_is_told_and_ends_it(terminal):
    demo = terminal()
    demo.until("online")
    for pid in children(demo.process.pid):
        if "mosquitto" in Path(f"/proc/{pid}/comm").read_text():
            os.kill(pid, signal.SIGKILL)
    assert demo.end()[0] == 1
    assert "petrel demo: mosquitto ended by itself" in demo.screen


def test_the_fallback_broker_does_too(monkeypatch, capsys):
    from petrel import demo as module

    monkeypatch.setattr(module, "find_mosquitto", lambda: None)
    assert module.run_demo(4, 1) == 0
    out = capsys.readouterr().out
    assert out.startswith("petrel demo: no Mosquitto here")
    assert SUMMARY.search(out)


def test_mosquitto_is_taken_where_it_is():
    from petrel import demo as module

    assert isinstance(module.choose_broker(), Mosquitto)
