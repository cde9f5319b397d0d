"""firmware/links/coap.py and microcoapy.py over DTLS (`tls`): does the device deliver, and does it
say why not?

The peer is our own server on a second MicroPython.
"""

import json

import pytest

from host_tests.chip import Chip
from host_tests.coap.test_dtls_server import KEY, PSKS, files, serving
from host_tests.faults.udp import UdpRelay
from host_tests.harness.config import config

ROWS = 20
PSK = {"psk_identity": "lamp", "psk_key_hex": KEY.encode().hex()}
ASKING = {"psk": ["lamp", PSK["psk_key_hex"]], "ack_ms": 200}


@pytest.fixture
def start(device, tmp_path, link):
    def run(port, tls, **options):
        folder = tmp_path / "d1"
        folder.mkdir()
        (folder / "rows.csv").write_text("t,v\n" + "".join(f"{n},{n}\n" for n in range(ROWS)))
        made = config(port, sensor={"file": "rows.csv", "every_s": 1, "speed": 50})
        made["sensors"][0]["channels"] = {"v": {"column": "v", "decimals": 0}}
        made["links"] = [link]
        made[link] = {
            "host": "localhost", "port": port, "ack_timeout_s": 0.1, "tls": tls, **options,
        }
        return device(made, name="d1", flags=("--until-drained",))

    return run


def collected(port, asking):
    """The values that a server has been posted."""
    with Chip("coap_dtls_asking") as chip:
        (told,) = chip.call("ask", port, asking, ["devices/d1/data"])
    readings = []
    for line in told.splitlines():
        found = json.loads(line)
        readings += found if isinstance(found, list) else [found]
    return [reading["v"] for reading in readings]


@pytest.mark.parametrize("loss", [0, 0.2], ids=["clean", "20 % lost each way"])
def test_every_row_arrives_with_a_key(has_psk, start, loss, seed):
    with serving(PSKS) as port, UdpRelay(port, seed=seed, loss=loss) as relay:
        assert start(relay.port, PSK).wait_exit(90) == 0
        found = collected(port, ASKING)
    assert sorted(set(found)) == list(range(ROWS))
    assert loss or found == list(range(ROWS))


def test_every_row_arrives_with_certificates(start, certificates):
    server, client = certificates.server, certificates.client
    tls = {
        "ca": str(certificates.ca.cert), "cert": str(client.cert), "key": str(client.key),
    }
    asking = {
        "ca": str(certificates.ca.cert_der), "name": "localhost", "ack_ms": 200,
        "cert": str(client.cert_der), "key": str(client.key_der),
    }
    with serving(files(server, certificates.ca)) as port:
        assert start(port, tls).wait_exit(60) == 0
        assert collected(port, asking) == list(range(ROWS))


@pytest.mark.parametrize("wrong", [{"psk_identity": "nobody"}, {"psk_key_hex": "00" * 16}])
def test_a_wrong_key_is_said(has_psk, start, wrong):
    with serving(PSKS) as port:
        wrong = {**PSK, **wrong}
        running = start(port, wrong, timeout_s=2)
        running.wait_log("tls: no session with the peer", 20)
        running.stop()


def test_a_server_of_another_authority_is_said(start, certificates):
    with serving(files(certificates.server)) as port:
        running = start(port, {"ca": str(certificates.wrong_ca.cert)}, timeout_s=2)
        running.wait_log("not correctly signed by the trusted CA", 20)
        running.stop()


def test_a_peer_that_no_socket_leads_to(start, has_psk):
    """A broadcast address, say: an error of the socket itself, at each try."""
    running = start(5684, PSK, host="255.255.255.255")
    running.wait_log("uplink: tls: .*; next try in", 20)
    mark = running.mark()
    running.wait_log("uplink: tls: .*; next try in", 20, mark)
    assert running.running
