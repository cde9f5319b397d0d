"""What does a device say and do that cannot connect, or must not, when it starts?

For each reason: a clear line, the right delay, no traceback, and not a byte of plain text where
TLS is asked for.
"""

import re
import shlex
import subprocess

import pytest

from host_tests.e2e.proofs import (
    PACE_MS,
    SOON_S,
    failures,
    prove_backoff,
    prove_delivered,
    prove_schedule_kept,
    prove_sound,
    quick,
    wait_failures,
)
from host_tests.faults.tcp import TO_SERVER, FaultProxy
from host_tests.harness.receiver import Receiver
from petrel.broker import TlsFiles
from petrel.runtime import find_runtime, runtime32

FIRST_S, MAX_S = 0.05, 0.2
USER, PASSWORD = "d1", "a-secret-word"
KEY, OTHER_KEY = "00112233445566778899aabbccddeeff", "ff112233445566778899aabbccddeeff"
TLS_RECORD = 0x16  # the first byte of a handshake
CLOSED = r"tls: connection (closed|reset) in the handshake; check the port, and our certificate"
REFUSED = rf"tls: the broker refuses us; check our certificate or key|{CLOSED}"



def runtime_has_psk():
    ask = [*find_runtime(), "-c", "import tls; print(hasattr(tls.SSLContext(0), 'psk_key'))"]
    return subprocess.run(ask, capture_output=True, timeout=SOON_S).stdout == b"True\n"


has_psk = pytest.mark.skipif(not runtime_has_psk(), reason="this MicroPython has no TLS-PSK")


@pytest.fixture
def entrance(evidence):
    """Makes a proxy before a port that is not the plain one."""
    made = []

    def make(port):
        made.append(FaultProxy(port).start())
        evidence("proxy", made[-1].summary)
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


def settings(port, **umqtt):
    umqtt = {"username": USER, "password": PASSWORD, **umqtt}
    return quick(port, umqtt=umqtt, reconnect={"first_s": FIRST_S, "max_s": MAX_S})


def prove_refused(device, words, final):
    """Three failures in these words. Final ones wait the longest delay, others follow the backoff;
    None: there is no telling.
    """
    wait_failures(device, 3)
    found = failures(device)
    assert all(re.match(words, failure.why) for failure in found), found
    if final:
        assert {failure.delay for failure in found} == {MAX_S * 1000}
    elif final is False:
        prove_backoff(device, FIRST_S, MAX_S)
    prove_sound(device)
    assert device.running


def prove_secret(proxy):
    """What went to the server began as TLS on each connection, and the password is nowhere."""
    sent = {}
    for segment in proxy.segments(TO_SERVER):
        sent[segment.connection] = sent.get(segment.connection, b"") + segment.data
    assert sent
    assert {data[0] for data in sent.values()} == {TLS_RECORD}
    assert not any(PASSWORD.encode() in data for data in sent.values())


# ---- credentials


@pytest.mark.parametrize(
    "wrong", [{"password": "wrong"}, {"username": "nobody"}, {"username": None, "password": None}]
)
def test_wrong_credentials(start_mosquitto, device, wrong):
    broker = start_mosquitto(users={USER: PASSWORD})
    started = device(settings(broker.port, **wrong))
    prove_refused(started, "connack: not authorised; check username, password", final=True)


def test_credentials_that_become_right_are_tried_again(start_mosquitto, device):
    users = {USER: "something else"}
    broker = start_mosquitto(users=users)
    started = device(settings(broker.port))
    prove_refused(started, "connack: not authorised", final=True)
    users[USER] = PASSWORD
    broker.stop()
    broker.start()
    with Receiver(broker.port, username=USER, password=PASSWORD) as receiver:
        started.wait_log("online", SOON_S)
        receiver.wait_readings("d1", 20, SOON_S)
        prove_delivered(started, receiver)


# ---- TLS


def tls_broker(start_mosquitto, certificates, identity="server", client_cert=False):
    server = getattr(certificates, identity)
    files = TlsFiles(certificates.ca.cert, server.cert, server.key, client_cert)
    return start_mosquitto(tls=files)


def ours(certificates, ca="ca", client=None, key=None):
    """The `tls` of a config; `client` names our certificate, `key` another's key."""
    options = {"ca": str(getattr(certificates, ca).cert_der)}
    if client:
        options["cert"] = str(getattr(certificates, client).cert)
        options["key"] = str(getattr(certificates, key or client).key)
    return options


@pytest.mark.parametrize(
    ("identity", "ca", "words"),
    [
        ("server", "wrong_ca", "tls: The certificate is not correctly signed by the trusted CA"),
        ("expired", "ca", "tls: The certificate validity has expired"),
        ("not_yet_valid", "ca", "tls: The certificate validity starts in the future"),
        ("wrong_name", "ca", "tls: The certificate Common Name .* does not match"),
    ],
)
def test_a_server_that_does_not_prove_itself(
    start_mosquitto, certificates, entrance, device, identity, ca, words
):
    proxy = entrance(tls_broker(start_mosquitto, certificates, identity).tls_port)
    started = device(settings(proxy.port, tls=ours(certificates, ca)))
    prove_refused(started, words, final=True)
    prove_secret(proxy)


@pytest.mark.parametrize(
    ("client", "key"), [(None, None), ("wrong_client", None), ("client", "wrong_client")]
)
def test_a_device_that_does_not_prove_itself(
    start_mosquitto, certificates, entrance, device, client, key
):
    proxy = entrance(tls_broker(start_mosquitto, certificates, client_cert=True).tls_port)
    started = device(settings(proxy.port, tls=ours(certificates, client=client, key=key)))
    prove_refused(started, REFUSED, final=None)  # whether the alert is read is a matter of luck
    prove_secret(proxy)


