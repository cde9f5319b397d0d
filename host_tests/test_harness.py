"""Can the harness be trusted? What it starts, sees and expects, against things that are known."""

import json
import os
import random
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from host_tests import conftest
from host_tests.faults.mqtt_packets import PUBACK
from host_tests.faults.tcp import TO_SERVER
from host_tests.harness import data
from host_tests.harness.config import config, merged
from host_tests.harness.device import Device, alive
from host_tests.harness.receiver import Receiver, sequence
from petrel import ROOT
from petrel.broker import TlsFiles
from petrel.runtime import find_runtime

SOON_S = 5
CONNECT_BY_HAND = b"\x10\x0e\0\x04MQTT\x04\x02\0\0\0\x02me"
CONNACK = b"\x20\x02\0\0"

# ---- device: the process here is a board of a few lines, around a chip that waits for EOF

BOARD = """
import signal, subprocess, sys, time
program = "import sys, time; sys.stdin.read(); time.sleep(0.3)"
chip = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
def polite(*_):
    print("0.200 uplink: offline", file=sys.stderr)
    chip.stdin.close()
    sys.exit(chip.wait())
signal.signal(signal.SIGTERM, polite)
print("0.001 app: up, count 41", file=sys.stderr)
print("on stdout")
for count in range(10 ** 6):
    time.sleep(0.02)
    print(f"0.1 tick: {count}", file=sys.stderr, flush=True)
"""


def board(device, program=BOARD, **options):
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return device(options.pop("config", {}), command=command, **options)


def test_a_device_logs_and_stops_politely(device):
    made = board(device)
    assert made.wait_log(r"count (\d+)", SOON_S).group(1) == "41"
    mark = made.mark()
    made.wait_log("tick", SOON_S, after=mark)
    with pytest.raises(TimeoutError, match=r"did not log within 0\.1 s"):
        made.wait_log("count", 0.1, after=mark)
    assert made.running
    assert made.stop() == 0
    assert made.logs()[-1] == "0.200 uplink: offline"
    assert "on stdout" not in made.logs()
    assert (made.pid, made.chip_pid, made.running) == (None, None, False)
    times = [at for at, _ in made.timed_logs()]
    assert times == sorted(times)


def test_a_power_cut_takes_the_chip_along_and_power_comes_back(device):
    made = board(device)
    made.wait_log("up", SOON_S)
    pid, chip = made.pid, made.chip_pid
    assert alive(pid) and alive(chip)
    made.kill()
    assert not alive(pid) and not alive(chip)
    assert not any("offline" in line for line in made.logs())
    made.kill()
    mark = made.mark()
    made.start()
    made.wait_log("up", SOON_S, after=mark)
    with pytest.raises(RuntimeError, match="runs already"):
        made.start()


def test_pause_stops_time_for_board_and_chip(device):
    made = board(device)
    made.wait_log("tick", SOON_S)
    made.pause()
    pids = made.pid, made.chip_pid
    time.sleep(0.1)  # lines that were on their way
    mark = made.mark()
    time.sleep(0.2)
    assert made.mark() == mark
    assert [_state(pid) for pid in pids] == ["T", "T"]
    made.resume()
    made.wait_log("tick", SOON_S, after=mark)
    assert _state(pids[1]) != "T"
    made.pause()
    made.kill()
    with pytest.raises(RuntimeError, match="no such process"):
        made.resume()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a zombie as one")
def test_a_zombie_is_not_alive():
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not alive(child.pid)
    child.wait()
    assert not alive(child.pid)
    assert alive(os.getpid())


def _state(pid):
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=True)
    return shown.stdout.decode()[0]


def test_waiting_for_a_log_line_ends_with_the_device(device):
    made = board(device, "import sys; sys.stderr.buffer.write(b'bad \\xff\\nlast words')")
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"ended without 'never'(.|\n)*last words"):
        made.wait_log("never", 30)
    assert time.monotonic() - started < SOON_S
    assert made.wait_log("^last", 0).group() == "last"
    assert made.logs()[0] == "bad \ufffd"


