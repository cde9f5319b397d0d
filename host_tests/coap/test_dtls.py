"""lib/coap/dtls.py against libcoap's coap-server: keys, certificates, and what is wrong.

Rows DTLS_01 to 03 of the matrix, in the role of the client.
"""

import contextlib
import subprocess

import pytest

from host_tests.chip import Chip
from host_tests.coap.ports import free_port, wait_for_server
from host_tests.coap.test_libcoap import SERVER
from host_tests.faults.udp import TO_CLIENT, TO_SERVER, UdpRelay

KEY = "sesame-sesame-16"
PSK = {"psk": ["password", KEY.encode().hex()]}

pytestmark = pytest.mark.skipif(
    not (SERVER and SERVER.endswith("-openssl")),
    reason="libcoap's coap-server-openssl is missing: apt-get install libcoap3-bin",
)
LOSSES = [{TO_SERVER: [1, 3]}, {TO_CLIENT: [1, 2]}, {TO_SERVER: [2]}]  # of a handshake


@pytest.fixture(scope="module")
def chip():
    with Chip("coap_dtls_asking") as chip:
        yield chip


@pytest.fixture
def psk(has_psk):
    return PSK


@contextlib.contextmanager
def secure_server(*options):
    """Yields its port for DTLS."""
    port = free_port()
    argv = [SERVER, "-A", "127.0.0.1", "-p", str(port), "-n", *map(str, options)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for_server(port)
            yield port + 1
        finally:
            process.kill()


def with_key():
    return secure_server("-k", KEY, "-h", "hint")


def with_certificate(certificates, identity):
    server = getattr(certificates, identity)
    return secure_server("-c", server.cert, "-j", server.key, "-C", certificates.ca.cert)


def trusting(authority):
    return {"ca": str(authority.cert_der), "name": "localhost"}


def test_dtls_01_a_pre_shared_key(chip, psk):
    with with_key() as port:
        told = chip.call("ask", port, psk, ["", "time"])
    assert "libcoap" in told[0] and isinstance(told[1], str)


def test_dtls_02_a_wrong_key(chip, psk):
    wrong = {"psk": ["password", b"something else..".hex()]}
    with with_key() as port:
        (told,) = chip.call("ask", port, wrong, ["time"], 3000)
    assert told["failed"] == "no response in time"


@pytest.mark.parametrize("lost", LOSSES)
def test_dtls_03_a_pre_shared_key_under_loss(chip, psk, lost):
    with with_key() as port, UdpRelay(port) as relay:
        for direction, numbers in lost.items():
            relay.drop(direction, *numbers)
        (told,) = chip.call("ask", relay.port, psk, ["time"])
    assert isinstance(told, str), told


def test_a_certificate(chip, certificates):
    with with_certificate(certificates, "server") as port:
        (told,) = chip.call("ask", port, trusting(certificates.ca), ["time"])
    assert isinstance(told, str), told


@pytest.mark.parametrize("identity", ["expired", "wrong_name"])
def test_a_certificate_that_is_not_right(chip, certificates, identity):
    with with_certificate(certificates, identity) as port:
        (told,) = chip.call("ask", port, trusting(certificates.ca), ["time"], 3000)
    assert told["failed"] == "no response in time" and told["session"] != "None"


def test_a_certificate_of_another_authority(chip, certificates):
    with with_certificate(certificates, "server") as port:
        (told,) = chip.call("ask", port, trusting(certificates.wrong_ca), ["time"], 3000)
    assert told["failed"] == "no response in time" and told["session"] != "None"


def test_nobody_there(chip, certificates):
    (told,) = chip.call("ask", free_port(), trusting(certificates.ca), ["time"], 2500)
    assert told["failed"] == "no response in time" and told["session"] != "None"
