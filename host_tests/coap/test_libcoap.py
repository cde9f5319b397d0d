"""Our client and server against libcoap's coap-server and coap-client, also when those lose what
they send (`-l`).
"""

import contextlib
import shutil
import subprocess
import time

import pytest

from host_tests.chip import Chip
from host_tests.coap.asking import GET, PUT, Ours
from host_tests.coap.ports import free_port, wait_for_server
from host_tests.coap.test_matrix import LARGE

CONTENT, NOT_FOUND = 0x45, 0x84
ACK_MS = 100
CLIENT_S = 30

CLIENT, SERVER = (
    next(filter(None, map(shutil.which, (f"{name}-openssl", f"{name}-notls", name))), None)
    for name in ("coap-client", "coap-server")
)
pytestmark = pytest.mark.skipif(
    not (CLIENT and SERVER), reason="libcoap's coap-client and coap-server are missing: "
    "apt-get install libcoap3-bin"
)


@contextlib.contextmanager
def libcoap_server(*options):
    port = free_port()
    argv = [SERVER, "-A", "127.0.0.1", "-p", str(port), *options]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for_server(port)
            yield port
        finally:
            process.kill()


@pytest.fixture(scope="module")
def chip():
    with Chip("coap_asking") as chip:
        yield chip


@pytest.fixture(params=[(), ("-l", "20%"), ("-l", "1,3")], ids=["", "loses 20 %", "loses 1 and 3"])
def losing(request):
    return request.param


def test_our_client(chip, losing):
    with libcoap_server(*losing) as port:
        peer = Ours(chip, port, ACK_MS)
        assert b"libcoap" in peer.ask(GET, "").payload  # CORE_01
        assert peer.ask(GET, "nowhere").code == NOT_FOUND
        assert b"</time>" in peer.ask(GET, ".well-known/core").payload  # LINK_01
        assert peer.ask(GET, "async", query=["1"]).payload == b"done"  # CORE_09
        if not losing:  # libcoap takes a block that comes again for another one
            assert peer.ask(PUT, "example_data", LARGE).code in (0x41, 0x44)  # BLOCK_03
            assert peer.ask(GET, "example_data").payload == LARGE  # BLOCK_02
        heard = peer.watch("time", [None, None])  # OBS_01
        assert [answer.code for answer in heard] == [CONTENT] * 3


@pytest.fixture(scope="module")
def our_port():
    port = free_port()
    with Chip("coap_serving") as chip:
        chip.ask("serve", port, ACK_MS, True)
        wait_for_server(port)
        yield port
        assert "Traceback" not in chip.errors(), chip.errors()


def coap_client(port, path, *options, payload=None, losing=()):
    """What coap-client prints."""
    argv = [CLIENT, *losing, *options, f"coap://127.0.0.1:{port}/{path}"]
    done = subprocess.run(argv, input=payload, capture_output=True, timeout=CLIENT_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("losing", [(), ("-l", "1")], ids=["", "loses 1"])
def test_our_server(our_port, losing, tmp_path):
    """One loss a run: coap-client's time-out is 2 s and can't be scaled."""
    assert coap_client(our_port, "test", losing=losing) == b"test"


def test_our_server_s_rows(our_port, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(LARGE)
    assert coap_client(our_port, "seg1/seg2/seg3") == b"plain"  # CORE_13
    assert coap_client(our_port, "query?first=1&second=2") == b"first=1&second=2"  # CORE_14
    assert coap_client(our_port, "separate") == b"separate"  # CORE_09
    assert coap_client(our_port, "separate", "-N") == b"separate"  # CORE_17
    assert coap_client(our_port, "multi-format", "-A", "41") == b"<x/>"  # CORE_20
    assert b"</link1>" in coap_client(our_port, ".well-known/core")  # LINK_01
    assert coap_client(our_port, "large") == LARGE  # BLOCK_02
    assert coap_client(our_port, "large", "-b", "64") == LARGE  # BLOCK_01
    coap_client(our_port, "large", "-m", "put", "-f", str(body))  # BLOCK_03
    posted = coap_client(our_port, "large", "-m", "post", "-f", str(body), "-b", "256")
    assert posted == LARGE[::-1]  # BLOCK_05
    assert b"4.04" in _errors(our_port, "nowhere")


def _errors(port, path):
    argv = [CLIENT, f"coap://127.0.0.1:{port}/{path}"]
    return subprocess.run(argv, capture_output=True, timeout=CLIENT_S, check=False).stderr


def test_our_server_is_observed(our_port):
    """OBS_01, 05, 12: `-s 2` observes for two seconds and then cancels."""
    coap_client(our_port, "obs", "-m", "put", "-e", "a")
    argv = [CLIENT, "-s", "2", f"coap://127.0.0.1:{our_port}/obs"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as watching:
        for value in "bcd":
            time.sleep(0.4)
            coap_client(our_port, "obs", "-m", "put", "-e", value)
        heard = watching.communicate(timeout=CLIENT_S)[0]
    assert heard.replace(b"\n", b"") == b"abcd"
