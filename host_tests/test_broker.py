"""`petrel.broker`: do the broker's children start, fail, freeze and come back as promised?"""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from paho.mqtt import publish, subscribe

from petrel import broker, runtime
from petrel.broker import Amqtt, BrokerError, Mosquitto, TlsFiles

ACCEPTED, REFUSED = 0, 5  # CONNACK return codes, MQTT 3.1.1 clause 3.2.2.3
KINDS = [Mosquitto, Amqtt]

PSK_CLIENT = """
import socket, sys, tls
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
if not hasattr(context, "psk_identity"):
    sys.exit(77)
context.verify_mode = tls.CERT_NONE
context.psk_identity, context.psk_key = sys.argv[2].encode(), bytes.fromhex(sys.argv[3])
plain = socket.socket()
plain.connect(socket.getaddrinfo("127.0.0.1", int(sys.argv[1]))[0][-1])
wire = context.wrap_socket(plain)
wire.write(bytes.fromhex(sys.argv[4]))
print(wire.read(4)[3])
"""


def connect_packet(username=None, password=None):
    """An MQTT 3.1.1 CONNECT with a clean session, clause 3.1."""

    def text(value):
        return len(value.encode()).to_bytes(2) + value.encode()

    flags = 0x02 | (0xC0 if username else 0)
    body = text("MQTT") + bytes([4, flags, 0, 60]) + text("test")
    if username:
        body += text(username) + text(password)
    return bytes([0x10, len(body)]) + body


def connack(port, *credentials, context=None, timeout=3.0):
    """The return code that a broker answers a CONNECT with."""
    with socket.create_connection(("127.0.0.1", port), timeout) as plain:
        wire = context.wrap_socket(plain, server_hostname="localhost") if context else plain
        with contextlib.closing(wire):
            wire.sendall(connect_packet(*credentials))
            return wire.recv(4)[3]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def either(request):
    with request.param() as started:
        yield started


def test_accepts_when_started_and_refuses_when_stopped(either):
    assert connack(either.port) == ACCEPTED
    either.stop()
    assert either.pid is None
    with pytest.raises(ConnectionRefusedError):
        connack(either.port)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_comes_back_on_the_same_port(either, end):
    port, pid = either.port, either.pid
    getattr(either, end)()
    either.start()
    assert (either.port, connack(port)) == (port, ACCEPTED)
    assert either.pid != pid


def test_frozen_it_takes_connections_and_answers_nothing(either):
    either.pause()
    with pytest.raises(TimeoutError):
        connack(either.port, timeout=0.3)
    either.resume()
    assert connack(either.port) == ACCEPTED


def test_a_frozen_one_can_be_stopped(either):
    either.pause()
    began = time.monotonic()
    either.stop()
    assert time.monotonic() - began < 2
    assert not either.running


def test_ends_by_a_second_stop_quietly(either):
    either.stop()
    either.stop()
    either.kill()
    either.pause()
    either.resume()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_taken_port_is_a_clear_error(kind):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        starting = kind(port=taken.getsockname()[1])
        with pytest.raises(BrokerError, match=rf"{kind.name} did not start: .*already in use"):
            starting.start()
        assert not starting.running


def test_a_port_taken_meanwhile_is_replaced_by_another(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], broker.free_port()])
        monkeypatch.setattr(broker, "free_port", lambda: next(ports))
        with Mosquitto() as started:
            assert connack(started.port) == ACCEPTED


def test_free_ports_are_none_that_the_system_gives_to_clients():
    # Else a client that tries again and again would in the end connect to itself (Linux default).
    assert all(broker.free_port() < 32768 for _ in range(20))


def test_a_wrong_option_is_a_clear_error():
    with pytest.raises(BrokerError, match=r"did not start: .*[Uu]nknown configuration variable"):
        Mosquitto(extra="nonsense true").start()


def test_no_mosquitto_names_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr(broker, "find_mosquitto", lambda: None)
    with pytest.raises(BrokerError, match=r"not installed; type: .*install.* mosquitto"):
        Mosquitto().start()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_temporary_folder_goes_and_a_given_one_stays(kind, tmp_path):
    with kind() as temporary, kind(tmp_path / "data") as given:
        assert temporary.folder.is_dir()
    assert not temporary.folder.exists()
    assert given.log.exists()


def test_mosquitto_keeps_what_is_retained_over_a_restart():
    with Mosquitto() as started:
        publish.single("a/b", "kept", qos=1, retain=True, port=started.port, hostname="127.0.0.1")
        started.stop()
        started.start()
        message = subscribe.simple("a/b", hostname="127.0.0.1", port=started.port)
        assert message.payload == b"kept"


