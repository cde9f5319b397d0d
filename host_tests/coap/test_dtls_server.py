"""lib/coap/dtls_server.py over the network: libcoap's coap-client and our own are served; peers
that are wrong, and a server that was restarted.

The sessions themselves are tested in test_dtls_sessions.py.
"""

import contextlib
import re
import shutil
import subprocess

import pytest

from host_tests.chip import Chip
from host_tests.coap.ports import free_port, wait_for_socket

KEY = "sesame-sesame-16"
CLIENT = shutil.which("coap-client-openssl")
CLIENT_S = 30
PSKS = {"psks": {"lamp": KEY.encode().hex(), "door": b"another-key-1234".hex()}}

needs_libcoap = pytest.mark.skipif(
    not CLIENT, reason="libcoap's coap-client-openssl is missing: apt-get install libcoap3-bin"
)


@contextlib.contextmanager
def serving(options, port=None):
    """Yields the port of our server."""
    port = port or free_port()
    with Chip("coap_dtls_serving") as chip:
        chip.ask("serve", port, options)
        wait_for_socket(port)
        yield port
        assert "Traceback" not in chip.errors(), chip.errors()


@pytest.fixture(scope="module")
def psk_port(has_psk):
    with serving(PSKS) as port:
        yield port


def files(identity, authority=None):
    made = {"cert": str(identity.cert_der), "key": str(identity.key_der)}
    return {**made, "ca": str(authority.cert_der)} if authority else made


def libcoap(port, path, *options, b=CLIENT_S):
    """What coap-client prints."""
    argv = [CLIENT, "-B", b, *options, f"coaps://localhost:{port}/{path}"]
    done = subprocess.run(
        [str(part) for part in argv], capture_output=True, timeout=CLIENT_S, check=False, text=True
    )
    return done.stdout + done.stderr


LAMP = ("-u", "lamp", "-k", KEY)


@needs_libcoap
class TestLibcoap:
    def test_a_key(self, psk_port):
        assert "lamp known" in libcoap(psk_port, "who", *LAMP)

    def test_blocks(self, psk_port, tmp_path):
        body = tmp_path / "body"
        body.write_bytes(b"0123456789abcdef" * 200)
        libcoap(psk_port, "large", "-m", "put", "-f", body, *LAMP)
        assert body.read_text() in libcoap(psk_port, "large", *LAMP)

    def test_observation(self, psk_port):
        heard = re.findall(r"\d+", libcoap(psk_port, "count", "-s", "2", *LAMP))
        assert len(heard) >= 4 and heard == sorted(heard, key=int), heard

    @pytest.mark.parametrize(
        "identity, key, reason",
        [("lamp", "something else..", "INVALID_MAC"), ("nobody", KEY, "UNKNOWN_IDENTITY")],
    )
    def test_a_wrong_key(self, psk_port, identity, key, reason):
        told = libcoap(psk_port, "who", "-u", identity, "-k", key, b=3)
        assert f"{identity} known" not in told
        assert reason in libcoap(psk_port, "counts", *LAMP)

    @pytest.mark.parametrize("lost", ["1,3", "2", "1,2,4"])
    def test_a_key_under_loss(self, psk_port, lost):
        assert "lamp known" in libcoap(psk_port, "who", "-l", lost, *LAMP)

    def test_a_certificate_each_way(self, certificates):
        with serving(files(certificates.server, certificates.ca)) as port:
            told = libcoap(port, "who", *mutual(certificates.client, certificates.ca))
            assert "- known" in told

    def test_a_stranger_where_strangers_may_come(self, certificates):
        with serving(files(certificates.server)) as port:
            assert "- unknown" in libcoap(port, "who", "-R", certificates.ca.cert)

    @pytest.mark.parametrize(
        "client, words",
        [("expired_client", "certificate expired"), ("wrong_client", "alert unknown ca")],
    )
    def test_a_client_whose_certificate_is_not_right(self, certificates, client, words):
        with serving(files(certificates.server, certificates.ca)) as port:
            wrong = mutual(getattr(certificates, client), certificates.ca)
            assert words in libcoap(port, "who", *wrong, b=3)

    def test_a_server_of_another_authority(self, certificates):
        with serving(files(certificates.server)) as port:  # one that is expired, libcoap takes
            told = libcoap(port, "who", "-R", certificates.wrong_ca.cert, b=3)
            assert "certificate verify failed" in told


def mutual(identity, authority):
    return "-c", identity.cert, "-j", identity.key, "-C", authority.cert


def test_twenty_of_our_clients_at_once(psk_port):
    options = {"psk": ["lamp", KEY.encode().hex()], "ack_ms": 200}
    with Chip("coap_dtls_asking", heap="8M") as chip:
        told = chip.call("ask_at_once", psk_port, options, 20, "who")
    assert told == ["lamp known"] * 20


def test_a_server_that_was_restarted_is_found_again(has_psk):
    """The session is dead and nobody says so: the client notices the silence, and the message that
    is being repeated arrives."""
    options = {"psk": ["lamp", KEY.encode().hex()], "ack_ms": 300, "silent_ms": 1000}
    with Chip("coap_dtls_asking") as chip:
        with serving(PSKS) as port:
            assert chip.call("begin", port, options, "who") == "lamp known"
        with serving(PSKS, port):
            assert chip.call("go_on", "who") == ["lamp known", 1]
