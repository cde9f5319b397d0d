"""lib/coap/dtls_sessions.py, a DTLS server's sessions, wired back to back with mbedTLS's client:
what becomes of peers that are wrong, lost, restarted, many, or forged?

Both ends run on MicroPython, the network is a list (on_device/coap_dtls_pair.py). mbedTLS repeats
after 1, 2, 4, 8 s and can't be told otherwise, so clients that lose something are tried together.
"""

import itertools

import pytest

from host_tests.chip import Chip

KEY = "sesame-sesame-16"
HANDSHAKE, OPEN, CLOSED = 0, 1, 2
TO_SERVER, TO_CLIENT = 0, 1


@pytest.fixture(scope="module")
def chip():
    with Chip("coap_dtls_pair") as chip:
        yield chip


def psk(identity="lamp", key=KEY):
    return {"psk": [identity, key.encode().hex()]}


def by_certificate(certificates, server="server", ca="ca", client=None, client_ca="ca"):
    server = getattr(certificates, server)
    options = {
        "cert": str(server.cert_der), "key": str(server.key_der),
        "ca": str(getattr(certificates, ca).cert_der),
    }
    if client:
        client = getattr(certificates, client)
        options["client_ca"] = str(getattr(certificates, client_ca).cert_der)
        options["client_cert"] = str(client.cert_der)
        options["client_key"] = str(client.key_der)
    return options


@pytest.fixture(params=["psk", "certificates"])
def options(request, chip, certificates):
    if request.param == "certificates":
        return by_certificate(certificates, client="client")
    request.getfixturevalue("has_psk")
    return psk()


def test_a_known_peer(chip, options):
    told = chip.call("handshake", options)
    assert told["heard"] == ["hi"] and told["hellos"] == 1
    assert told["peers"] == [["lamp" if "psk" in options else None, True]]


def test_a_peer_without_a_certificate_is_served_and_not_known(chip, certificates):
    told = chip.call("handshake", by_certificate(certificates))
    assert told["heard"] == ["hi"] and told["peers"] == [[None, False]]


def test_a_wrong_key(chip):
    told = chip.call("handshake", psk(key="something else.."), 3000)
    assert told["heard"] == [] and told["peers"] == []
    ((kind, reason),) = told["events"]
    assert kind == "closed" and "INVALID_MAC" in reason and "lamp" in reason


def test_an_identity_that_nobody_has(chip):
    told = chip.call("handshake", psk(identity="nobody"), 3000)
    ((_, reason),) = told["events"]
    assert "UNKNOWN_IDENTITY" in reason and told["heard"] == []


@pytest.mark.parametrize("server", ["expired", "not_yet_valid", "wrong_name"])
def test_a_server_whose_certificate_is_not_right(chip, certificates, server):
    told = chip.call("handshake", by_certificate(certificates, server=server), 3000)
    assert told["heard"] == [] and told["peers"] == [] and "certificate" in told["error"].lower()


def test_a_server_of_another_authority(chip, certificates):
    told = chip.call("handshake", by_certificate(certificates, ca="wrong_ca"), 3000)
    assert told["heard"] == [] and "not correctly signed" in told["error"]


@pytest.mark.parametrize(
    "client, words",
    [
        ("expired_client", "validity has expired"), ("wrong_client", "not correctly signed"),
        (None, "CLIENT_CERTIFICATE"),
    ],
)
def test_a_client_whose_certificate_is_not_right(chip, certificates, client, words):
    options = by_certificate(certificates, client=client or "client")
    if client is None:
        options["client_cert"] = options["client_key"] = None
    told = chip.call("handshake", options, 3000)
    assert told["heard"] == [] and told["peers"] == []
    ((_, reason),) = told["events"]
    assert words in reason


def test_a_certificate_too_large_for_a_datagram(chip, certificates):
    told = chip.call("handshake", by_certificate(certificates, server="large"), 3000)
    ((_, reason),) = told["events"]
    assert "bytes of handshake in a datagram; take a smaller certificate" in reason


