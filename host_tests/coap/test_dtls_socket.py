"""lib/coap/dtls_socket.py beneath a ReliableSocket: does the real microCoAPy, as it is, go over
DTLS?

The peers are our own server on a second MicroPython, and libcoap's coap-server.
"""

import time

import pytest

from host_tests.chip import Chip
from host_tests.coap.ports import free_port
from host_tests.coap.test_dtls import KEY, LOSSES, SERVER, with_key
from host_tests.coap.test_dtls_server import PSKS, serving
from host_tests.faults.udp import UdpRelay
from petrel import runtime

pytestmark = [
    pytest.mark.skipif(
        runtime.microcoapy_folder() is None, reason="microCoAPy is not here; try: make setup"
    ),
    pytest.mark.usefixtures("has_psk"),
]

LAMP = ("lamp", KEY.encode().hex())
CHANGED, CONTENT = 0x44, 0x45
ACK_MS = 100
PATIENT_MS = 500  # a request outlives a handshake that is repeated after 1, 3 and 7 s
POSTS = 40
DATA = "devices/d1/data"


@pytest.fixture(scope="module")
def chip():
    with Chip("coap_microcoapy") as chip:
        yield chip


@pytest.mark.parametrize("loss", [0, 0.2], ids=["clean", "20 % lost each way"])
def test_posts_arrive(chip, loss, seed):
    with serving(PSKS) as port, UdpRelay(port, seed=seed) as relay:
        chip.call("make_secure", ACK_MS, relay.port, *LAMP)
        chip.call("get", relay.port, "who")
        assert chip.call("until", 1, 5000)[0], "the session is there before anything is lost"
        relay.loss = loss
        chip.call("post_all", relay.port, DATA, POSTS, 10_000, deadline_s=60)
        heard, failed, ended = chip.call("until", 1 + POSTS, 10_000)
        chip.call("close")
        assert not ended
        del heard[0]  # who we are
        assert len(heard) + len(failed) == POSTS
        assert {one[1] for one in heard} == {CHANGED}
        assert len(failed) <= (3 if loss else 0), "five times lost: 1 in 170"
        chip.call("make_secure", ACK_MS, port, *LAMP)
        chip.call("get", port, DATA)
        collected = chip.call("until", 1, 5000)[0][0][2].split("\n")
        chip.call("close")
    assert len(set(collected)) == len(collected) >= len(heard), "each once"


@pytest.mark.skipif(
    not (SERVER and SERVER.endswith("-openssl")),
    reason="libcoap's coap-server-openssl is missing: apt-get install libcoap3-bin",
)
@pytest.mark.parametrize("lost", [{}, *LOSSES])
def test_libcoap_answers(chip, lost, seed):
    """mbedTLS repeats a flight after 1 s, then 2 s: what is lost of the handshake is chosen."""
    with with_key() as port, UdpRelay(port, seed=seed) as relay:
        for direction, numbers in lost.items():
            relay.drop(direction, *numbers)
        chip.call("make_secure", PATIENT_MS, relay.port, "password", LAMP[1])
        chip.call("get", relay.port, "time")
        heard, failed, ended = chip.call("until", 1, 20_000, deadline_s=30)
        chip.call("close")
    assert [one[1] for one in heard] == [CONTENT], (failed, ended)


@pytest.mark.parametrize(
    "identity, key, words",
    [("nobody", LAMP[1], "ALERT"), ("lamp", "00" * 16, "no handshake within 1000 ms")],
    ids=["name", "key"],
)
def test_a_wrong_key_is_one_line(chip, identity, key, words):
    with serving(PSKS) as port:
        chip.call("make_secure", ACK_MS, port, identity, key, 20_000, 1000)
        chip.call("get", port, "who")
        heard, _, ended = chip.call("until", 1, 5000)
        chip.call("close")
    assert not heard and len(ended) == 1  # a right alert under wrong keys can't be read
    assert words in ended[0] and "\n" not in ended[0]


def test_nobody_there_is_said_at_the_deadline(chip, seed):
    with UdpRelay(free_port(), seed=seed, loss=1) as relay:
        chip.call("make_secure", ACK_MS, relay.port, *LAMP, 20_000, 700)
        chip.call("get", relay.port, "who")
        begun = time.monotonic()
        ended = chip.call("until", 1, 5000)[2]
        assert ended == ["no handshake within 700 ms"]
        assert 0.6 < time.monotonic() - begun < 3
        chip.call("close")


def test_a_server_that_was_restarted_is_found_again(chip):
    with serving(PSKS) as port:
        chip.call("make_secure", 300, port, *LAMP, 1000)
        chip.call("get", port, "who")
        assert chip.call("until", 1, 5000)[0][0][2] == "lamp known"
    with serving(PSKS, port):
        chip.call("get", port, "who")
        heard, failed, _ = chip.call("turn", 4500)
        chip.call("close")
    assert [one[2] for one in heard] == ["lamp known"] * 2, failed


def test_another_address_is_refused_with_a_word(chip):
    with serving(PSKS) as port:
        chip.call("make_secure", ACK_MS, port, *LAMP)
        chip.call("get", free_port(), "who")
        ended = chip.call("until", 1, 1000)[2]
        chip.call("close")
    assert ended == ["a message for another address than the session's peer was not sent"]


def test_a_plain_socket_loads_nothing_of_it():
    with Chip("coap_microcoapy") as chip:
        chip.call("make", ACK_MS)
        assert not [name for name in chip.call("loaded") if "dtls" in name]