def test_waiting_has_a_deadline(device):
    made = board(device)
    made.wait_log("tick", SOON_S)
    for wait in (lambda: made.wait_log("never", 0.1), lambda: made.wait_exit(0.1)):
        with pytest.raises(TimeoutError, match=r"within 0.1 s(.|\n)*tick"):
            wait()


def test_a_device_gives_its_exit_status_and_finds_its_files(device):
    program = """
        import json, os, sys
        config = json.load(open("config.json"))
        assert len(open(config["sensors"][0]["file"]).readlines()) == 5040
        sys.exit(len(config["device"]["id"]) + int(os.environ["MORE"]) + len(sys.argv[1:]))
    """
    wanted = config(1883, device={"id": "größe"})
    options = {"name": "a", "flags": ["--x", "y"], "env": {"MORE": "10"}}
    assert board(device, program, config=wanted, **options).wait_exit(SOON_S) == 17


def test_a_config_may_be_any_text(tmp_path):
    made = Device(tmp_path, '{"device": ', start=False)
    assert made.config_file.read_text() == '{"device": '
    made.configure(config(1))
    assert json.loads(made.config_file.read_text())["umqtt"]["port"] == 1


def test_a_file_that_the_test_made_is_not_replaced(tmp_path):
    (tmp_path / "d").mkdir()
    data.take(data.MOTE, tmp_path / "d", 3)
    Device(tmp_path, config(1), "d", start=False)
    assert len((tmp_path / "d" / data.MOTE).read_text().splitlines()) == 4


# ---- config


def test_config_merges_changes():
    changed = config(
        7, umqtt={"qos": 0}, sensor={"speed": 9, "channels": {"t": {"decimals": 1}}}, links=["x"]
    )
    assert changed["umqtt"] == {**config(7)["umqtt"], "qos": 0}
    assert changed["links"] == ["x"]
    assert changed["sensors"][0]["speed"] == 9
    channels = changed["sensors"][0]["channels"]
    assert channels["t"] == {"column": "temp_c", "unit": "Cel", "decimals": 1}
    assert channels["h"] == data.MOTE_CHANNELS["h"]
    assert data.MOTE_CHANNELS["t"]["decimals"] == 2
    config(7)["sensors"][0]["channels"]["t"]["decimals"] = 5
    assert data.MOTE_CHANNELS["t"]["decimals"] == 2
    before = {"a": {"b": 1}}
    assert merged(before, {"a": {"c": 2}, "d": 3}) == {"a": {"b": 1, "c": 2}, "d": 3}
    assert before == {"a": {"b": 1}}


