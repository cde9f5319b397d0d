"""`petrel listen`: does it print what arrives and nothing else, whatever the broker does?"""

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from paho.mqtt import publish

from petrel.broker import Mosquitto, TlsFiles
from petrel.errors import Misuse
from petrel.listen import Target, parse_url
from petrel.readings import Reading, Undecodable, decode

DATA = "devices/station/data"


@pytest.fixture(scope="module")
def broker():
    with Mosquitto() as broker:
        yield broker


class Listening:
    """A running `petrel listen`; its lines come through queues, so that no wait is for ever."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "petrel.cli", "listen", *arguments], encoding="utf-8",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TZ": "UTC"},
        )
        self.out = self._lines(self.process.stdout)
        self.err = self._lines(self.process.stderr)

    @staticmethod
    def _lines(file):
        lines = queue.Queue()

        def read():
            for line in file:
                lines.put(line.rstrip("\n"))
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        return lines

    def reading(self):
        """The next JSON line."""
        return json.loads(self.out.get(timeout=10))

    def ready(self, host, port):
        """Publish until something comes through; then it is subscribed.

        Readings come in order: once the last one sent is there, no other is under way.
        """
        for number in range(1, 100):
            tell(port, json.dumps({"s": 1, "n": number}), host=host, topic="devices/probe/data")
            with contextlib.suppress(queue.Empty):
                while True:
                    line = self.out.get(timeout=0.1)
                    if f"#{number} " in line or f'"seq":{number},' in line:
                        return self
        raise AssertionError("it never subscribed")

    def end(self):
        """(exit status, what stderr said)."""
        status = self.process.wait(timeout=10)
        return status, list(iter(lambda: self.err.get(timeout=5), None))


@pytest.fixture
def listen():
    started = []

    def start(*arguments):
        started.append(Listening(*arguments))
        return started[-1]

    yield start
    for listening in started:
        listening.process.kill()
        listening.process.wait()


def tell(port, payload, *, host="127.0.0.1", topic=DATA, **options):
    publish.single(topic, payload, qos=1, hostname=host, port=port, **options)


def listening_to(listen, broker, *arguments, path=""):
    url = f"mqtt://{broker.host}:{broker.port}{path}"
    return listen(url, *arguments).ready(broker.host, broker.port)


# ---- what it prints


def test_one_json_object_a_reading(listen, broker):
    listening = listening_to(listen, broker, "--json")
    tell(broker.port, '{"s":7,"n":12,"ts":1732265000,"t":25.5,"h":60}')
    line = listening.out.get(timeout=10)
    expected = '{"device":"station","seq":12,"ts":1732265000,"values":{"t":25.5,"h":60}}'
    assert line == expected


def test_a_batch_is_a_line_a_reading(listen, broker):
    listening = listening_to(listen, broker, "--json")
    tell(broker.port, '[{"s":7,"n":1,"ts":5,"t":1},{"s":7,"n":2,"up":31,"t":-2.75}]')
    first, second = listening.reading(), listening.reading()
    assert (first["seq"], first["ts"]) == (1, 5)
    assert second == {"device": "station", "seq": 2, "ts": None, "values": {"t": -2.75}}


def test_people_get_device_time_number_and_values(listen, broker):
    listening = listening_to(listen, broker)
    tell(broker.port, '{"s":7,"n":12,"ts":1732265000,"t":25.5}')
    tell(broker.port, '{"s":7,"n":13,"t":25.75}')
    assert listening.out.get(timeout=10).split() == [
        "station", "2024-11-22", "08:43:20", "#12", "t=25.5",
    ]
    assert listening.out.get(timeout=10).split() == [
        "station", "clock", "not", "set", "#13", "t=25.75",
    ]


def test_names_that_are_not_ascii_come_through(listen, broker):
    listening = listening_to(listen, broker, "--json")
    tell(broker.port, '{"s":1,"n":1,"ts":1,"größe":1}', topic="devices/météo-北/data")
    reading = listening.reading()
    assert (reading["device"], reading["values"]) == ("météo-北", {"größe": 1})


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff\x00", b"{", b"[]", b"7", b'{"n":1}', b'{"s":1,"n":0}', b'{"s":1,"n":1.5}',
     b'{"s":1,"n":1,"t":"hot"}', b'{"s":1,"n":1,"t":NaN}', b'{"s":1,"n":1,"t":1e999}',
     b'{"s":1,"n":1,"t":true}', b'[{"s":1,"n":1,"t":1},3]', b"[" * 100_000,
     b'{"s":1,"n":1,"ts":"now"}', '{"s":1,"n":1,"t":"è"}'.encode("latin-1")],
)
def test_what_is_no_reading_is_refused_in_one_line(payload):
    with pytest.raises(Undecodable) as refusal:
        decode(DATA, payload)
    assert 0 < len(str(refusal.value)) < 200


def test_an_undecodable_payload_is_counted_and_ends_nothing(listen, broker):
    listening = listening_to(listen, broker, "--json")
    for _ in range(2):
        tell(broker.port, b"\xfe junk")
    tell(broker.port, '{"s":1,"n":4}')
    assert listening.reading()["seq"] == 4
    assert listening.err.get(timeout=5).endswith("(1 undecodable so far)")
    assert listening.err.get(timeout=5).endswith("(2 undecodable so far)")


def test_a_reading_knows_its_stream():
    assert decode(DATA, b'{"s":9,"n":1,"ts":3,"t":1}') == [Reading("station", 9, 1, 3, {"t": 1})]
    assert decode("site/a/devices/x/data", b'{"s":9,"n":1}')[0].device == "x"
    assert decode("elsewhere", b'{"s":9,"n":1}')[0].device == "elsewhere"


# ---- the address


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("mqtt://h", Target("h", 1883)),
        ("mqtts://h/", Target("h", 8883, secure=True)),
        ("mqtt://h:5/devices/#", Target("h", 5, topics="devices/#")),
        ("mqtt://[::1]:5/a/+/c?d", Target("::1", 5, topics="a/+/c?d")),
        ("mqtt://me:p%40ss%2F@h/x%20y",
         Target("h", 1883, username="me", password="p@ss/", topics="x y")),
    ],
)
def test_an_address_is_understood(url, target):
    assert parse_url(url) == target


@pytest.mark.parametrize(
    "url",
    ["", "h:1883", "http://h", "mqtt://", "mqtt://:1883", "mqtt://h:x", "mqtt://h:99999",
     "mqtt://h:0", "mqtt://[::1", "mqtt://h/a/#/b", "mqtt://h/a+/b"],
)
def test_a_wrong_address_is_bad_usage(url):
    with pytest.raises(Misuse):
        parse_url(url)


def test_only_what_the_filter_lets_through_is_printed(listen, broker):
    listening = listen(
        f"mqtt://{broker.host}:{broker.port}/devices/+/other", "--json"
    )
    deadline = time.monotonic() + 10
    while listening.out.empty() and time.monotonic() < deadline:
        tell(broker.port, '{"s":1,"n":1}')
        tell(broker.port, '{"s":1,"n":2}', topic="devices/x/other")
        time.sleep(0.05)
    assert listening.reading()["seq"] == 2


# ---- the end


def test_ctrl_c_ends_it_well(listen, broker):
    listening = listening_to(listen, broker)
    listening.process.send_signal(signal.SIGINT)
    assert listening.end() == (0, [])


def test_a_closed_pipe_ends_it_quietly(broker):
    for extra in ([], ["--json"]):
        listening = subprocess.Popen(
            [sys.executable, "-m", "petrel.cli", "listen",
             f"mqtt://{broker.host}:{broker.port}", *extra],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        listening.stdout.close()
        deadline = time.monotonic() + 10
        while listening.poll() is None and time.monotonic() < deadline:
            tell(broker.port, '{"s":1,"n":1}')
            time.sleep(0.05)
        assert (listening.wait(timeout=1), listening.stderr.read()) == (0, b"")
        listening.stderr.close()


def refused(listening):
    """The one line of a listener that cannot start; `petrel listen: ` cut off."""
    status, lines = listening.end()
    assert status == 1
    assert len(lines) == 1
    return lines[0].removeprefix("petrel listen: ")


def test_nobody_there(listen):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # bound, not listening: refuses
        port = probe.getsockname()[1]
        line = refused(listen(f"mqtt://127.0.0.1:{port}"))
    assert line == f"127.0.0.1:{port}: connection refused"


def test_somebody_else_there(listen):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        listening = listen(f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        server.accept()[0].close()
        assert "closed the connection without an answer" in refused(listening)


def test_a_wrong_password(listen):
    with Mosquitto(users={"me": "secret"}) as broker:
        line = refused(listen(f"mqtt://me:wrong@127.0.0.1:{broker.port}"))
        assert "refuses the connection: not authorized; user and password" in line
        login = {"username": "me", "password": "secret"}
        listening = listen(f"mqtt://me:secret@127.0.0.1:{broker.port}", "--json")
        deadline = time.monotonic() + 10
        while listening.out.empty() and time.monotonic() < deadline:
            tell(broker.port, '{"s":1,"n":1}', auth=login)
            time.sleep(0.05)
        assert listening.reading()["seq"] == 1


def test_a_broker_that_goes_and_comes_back(listen, tmp_path):
    with Mosquitto(tmp_path) as broker:
        listening = listening_to(listen, broker, "--json")
        broker.kill()
        assert listening.err.get(timeout=10).endswith("connection lost; trying again")
        broker.start()
        assert listening.err.get(timeout=20).endswith("connected again")
        listening.ready(broker.host, broker.port)
        assert listening.process.poll() is None


def test_encrypted(listen, start_mosquitto, certificates):
    server, ca = certificates.server, str(certificates.ca.cert)
    broker = start_mosquitto(tls=TlsFiles(ca, server.cert, server.key))
    url = f"mqtts://localhost:{broker.tls_port}"
    listening = listen(url, "--json", "--ca", ca).ready(broker.host, broker.port)
    tell(broker.port, '{"s":1,"n":7}')
    assert listening.reading()["seq"] == 7
    wrong = str(certificates.wrong_ca.cert)
    assert "its certificate is refused" in refused(listen(url, "--ca", wrong))
    assert "its certificate is refused" in refused(listen(url))  # the system does not know it
    plain = refused(listen(f"mqtt://localhost:{broker.tls_port}"))
    assert "perhaps it wants mqtts://" in plain
    nothing_secret = refused(listen(f"mqtts://localhost:{broker.port}", "--ca", ca))
    assert "perhaps it wants mqtt://" in nothing_secret


def test_an_authority_that_is_none(listen, tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    status, lines = listen("mqtts://127.0.0.1", "--ca", str(tmp_path / "ca.pem")).end()
    assert (status, len(lines)) == (2, 1)
    status, lines = listen("mqtt://127.0.0.1", "--ca", str(tmp_path / "ca.pem")).end()
    assert (status, lines) == (2, ["petrel listen: --ca goes with an mqtts:// address"])


# ---- frames


def test_frames_that_need_a_profile_wait_for_it(listen, broker):
    """A device that sends by reference; its profile is retained, or comes late."""
    from host_tests.frame.samples import train
    from host_tests.test_profiles import ROWS, SCHEMA, TIMES, framed

    blob = train(SCHEMA, TIMES[:100], ROWS[:100])
    listening = listening_to(listen, broker, "--json")
    tell(broker.port, framed(blob, 1, 3))
    tell(broker.port, framed(blob, 4, 6))
    assert "devices/station/data: frames wait for profile" in listening.err.get(timeout=5)
    publish.single("devices/station/profile", blob, 1, True, port=broker.port)
    assert [listening.reading()["seq"] for _ in range(6)] == list(range(1, 7))
    assert listening.err.empty(), "said in one line"
    later = listening_to(listen, broker, "--json")
    tell(broker.port, framed(blob, 7, 8))
    assert [later.reading()["seq"] for _ in range(2)] == [7, 8]
    publish.single("devices/station/profile", b"", 1, True, port=broker.port)