def test_any_one_or_two_datagrams_are_lost(chip, options):
    """Of the first four each way, which are all of them."""
    each = [[way, number] for way in (TO_SERVER, TO_CLIENT) for number in range(1, 5)]
    patterns = [[one] for one in each] + [list(two) for two in itertools.combinations(each, 2)]
    times = chip.call("lossy", options, patterns, 25_000, deadline_s=40)
    assert None not in times, dict(zip(map(str, patterns), times, strict=True))


def thirty_percent_are_lost(chip, options, seeds, limit_ms, evidence):
    """Each way, of so many clients at once. Returns how many were answered in time."""
    patterns = [[seed, 30] for seed in seeds]
    times = chip.call("lossy", options, patterns, limit_ms, deadline_s=limit_ms / 1000 + 15)
    evidence("seeds", lambda: f"{seeds[0]} to {seeds[-1]}, answered after {times} ms")
    return sum(time is not None for time in times)


def test_thirty_percent_are_lost(chip, options, evidence):
    """Seeds that end soon, so that the test does; the soak takes all of them."""
    assert thirty_percent_are_lost(chip, options, range(45, 52), 40_000, evidence) == 7


@pytest.mark.soak
@pytest.mark.timeout(120)
def test_thirty_percent_are_lost_by_sixty(chip, options, evidence):
    """mbedTLS gives a handshake up after a minute, and a device begins it anew."""
    assert thirty_percent_are_lost(chip, options, range(1, 61), 80_000, evidence) >= 57


def test_a_peer_that_was_restarted_gets_a_new_session(chip, options):
    told = chip.call("restart", options, False)
    assert told["heard"] == ["one", "two"]
    assert told["old"] == CLOSED and not told["now"] and told["open"] == 1
    assert told["closed"] == ["the peer was restarted"]


def test_a_session_goes_on_until_the_new_one_is_proven(chip, options):
    told = chip.call("restart", options, True)
    assert told["while"] == [OPEN, 1], "a handshake is under way beside it"
    assert told["heard"] == ["one", "still"] and told["old"] == OPEN and told["now"]
    assert told["closed"][0].startswith("no handshake within 400 ms")


def test_twenty_clients_at_once(chip, options):
    told = chip.call("many", options, 20, 20, deadline_s=60)
    assert told["done"] and not told["wrong"], told
    assert told["open"] == 20 and told["evicted"] == 0


def test_who_was_idle_longest_gives_way(chip, options):
    left, evicted, events = chip.call("idle", options)
    assert left == ["client 0", "client 2"] and evicted == 1
    assert events[0] == ["closed", "client 1", "idle longest; gave way to another peer"]


@pytest.mark.parametrize("cookies", [False, True], ids=["forged senders", "half-open handshakes"])
def test_a_flood_costs_no_memory_and_known_peers_are_served(chip, options, cookies):
    count = 2000
    told = chip.call("flood", options, count, cookies, deadline_s=60)
    assert told["heard"] == count // 10 and told["open"] == 1
    assert told["opening"] == (4 if cookies else 0)
    assert told["hellos"] >= count
    heap, pages = zip(*told["memory"], strict=True)
    assert max(heap) - min(heap) < 1024, told["memory"]
    assert max(pages) - min(pages) < 64, told["memory"]


def test_what_a_port_lacks_is_said(certificates):
    with Chip("coap_dtls_pair", "32-bit") as chip:
        if chip.call("has_psk"):
            pytest.skip("this MicroPython has pre-shared keys in DTLS")
        told = chip.call("missing", by_certificate(certificates))
    lacking = "this MicroPython has no pre-shared keys in DTLS; 1.29 has them"
    assert told[:2] == [lacking, lacking]
    assert told[2] in (None, "this MicroPython's DTLS server sends no cookies; 1.26 does")