@pytest.mark.parametrize("client", [None, "client"])
def test_delivery_over_tls(start_mosquitto, certificates, entrance, device, figure, client):
    broker = tls_broker(start_mosquitto, certificates, client_cert=bool(client))
    proxy = entrance(broker.tls_port)
    started = device(settings(proxy.port, tls=ours(certificates, client=client)))
    prove_delivery_with_an_outage(broker, proxy, started, figure)


@has_psk
def test_delivery_over_psk(start_mosquitto, entrance, device, figure):
    broker = start_mosquitto(psk={"dev": KEY})
    proxy = entrance(broker.psk_port)
    tls = {"psk_identity": "dev", "psk_key_hex": KEY}
    prove_delivery_with_an_outage(broker, proxy, device(settings(proxy.port, tls=tls)), figure)


def prove_delivery_with_an_outage(broker, proxy, started, figure):
    with Receiver(broker.port) as receiver:
        receiver.wait_readings("d1", 20, SOON_S)
        mark = started.mark()
        proxy.freeze()
        started.wait_log("ack: no acknowledgement within 1000 ms", SOON_S, mark)
        started.wait_log("online", SOON_S, mark)
        mark = started.mark()
        proxy.drop_connections()
        started.wait_log("online", SOON_S, mark)
        prove_secret(proxy)
        received = {reading.seq for reading in receiver.readings("d1")}
        prove_delivered(started, receiver, may_repeat=received)
        figure("latest reading", prove_schedule_kept(receiver), "ms")
        prove_backoff(started, FIRST_S, MAX_S)


@has_psk
@pytest.mark.parametrize(("identity", "key"), [("dev", OTHER_KEY), ("nobody", KEY)])
def test_a_wrong_psk(start_mosquitto, entrance, device, identity, key):
    proxy = entrance(start_mosquitto(psk={"dev": KEY}).psk_port)
    tls = {"psk_identity": identity, "psk_key_hex": key}
    prove_refused(device(settings(proxy.port, tls=tls)), REFUSED, final=None)
    prove_secret(proxy)


def test_psk_where_the_port_has_none(mosquitto, device):
    if runtime32() is None:
        pytest.skip("set-up found no 32-bit MicroPython for this system")
    tls = {"psk_identity": "dev", "psk_key_hex": KEY}
    flags = ["--runtime", shlex.join(runtime32())]
    started = device(settings(mosquitto.port, tls=tls), flags=flags)
    words = r"tls: this MicroPython has no TLS-PSK .*; use certificates"
    prove_refused(started, words, final=True)


@pytest.mark.parametrize("content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nMII\n"])
def test_a_file_that_is_no_certificate(mosquitto, device, tmp_path, content):
    file = tmp_path / "ca.crt"
    file.write_text(content)
    started = device(settings(mosquitto.port, tls={"ca": str(file)}))
    prove_refused(started, r"tls: can't use /.*/ca\.crt \(", final=True)


def test_a_handshake_that_gets_no_answer(start_mosquitto, certificates, entrance, device):
    proxy = entrance(tls_broker(start_mosquitto, certificates).tls_port)
    proxy.black_hole()
    started = device(settings(proxy.port, tls=ours(certificates)))
    started.wait_log("tls: no answer within 1000 ms; next try", SOON_S)
    proxy.accept()
    proxy.drop_connections()
    started.wait_log("online", SOON_S)
    prove_secret(proxy)


# ---- the wrong place


def test_a_tls_port_spoken_to_in_plain(start_mosquitto, certificates, device):
    started = device(settings(tls_broker(start_mosquitto, certificates).tls_port))
    words = r"connack: .* in place of an answer; is it a port for plain MQTT\?"
    prove_refused(started, words, final=False)


def test_a_plain_port_spoken_to_with_tls(mosquitto, certificates, entrance, device):
    proxy = entrance(mosquitto.port)
    started = device(settings(proxy.port, tls=ours(certificates)))
    prove_refused(started, CLOSED + "|tls: the broker closed the connection", final=False)
    prove_secret(proxy)


def test_a_name_that_does_not_resolve(device):
    started = device(settings(1883, host="nowhere.invalid", insecure=True))
    words = r"dns: the name nowhere\.invalid does not resolve"
    prove_refused(started, words, final=None)  # how long it takes is the resolver's business


# ---- a clock that is not set


def test_no_certificate_is_verified_without_the_time(
    start_mosquitto, certificates, entrance, device
):
    proxy = entrance(tls_broker(start_mosquitto, certificates).tls_port)
    unset = {"PETREL_CLOCK": "unset"}
    started = device(settings(proxy.port, tls=ours(certificates)), env=unset)
    words = "clock: the clock is not set, so no certificate can be verified; waiting for the time"
    prove_refused(started, words, final=False)
    assert proxy.connections == 0


def test_readings_without_the_time_carry_the_uptime(mosquitto, receiver, device):
    started = device(quick(mosquitto.port), env={"PETREL_CLOCK": "unset"})
    readings = receiver.wait_readings("d1", 150, SOON_S)
    assert {reading.ts for reading in readings} == {None}
    uptimes = [message.json()["up"] for message in receiver.messages("d1", "data")]
    starts = [(up * 1000 - n * PACE_MS, up * 1000 + 999 - n * PACE_MS)
              for n, up in enumerate(uptimes)]
    assert 0 <= max(low for low, _ in starts) <= min(high for _, high in starts) < 1000
    assert started.stop() == 0
    prove_sound(started)