def test_the_device_accepts_the_config(tmp_path):
    made = Device(tmp_path, config(1883, device={"id": "ä1"}), start=False)
    petrel = Path(sys.executable).parent / "petrel"
    command = [petrel, "check", made.config_file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


# ---- data


def test_rows_of_the_mote():
    rows = data.rows(data.MOTE, data.MOTE_CHANNELS)
    assert len(rows) == 5039
    assert rows[0] == data.Row(0, {"t": 3325, "h": 3530}, {"t": 33.25, "h": 35.3})
    assert rows[-1] == data.Row(25190, {"t": 2277, "h": 4547}, {"t": 22.77, "h": 45.47})


def test_rows_of_the_airport_leave_empty_cells_out():
    rows = data.rows(data.AIRPORT, data.AIRPORT_CHANNELS)
    assert len(rows) == 8706
    first = {"t": 3902, "h": 59, "p": 10126}
    assert rows[0] == data.Row(1357020000, first, {"t": 39.02, "h": 59, "p": 1012.6})
    without = [row for row in rows if row.scaled["p"] is None]
    assert len(without) == 831
    assert all("p" not in row.values for row in without)
    assert type(rows[0].values["h"]) is int


@pytest.mark.parametrize(
    ("text", "decimals", "expected"),
    [
        ("25.5", 2, "25.50"),
        ("0.125", 2, "0.13"),
        ("-0.125", 2, "-0.13"),
        ("0.1249", 2, "0.12"),
        ("-3.5", 0, "-4"),
        ("2.5", 0, "3"),
        ("999.999", 2, "1000.00"),
        ("7", 3, "7.000"),
    ],
)
def test_rounding_is_half_away_from_zero(text, decimals, expected):
    assert str(data.rounded(text, decimals)) == expected


def test_take_cuts_rows_out(tmp_path):
    taken = data.take(data.MOTE, tmp_path, 3, first=5)
    all_rows = data.rows(data.MOTE, data.MOTE_CHANNELS)
    assert data.rows(taken, data.MOTE_CHANNELS) == all_rows[5:8]


def test_the_data_says_where_it_is_from():
    readme = (data.DATA / "README.md").read_text()
    for file in data.DATA.glob("*.csv"):
        assert f"`{file.name}`" in readme
    assert "CC BY 4.0" in readme and "Suthaharan" in readme and "CC0" in readme


# ---- receiver


def reading(n, stream=7, **values):
    return {"s": stream, "n": n, "ts": 1732265000 + n, **values}


def test_readings_and_what_is_missing(receiver):
    first = [reading(1, t=25.5), reading(2, h=60), reading(4), reading(2, h=60)]
    for payload in (first[0], first[1:], reading(1, stream=8), reading(3)):
        receiver.publish("devices/größe/data", json.dumps(payload))
    receiver.publish("devices/other/data", json.dumps(reading(9)))
    found = receiver.wait_readings("größe", 6, SOON_S)
    assert [(r.stream, r.seq) for r in found] == [(7, 1), (7, 2), (7, 4), (7, 2), (8, 1), (7, 3)]
    assert found[1].values == {"h": 60} and found[0].ts == 1732265001
    report = receiver.sequence_report("größe")
    assert list(report) == [7, 8]
    assert (report[7].missing, report[7].duplicates, report[7].in_order) == ([], [2], False)
    assert report[8].perfect
    with pytest.raises(TimeoutError, match=r"7 readings of größe: not within 0.1 s.*4 on dev"):
        receiver.wait_readings("größe", 7, 0.1)


@pytest.mark.parametrize(
    ("numbers", "missing", "duplicates", "in_order"),
    [
        ([], [], [], True),
        ([1, 2, 3], [], [], True),
        ([2, 3], [1], [], True),
        ([1, 4], [2, 3], [], True),
        ([1, 3, 2], [], [], False),
        ([1, 2, 1, 2, 3, 3], [], [1, 2, 3], True),
    ],
)
def test_sequence(numbers, missing, duplicates, in_order):
    report = sequence(numbers)
    assert report.missing == missing
    assert report.duplicates == duplicates
    assert report.in_order == in_order
    assert report.perfect == (not missing and not duplicates and in_order)
    assert (report.count, report.last) == (len(numbers), max(numbers, default=0))


def test_statuses_and_what_is_retained(mosquitto):
    with Receiver(mosquitto.port) as before:
        before.publish("devices/d1/status", '{"status": "online"}', retain=True)
        assert before.wait_status("d1", "online", SOON_S) == {"status": "online"}
        assert [m.retained for m in before.messages("d1", "status")] == [False]
    with Receiver(mosquitto.port) as after:
        after.wait_status("d1", "online", SOON_S)
        assert [m.retained for m in after.messages()] == [True]
        after.publish("devices/d1/status", '{"status": "offline", "reason": "stop"}')
        assert after.wait_status("d1", "offline", SOON_S)["reason"] == "stop"
        assert [s["status"] for s in after.statuses("d1")] == ["online", "offline"]
        with pytest.raises(TimeoutError, match="status online of d1"):
            after.wait_status("d1", "online", 0.1, after=2)


def test_a_command_gets_its_own_response(mosquitto, receiver):
    def answer(client, _userdata, message):
        asked = json.loads(message.payload)
        for ident in ("somebody else's", asked["id"]):
            response = {"id": ident, "ok": True, "echo": asked["cmd"]}
            client.publish("devices/d1/responses", json.dumps(response))

    subscribed = threading.Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.on_message = answer
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    client.subscribe("devices/d1/commands", 1)
    try:
        assert subscribed.wait(SOON_S)
        assert receiver.command("d1", {"cmd": "ping"}) == {"id": "c1", "ok": True, "echo": "ping"}
        assert receiver.command("d1", {"cmd": "read", "id": "x"})["id"] == "x"
        with pytest.raises(TimeoutError, match="a response to"):
            receiver.command("d2", {"cmd": "ping"}, deadline_s=0.1)
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_receiver_outlives_its_broker(mosquitto):
    with Receiver(mosquitto.port) as receiver:
        receiver.publish("devices/d1/data", json.dumps(reading(1)))
        mosquitto.stop()
        mosquitto.start()
        with Receiver(mosquitto.port, topic="elsewhere") as other:
            other.publish("devices/d1/data", json.dumps(reading(2)))
        receiver.wait_readings("d1", 2, SOON_S)
        assert receiver.sequence_report("d1")[7].perfect


def test_a_receiver_is_back_before_others_where_the_test_waits_for_it(mosquitto, receiver):
    assert receiver.subscriptions == 1
    mosquitto.kill()
    mosquitto.start()
    receiver.wait_subscribed(2, SOON_S)
    with Receiver(mosquitto.port, topic="elsewhere") as other:
        other.publish("devices/d1/data", json.dumps(reading(1)))
    receiver.wait_readings("d1", 1, SOON_S)


def test_what_the_broker_repeats_is_told_from_what_the_device_repeats(mosquitto, proxy):
    with Receiver(proxy.port) as receiver:
        proxy.hold(PUBACK, TO_SERVER)
        for n in (1, 2, 2):
            receiver.publish("devices/d1/data", json.dumps(reading(n)))
        proxy.wait_held(3, SOON_S)
        proxy.drop_connections()
        receiver.wait_for(lambda: receiver.redelivered == 3, SOON_S)
        report = receiver.sequence_report("d1")[7]
        assert (report.count, report.duplicates) == (3, [2])


def test_publishing_has_a_deadline(mosquitto, receiver):
    mosquitto.pause()
    with pytest.raises(TimeoutError, match="no acknowledgement for devices/x"):
        receiver.publish("devices/x", "1", deadline_s=0.2)
    mosquitto.resume()


def test_a_refused_receiver_says_so(start_mosquitto):
    broker = start_mosquitto(users={"gateway": "right"})
    with pytest.raises(TimeoutError, match="Not authorized"):
        Receiver(broker.port, username="gateway", password="wrong")
    Receiver(broker.port, username="gateway", password="right").close()


# ---- certificates


def tls_listener(start_mosquitto, authority, server, mutual=False):
    files = TlsFiles(authority.cert, server.cert, server.key, mutual)
    return start_mosquitto(tls=files).tls_port


def handshake(port, ca, client=None):
    """Connects as a careful client does; returns what MQTT's CONNECT is answered with."""
    context = ssl.create_default_context(cafile=ca.cert)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if client:
        context.load_cert_chain(client.cert, client.key)
    with context.wrap_socket(socket.socket(), server_hostname="127.0.0.1") as sock:
        sock.settimeout(SOON_S)
        sock.connect(("127.0.0.1", port))
        sock.sendall(CONNECT_BY_HAND)
        return sock.recv(4)


def test_the_right_certificate_is_accepted(certificates, start_mosquitto):
    port = tls_listener(start_mosquitto, certificates.ca, certificates.server)
    assert handshake(port, certificates.ca) == CONNACK
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate in certificate chain"):
        handshake(port, certificates.wrong_ca)


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ("expired", "certificate has expired"),
        ("not_yet_valid", "certificate is not yet valid"),
        ("wrong_name", "IP address mismatch"),
    ],
)
def test_each_flawed_certificate_has_its_one_flaw(certificates, start_mosquitto, flaw, reason):
    port = tls_listener(start_mosquitto, certificates.ca, getattr(certificates, flaw))
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        handshake(port, certificates.ca)


