"""firmware/serve.py: does the device answer CoAP beside its link? libcoap's coap-client asks."""

import json
import re
import socket
import subprocess

import pytest

from host_tests.coap.ports import free_port, wait_for_server, wait_for_socket
from host_tests.coap.test_libcoap import CLIENT, CLIENT_S, coap_client
from host_tests.harness.config import config

pytestmark = pytest.mark.skipif(
    not CLIENT, reason="libcoap's coap-client is missing: apt-get install libcoap3-bin"
)

SENSOR = {"every_s": 1, "speed": 5, "loop": True}


@pytest.fixture
def served(device, mosquitto):
    """A device that publishes five readings a second, and the port of its server."""
    port = free_port()
    made = config(mosquitto.port, sensor=SENSOR, serve={"port": port})
    running = device(made, name="d1")
    running.wait_log("online over", 20)
    wait_for_server(port)
    yield running, port
    assert running.stop() == 0
    assert not [line for line in running.logs() if "Traceback" in line or "failed" in line]


def asked(port, path, *options, scheme="coap"):
    """What libcoap's client says, which may be why it was refused."""
    argv = [CLIENT, *map(str, options), f"{scheme}://localhost:{port}/{path}"]
    done = subprocess.run(argv, capture_output=True, timeout=CLIENT_S, check=False, text=True)
    return done.stdout + done.stderr


def test_readings_status_and_discovery(served, receiver):
    _, port = served
    receiver.wait_readings("d1", 1, 20)
    links = coap_client(port, ".well-known/core").decode()
    assert '</sensors/t>;rt="Cel";if="core.s";ct=0;obs' in links
    assert "</sensors>;ct=110" in links and "</status>;ct=50" in links
    assert re.fullmatch(rb"-?\d+(\.\d+)?", coap_client(port, "sensors/t"))
    first, *others = json.loads(coap_client(port, "sensors"))
    assert first["bn"] == "devices/d1/"
    assert {record["n"]: record["u"] for record in [first, *others]} == {"t": "Cel", "h": "%RH"}
    assert all(record["v"] is not None and record["t"] > 1.6e9 for record in [first, *others])
    assert json.loads(coap_client(port, "status"))["status"] == "online"
    assert "4.06" in asked(port, "sensors", "-A", "60")
    assert "4.04" in asked(port, "sensors/nothing")


def test_a_reading_is_observed_while_it_is_published(served, receiver):
    _, port = served
    receiver.wait_readings("d1", 1, 20)
    heard = coap_client(port, "sensors/t", "-s", "2").decode()
    values = re.findall(r"\d+\.\d\d?", heard)
    assert len(values) >= 3, heard
    before = len(receiver.readings("d1"))
    receiver.wait_readings("d1", before + 3, 20)


def test_commands_are_refused_in_plain_text(served):
    running, port = served
    told = asked(port, "commands", "-m", "post", "-e", '{"id":1,"cmd":"reboot"}')
    assert "4.03" in told and "DTLS only" in told
    assert running.running


KEY = "sesame-sesame-16"
SECRET = {"psk_identity": "admin", "psk_key_hex": KEY.encode().hex()}
KNOWN = ("-u", "admin", "-k", KEY, "-B", "20")
INFO = '{"id":1,"cmd":"info"}'


@pytest.fixture
def secure(device, mosquitto):
    """Starts a device whose server has a section `tls`, and returns it and its port."""

    def start(tls):
        port = free_port()
        made = config(mosquitto.port, sensor=SENSOR, serve={"port": port, "tls": tls})
        running = device(made, name="d1")
        running.wait_log("CoAP over DTLS at port", 20)
        wait_for_socket(port)
        return running, port

    if not CLIENT.endswith("-openssl"):
        pytest.skip("libcoap's coap-client-openssl is missing: apt-get install libcoap3-bin")
    return start


def answered(receiver):
    """What the device has said to the command INFO."""
    found = [json.loads(message.payload) for message in receiver.messages("d1", "responses")]
    return [response for response in found if response["id"] == 1]


def test_who_has_the_key_may_command_over_dtls(secure, receiver):
    running, port = secure(SECRET)
    receiver.wait_readings("d1", 1, 20)
    readings = asked(port, "sensors/t", *KNOWN, scheme="coaps")
    assert re.fullmatch(r"-?\d+(\.\d+)?\n", readings)
    asked(port, "commands", "-m", "post", "-e", INFO, *KNOWN, scheme="coaps")
    receiver.wait_for(lambda: answered(receiver), 20, "the response to the command")
    assert [response["ok"] for response in answered(receiver)] == [True]
    large = asked(port, "commands", "-m", "post", "-e", "x" * 600, *KNOWN, scheme="coaps")
    assert "4.13" in large
    wrong = ("-u", "admin", "-k", "something else..", "-B", "2")
    asked(port, "commands", "-m", "post", "-e", INFO, *wrong, scheme="coaps")
    running.wait_log("a session ended", 10)
    assert len(answered(receiver)) == 1
    assert running.stop() == 0


def test_who_has_a_certificate_may_command_over_dtls(secure, receiver, certificates):
    server, client = certificates.server, certificates.client
    authority = certificates.ca.cert
    running, port = secure(
        {"ca": str(authority), "cert": str(server.cert), "key": str(server.key)}
    )
    post = ("-m", "post", "-e", INFO, "-C", authority)
    asked(port, "commands", *post, "-B", "2", scheme="coaps")  # it has none
    running.wait_log("a session ended", 10)
    known = ("-c", client.cert, "-j", client.key, "-B", "20")
    asked(port, "commands", *post, *known, scheme="coaps")
    receiver.wait_for(lambda: answered(receiver), 20, "the response to the command")
    assert len(answered(receiver)) == 1
    assert running.stop() == 0


def test_a_port_that_is_taken_stops_nothing(device, mosquitto, receiver):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        serve = {"port": taken.getsockname()[1]}
        running = device(config(mosquitto.port, sensor=SENSOR, serve=serve), name="d1")
        running.wait_log("can't be had", 20)
        receiver.wait_readings("d1", 3, 20)
        assert running.stop() == 0