def test_with_users_nobody_else_may_connect():
    users = {"anna": "pass:word", "björn": "päss"}
    with Mosquitto(users=users) as started:
        assert connack(started.port) == REFUSED
        assert connack(started.port, "anna", "wrong") == REFUSED
        assert [connack(started.port, *user) for user in users.items()] == [ACCEPTED] * 2
        modes = {path.stat().st_mode & 0o077 for path in started.folder.glob("users")}
        assert modes == {0}


def test_tls_is_an_additional_listener(certificates):
    files = TlsFiles(certificates.ca.cert, certificates.server.cert, certificates.server.key)
    trusting = ssl.create_default_context(cafile=certificates.ca.cert)
    with Mosquitto(tls=files) as started:
        assert connack(started.port) == ACCEPTED
        assert connack(started.tls_port, context=trusting) == ACCEPTED


def test_tls_with_client_certificates(certificates):
    server = certificates.server
    files = TlsFiles(certificates.ca.cert, server.cert, server.key, require_client_cert=True)
    bare = ssl.create_default_context(cafile=certificates.ca.cert)
    known = ssl.create_default_context(cafile=certificates.ca.cert)
    known.load_cert_chain(certificates.client.cert, certificates.client.key)
    with Mosquitto(tls=files) as started:
        assert connack(started.tls_port, context=known) == ACCEPTED
        with pytest.raises((ssl.SSLError, ConnectionError, IndexError)):
            connack(started.tls_port, context=bare)


def test_websockets_are_additional_listeners_plain_and_tls(certificates):
    from websockets.sync.client import connect

    files = TlsFiles(certificates.ca.cert, certificates.server.cert, certificates.server.key)
    trusting = ssl.create_default_context(cafile=certificates.ca.cert)
    with Mosquitto(tls=files, websocket=True) as started:
        places = {f"ws://localhost:{started.ws_port}/mqtt": None,
                  f"wss://localhost:{started.wss_port}/mqtt": trusting}
        for url, context in places.items():
            with connect(url, subprotocols=["mqtt"], ssl=context, close_timeout=1) as socket_:
                socket_.send(connect_packet())
                assert socket_.recv(timeout=5)[3] == ACCEPTED
        assert connack(started.port) == ACCEPTED


@pytest.mark.parametrize("key, accepted", [("00ff10", True), ("00ff11", False)])
def test_psk_is_an_additional_listener(key, accepted):
    with Mosquitto(psk={"device-1": "00ff10"}, users={"anna": "pw"}) as started:
        words = [str(started.psk_port), "device-1", key, connect_packet().hex()]
        command = [*runtime.find_runtime(), "-c", PSK_CLIENT, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    if done.returncode == 77:
        pytest.skip("this MicroPython has no PSK")
    assert (done.stdout.strip() == str(ACCEPTED)) == accepted, done.stdout


def test_amqtt_says_what_it_cannot():
    with pytest.raises(BrokerError, match=r"amqtt is used without users"):
        Amqtt(users={"anna": "pw"})


def test_started_by_another_thread_it_outlives_that_thread():
    with Mosquitto() as started:
        started.kill()
        thread = threading.Thread(target=started.start)
        thread.start()
        thread.join(10)
        time.sleep(0.1)
        assert connack(started.port) == ACCEPTED


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")
def test_it_dies_with_its_parent():
    code = "from petrel.broker import Mosquitto; b = Mosquitto().start(); print(b.port); input()"
    parent = subprocess.Popen(
        [sys.executable, "-c", f"import time\n{code}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    port = int(parent.stdout.readline())
    assert connack(port) == ACCEPTED
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate(timeout=5)
    deadline = time.monotonic() + 3
    with pytest.raises(ConnectionError):
        while time.monotonic() < deadline:
            connack(port)
            time.sleep(0.02)


def test_mosquitto_is_found_off_the_path(monkeypatch, tmp_path):
    program = tmp_path / "prefix" / "opt" / "mosquitto" / "sbin" / "mosquitto"
    program.parent.mkdir(parents=True)
    shutil.copy(sys.executable, program)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(broker, "_PREFIXES", (str(tmp_path / "nothing"),))
    assert broker.find_mosquitto() is None
    monkeypatch.setattr(broker, "_PREFIXES", (str(tmp_path / "prefix"),))
    assert broker.find_mosquitto() == program
    on_path = tmp_path / "mosquitto"
    shutil.copy(program, on_path)
    assert broker.find_mosquitto() == on_path