def test_mutual_tls(certificates, start_mosquitto):
    port = tls_listener(start_mosquitto, certificates.ca, certificates.server, mutual=True)
    assert handshake(port, certificates.ca, certificates.client) == CONNACK
    for client in (None, certificates.wrong_client):
        # With TLS 1.3 the client hears of it after its handshake, as an alert or as a bare end.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            assert handshake(port, certificates.ca, client) == b""
            raise ConnectionError


def test_micropython_reads_the_der_files(certificates, start_mosquitto):
    port = tls_listener(start_mosquitto, certificates.ca, certificates.server, mutual=True)
    files = certificates.ca.cert_der, certificates.client.cert_der, certificates.client.key_der
    program = f"""
        import socket, tls
        ca, cert, key = [open(name, "rb").read() for name in {[str(file) for file in files]}]
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = tls.CERT_REQUIRED
        context.load_verify_locations(ca)
        context.load_cert_chain(cert, key)
        sock = socket.socket()
        sock.connect(socket.getaddrinfo("127.0.0.1", {port})[0][-1])
        sock = context.wrap_socket(sock, server_hostname="127.0.0.1")
        sock.write({CONNECT_BY_HAND!r})
        print(sock.read(4) == {CONNACK!r})
    """
    command = [*find_runtime(), "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "True\n", done.stderr


# ---- conftest


def test_the_evidence_is_printed_with_a_failure_and_nothing_is_left(tmp_path):
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent("""
        import random, sys
        from host_tests.harness.device import alive
        left_over = []

        def test_it(mosquitto, proxy, receiver, device, seed):
            words = "import sys, time; print('words of', sys.argv[1], file=sys.stderr)"
            made = device({}, name="one", flags=["one"], command=[sys.executable, "-c", words])
            made.wait_exit(5)
            sleeper = "import time; time.sleep(60)"
            left = device({}, command=[sys.executable, "-c", sleeper]).pid
            left_over.extend([left, mosquitto.pid])
            print("drawn:", random.random())
            assert False

        def test_nothing_is_left():
            assert left_over and not any(alive(pid) for pid in left_over)
        """)
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "host_tests.conftest",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, "-c", ROOT / "pyproject.toml", "--rootdir", tmp_path, tmp_path / "test_it.py"],
        cwd=ROOT,
        env={**os.environ, "PETREL_SEED": "4711"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    shown = done.stdout
    assert done.returncode == 1, shown + done.stderr
    for expected in (
        "words of one",
        "PETREL_SEED=4711",
        f"drawn: {random.Random(4711).random()}",
        "mosquitto version",
        "the proxy saw 0 connections",
        "the receiver got nothing",
    ):
        assert expected in shown
    assert "1 failed, 1 passed" in shown


@pytest.mark.parametrize("found", [{}, {"1.3.4": Path("a"), "1.8.0": Path("b")}])
def test_umqtt_runs_with_each_version_or_says_why_not(monkeypatch, found):
    class Test:
        fixturenames = ("umqtt",)

        def parametrize(self, name, values):
            self.asked = name, values

    monkeypatch.setattr(conftest, "umqtt_folders", lambda: found)
    test = Test()
    conftest.pytest_generate_tests(test)
    name, values = test.asked
    assert name == "umqtt"
    if found:
        assert values == list(found)
    else:
        assert [mark.name for mark in values[0].marks] == ["skip"]
        assert "make setup" in values[0].marks[0].args[0]
