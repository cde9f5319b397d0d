"""lib/mqtt's client on a device, with a real Mosquitto, through the fault proxy where something is
to go wrong.
"""

import time

import pytest

from host_tests.chip import Chip, Raised
from host_tests.faults.mqtt_packets import CONNECT, PUBACK, PUBLISH
from host_tests.faults.tcp import TO_CLIENT
from host_tests.harness.receiver import Receiver
from host_tests.packets import connack, publish
from host_tests.peer import Peer, answer_to
from petrel.broker import Amqtt, TlsFiles

PROTOCOLS = pytest.mark.parametrize("protocol", ["3.1.1", "5"])
HELD_MS = 20
NAMES = ["3.1.1", "5"]


@pytest.fixture(scope="module")
def chips():
    running = []
    yield running
    for chip in running:
        chip.__exit__()


@pytest.fixture
def device(chips, evidence):
    if chips and chips[0].busy:
        chips.pop().__exit__()
    if not chips:
        chips.append(Chip("mqtt_client", heap="4M"))
    evidence("device", chips[0].errors)
    return chips[0]


def act(device, port, protocol, *actions, tls=None, deadline_s=40, **options):
    """What a session told, each action's answer; the loop was never held for long."""
    result = device.call(
        "session", port, tls, {"protocol": protocol, **options}, actions, deadline_s=deadline_s
    )
    assert result["held_us"] < HELD_MS * 1000
    return result["told"]


BOTH_WAYS = [
    ["subscribe", "a/+", 2, 64], ["publish", "a/x", 0, 5, 0], ["publish", "a/y", 5, 5, 1],
    ["publish", "a/z", 10, 5, 2], ["take", "a/+", 15],
]


def check_both_ways(told):
    assert told[:4] == [2, 0, 0, 0]
    assert [(topic, int(payload), qos) for topic, payload, qos, *_ in told[4]] == [
        (f"a/{'xyz'[n // 5]}", n, n // 5) for n in range(15)
    ]


@PROTOCOLS
def test_every_qos_both_ways(device, mosquitto, protocol):
    check_both_ways(act(device, mosquitto.port, protocol, *BOTH_WAYS))


def test_another_broker(device, tmp_path):
    """amqtt, which shares no code with Mosquitto. It speaks 3.1.1, and delivers everything at the
    QoS of the subscription.
    """
    with Amqtt(tmp_path) as broker:
        told = act(device, broker.port, "3.1.1", *BOTH_WAYS)
        assert told[:4] == [2, 0, 0, 0]
        assert [(entry[1], entry[2]) for entry in told[4]] == [(str(n), 2) for n in range(15)]
        act(device, broker.port, "3.1.1", ["publish", "r", 7, 1, 1, 1, 0, True])
        told = act(device, broker.port, "3.1.1", ["subscribe", "r", 1], ["take", "r", 1])
        assert told[1][0][:4] == ["r", "7", 1, 1]
        told = act(device, broker.port, "3.1.1", ["subscribe", "k", 1], ["again"],
                   ["publish", "k", 0, 3, 1], ["take", "k", 3], clean=False, client_id="kept")
        assert told[:3] == [1, True, 0] and [entry[1] for entry in told[3]] == ["0", "1", "2"]


@PROTOCOLS
def test_a_byte_at_a_time(device, proxy, protocol):
    proxy.byte_at_a_time(gap_s=0.0002)
    check_both_ways(act(device, proxy.port, protocol, *BOTH_WAYS))


@PROTOCOLS
def test_over_tls_the_server_alone_or_both_proven(
    device, start_mosquitto, certificates, protocol
):
    ca, server, client = certificates.ca, certificates.server, certificates.client
    for both in (False, True):
        files = TlsFiles(ca.cert, server.cert, server.key, both)
        broker = start_mosquitto(tls=files)
        tls = [str(ca.cert), *([str(client.cert), str(client.key)] if both else [])]
        check_both_ways(act(device, broker.tls_port, protocol, *BOTH_WAYS, tls=tls))


def test_over_tls_with_a_pre_shared_key(device, start_mosquitto):
    broker = start_mosquitto(psk={"d1": "00112233445566778899aabbccddeeff"})
    tls = [None, None, None, ["d1", "00112233445566778899aabbccddeeff"]]
    check_both_ways(act(device, broker.psk_port, "3.1.1", *BOTH_WAYS, tls=tls))


@pytest.mark.parametrize("server", ["wrong_ca", "wrong_name", "expired", "not_yet_valid",
                                    "self_signed"])
def test_a_broker_that_cannot_prove_itself(device, certificates, server):
    """Raised at once: trying again can't help."""
    identity = certificates.server if server == "wrong_ca" else getattr(certificates, server)
    trusted = certificates.wrong_ca if server == "wrong_ca" else certificates.ca
    with Peer(identity) as peer:
        device.ask("session", peer.port, [str(trusted.cert)], {}, [])
        with pytest.raises(OSError):
            peer.accept().expect(CONNECT)
        told = device.answer()["told"]
    assert [entry[:2] for entry in told] == [["ConnectError", "tls"]]


# ---- sessions


@PROTOCOLS
def test_a_session_that_is_present_is_gone_on_with(device, mosquitto, protocol):
    """Messages that came while we were away, and no second subscription."""
    told = act(
        device, mosquitto.port, protocol, ["subscribe", "k/#", 1], ["again"], ["again"],
        clean=False, client_id="kept",
    )
    assert told == [1, True, True]
    act(device, mosquitto.port, protocol, ["publish", "k/1", 1, 3, 1], client_id="other")
    told = act(device, mosquitto.port, protocol, ["take", "k/#", 3], clean=False, client_id="kept")
    assert [entry[1] for entry in told[0]] == ["1", "2", "3"]


@PROTOCOLS
@pytest.mark.parametrize("persistent", [True, False])
def test_the_broker_starts_again(device, start_mosquitto, protocol, persistent):
    """It has the session, or it has not and is subscribed to again; nothing is lost."""
    broker = start_mosquitto(extra="" if persistent else "persistent_client_expiration 1h")
    options = {"clean": not persistent, "client_id": "again", "protocol": protocol, "window": 4}
    device.ask("session", broker.port, None, options, [
        ["subscribe", "b/#", 1], ["publish", "a", 0, 12_000, 1, 4], ["publish", "b/x", 0, 3, 1],
        ["take", "b/#", 3],
    ])
    time.sleep(0.15)  # well within the 12,000: of the three behind them none has come yet
    broker.stop() if persistent else broker.kill()
    broker.start()
    result = device.answer(40)
    assert result["told"][:3] == [1, 0, 0] and result["connections"] == 2
    assert {entry[1] for entry in result["told"][3]} == {"0", "1", "2"}


@PROTOCOLS
def test_a_second_client_with_our_name_takes_over(device, mosquitto, protocol):
    """We are told (5.0), or lose the connection, and come back; nothing hangs."""
    with Chip("mqtt_client") as twin:
        twin.call("session", mosquitto.port, None, {"client_id": "early"}, [["wait", 1]])
        device.ask("session", mosquitto.port, None, {"client_id": "twin", "protocol": protocol},
                   [["wait", 1500], ["publish", "t", 0, 5, 1]])
        time.sleep(0.3)  # far less than it waits, far more than connecting takes
        twin.call("session", mosquitto.port, None, {"client_id": "twin"}, [["wait", 20]])
    result = device.answer()
    assert result["told"] == [None, 0] and result["connections"] == 2


def test_a_will_waits_until_its_delay_is_over(mosquitto, evidence):
    """A connection that comes back within it is no death ([MQTT-3.1.3-9])."""
    with Receiver(mosquitto.port, "+") as receiver, Chip("mqtt_client") as mortal:
        evidence("device", mortal.errors)
        options = {
            "protocol": "5", "clean": False, "properties": {"session_expiry_interval": 60},
            "will": ["will", "gone", 1, False, {"will_delay_interval": 1}],
        }
        actions = [["again"], ["wait", 1500], ["publish", "here", 0, 1, 1], ["wait", 60_000]]
        mortal.ask("session", mosquitto.port, None, options, actions)
        receiver.wait_for(receiver.messages, 10)
        mortal.__exit__()
        died = time.monotonic()
        receiver.wait_for(lambda: len(receiver.messages()) > 1, 10)
        assert time.monotonic() - died > 0.5
        assert [message.topic for message in receiver.messages()] == ["here", "will"]


def test_a_message_tells_by_which_subscriptions_it_comes(device, mosquitto):
    told = act(
        device, mosquitto.port, "5",
        ["subscribe", "i/+", 1, 8, {"subscription_identifier": [7]}],
        ["publish", "i/a", 0, 1, 1], ["take", "i/+", 1],
    )
    assert told[2][0][4]["subscription_identifier"] == "[7]"


# ---- what a broker does to us


@pytest.mark.parametrize("answer", [b"", b"\x20", b"HTTP/1.1 400 Bad Request\r\n", b"\xff" * 20,
                                    b"\x20\x02\0\x06", b"\x20\x02\x01\0", b"\x20\x7f", b"\0\0"])
def test_a_broker_that_answers_garbage_or_closes(device, answer):
    with Peer() as peer:
        device.ask("session", peer.port, None, {"reconnect": None}, [])
        peer.accept().expect(CONNECT)
        peer.send(answer)
        peer.close()
        (told,) = device.answer()["told"]
    assert told[0] in ("ConnectError", "ProtocolError", "Refused")


def test_a_broker_that_never_answers(device):
    with Peer() as peer:
        start = time.monotonic()
        device.ask("session", peer.port, None, {"reconnect": None, "timeout_s": 0.5}, [])
        peer.accept().expect(CONNECT)
        (told,) = device.answer()["told"]
    assert told[:2] == ["ConnectError", "connack"]
    assert time.monotonic() - start < 3


def test_a_broker_that_is_down_at_first_is_waited_for(device, start_mosquitto):
    broker = start_mosquitto()
    broker.stop()
    device.ask("session", broker.port, None, {}, [["publish", "t", 0, 3, 1]])
    time.sleep(0.3)
    broker.start()
    assert device.answer()["told"] == [0]


def test_a_closed_door_raises_at_once_and_a_passing_refusal_does_not(device):
    with Peer() as peer:
        device.ask("session", peer.port, None, {}, [["publish", "t", 0, 1, 1]])
        peer.accept().expect(CONNECT)
        peer.send(connack(3))  # unavailable: try again
        peer.accept().expect(CONNECT)
        peer.send(connack())
        peer.send(answer_to(peer.expect(PUBLISH)))
        assert device.answer()["told"] == [0]
        device.ask("session", peer.port, None, {}, [])
        peer.accept().expect(CONNECT)
        peer.send(connack(5))
        (told,) = device.answer()["told"]
    assert told[0] == "Refused" and told[3] == 5


def test_acknowledgements_that_are_held_hold_the_window(device, proxy):
    proxy.hold(PUBACK)
    device.ask("session", proxy.port, None, {"window": 4}, [["publish", "h", 0, 12, 1, 12]])
    proxy.wait_held(4, 5)
    time.sleep(0.1)
    assert len(proxy.packets(packet_type=PUBLISH)) == 4
    proxy.release()
    assert device.answer()["told"] == [0]
    assert len(proxy.packets(packet_type=PUBLISH)) == 12


def test_an_acknowledgement_that_never_comes_ends_the_connection_and_dup_is_set(device, proxy):
    proxy.hold(PUBACK)
    device.ask("session", proxy.port, None, {"timeout_s": 0.4, "clean": False},
               [["publish", "h", 0, 1, 1]])
    proxy.wait_for(lambda: proxy.connections >= 2, 5)
    proxy.release()
    assert device.answer()["told"] == [0]
    first, *again = proxy.packets(packet_type=PUBLISH)
    assert not first.dup and again and all(p.dup for p in again)
    assert {p.packet_id for p in again} == {first.packet_id}


def test_a_forged_acknowledgement_is_none(device, proxy):
    device.ask("session", proxy.port, None, {}, [["wait", 300], ["publish", "h", 0, 3, 1]])
    proxy.wait_for(lambda: proxy.live, 5)
    time.sleep(0.1)
    for packet in (b"\x40\x02\x12\x34", b"\x70\x02\x12\x34", b"\x90\x03\x12\x34\x01"):
        proxy.inject(packet, TO_CLIENT)
    result = device.answer()
    assert result["told"] == [None, 0] and result["connections"] == 1


def test_a_publish_that_is_refused_gets_a_decision(device, start_mosquitto, tmp_path):
    """5.0 says so in the acknowledgement: it is raised, and not tried again."""
    rules = tmp_path / "acl"
    rules.write_text("topic readwrite open/#\n")
    broker = start_mosquitto(extra=f"acl_file {rules}")
    told = act(device, broker.port, "5", ["publish", "closed", 0, 3, 1],
               ["publish", "open/x", 0, 3, 1], ["publish", "closed", 0, 2, 2])
    assert told == [3, 0, 2]


# ---- much, and slowly


def test_a_slow_reader_of_ours_is_waited_for(device, proxy):
    proxy.delay(100)
    start = time.monotonic()
    told = act(device, proxy.port, "3.1.1", ["publish", "s", 0, 64, 1, 16], window=16)
    assert told == [0]
    assert time.monotonic() - start < 0.2 * (64 / 16 + 4) + 2


def test_we_are_the_slow_reader(device, mosquitto):
    """An inbox that is full refuses QoS 0 and counts it; what is of QoS 1 waits at the broker."""
    result = device.call("session", mosquitto.port, None, {}, [
        ["subscribe", "s/0", 0, 4], ["publish", "s/0", 0, 20, 0], ["publish", "s/x", 0, 1, 1],
        ["wait", 50], ["take", "s/0", 4],
    ])
    assert [entry[1] for entry in result["told"][4]] == ["0", "1", "2", "3"]
    assert result["dropped"] == 16


@pytest.mark.parametrize("megabytes", [
    1, pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(300)]),
])
def test_megabytes_of_inbound_messages(device, mosquitto, megabytes, figure):
    count = megabytes * 2500
    device.ask("session", mosquitto.port, None, {"in_bytes": 600},
               [["subscribe", "m", 1, 64], ["swallow", "m", 400 * count]])
    time.sleep(0.3)
    with Chip("mqtt_client") as source:
        source.call("session", mosquitto.port, None, {"client_id": "source", "window": 16},
                    [["publish", "m", 100_000, count, 1, 16, 394]], deadline_s=200)
    result = device.answer(100)
    assert result["told"][1] >= 400 * count and not result["dropped"]
    figure(f"loop held, {megabytes} MB inbound, at most", result["held_us"] / 1000, "ms")
    assert result["held_us"] < HELD_MS * 1000


@pytest.mark.alone
@PROTOCOLS
@pytest.mark.parametrize("over_tls", [False, True])
def test_how_long_the_loop_is_held(
    device, start_mosquitto, certificates, figure, protocol, over_tls
):
    """By connections that are made again and again, and by a flood both ways."""
    ca, server = certificates.ca, certificates.server
    broker = start_mosquitto(tls=TlsFiles(ca.cert, server.cert, server.key, False))
    port, tls = (broker.tls_port, [str(ca.cert)]) if over_tls else (broker.port, None)
    options = {"protocol": protocol, "window": 16}
    result = device.call("session", port, tls, options, [
        *[["again"]] * 10, ["subscribe", "f", 1, 64], ["publish", "f", 0, 2000, 1, 16, 60],
        ["swallow", "f", 60 * 2000],
    ], deadline_s=40)
    assert result["connections"] == 11 and result["told"][11] == 0
    figure("loop held at most", result["held_us"] / 1000, "ms")
    if over_tls:
        figure("a step of the TLS handshake at most", result["handshake_us"] / 1000, "ms")
        assert result["handshake_us"]
    assert result["held_us"] < HELD_MS * 1000


def test_a_message_larger_than_our_memory_is_skipped(device, mosquitto):
    options = {"in_bytes": 200}
    device.ask("session", mosquitto.port, None, options,
               [["subscribe", "m", 1], ["wait", 400], ["take", "m", 1]])
    time.sleep(0.2)
    with Chip("mqtt_client") as source:
        large = {"client_id": "source", "out_bytes": 70_000}
        source.call("session", mosquitto.port, None, large, [
            ["publish", "m", 1, 1, 1, 1, 60_000], ["publish", "m", 2, 1, 1],
        ])
    result = device.answer()
    assert result["told"][2][0][1] == "2" and result["dropped"] == 1


@pytest.mark.soak
@pytest.mark.timeout(300)
@PROTOCOLS
def test_seventy_thousand_publishes_on_one_session(device, mosquitto, protocol):
    told = act(device, mosquitto.port, protocol, ["publish", "n", 0, 70_000, 1, 16], window=16,
               deadline_s=250)
    assert told == [0]


def test_what_cannot_be_published_is_said_before_it_is_sent(device, mosquitto):
    for arguments in (["a/+", 0, 1, 0], ["t", 0, 1, 1, 1, 5000]):
        result = act(device, mosquitto.port, "3.1.1", ["publish", *arguments])
        assert result[0][0] == "ValueError"


# ---- retained messages


@PROTOCOLS
def test_a_retained_message_is_set_and_cleared(device, mosquitto, receiver, protocol):
    act(device, mosquitto.port, protocol, ["publish", "r", 7, 1, 1, 1, 0, True])
    told = act(device, mosquitto.port, protocol, ["subscribe", "r", 1], ["take", "r", 1])
    assert told[1][0][:4] == ["r", "7", 1, 1]


def test_the_proxy_shows_that_a_message_is_one_segment(device, proxy):
    act(device, proxy.port, "3.1.1", ["publish", "one", 0, 10, 1])
    sizes = [len(segment.data) for segment in proxy.segments()]
    packets = [len(publish(b"one", b"%d" % n, 1, False, n + 1)) for n in range(10)]
    assert sizes[1:11] == packets


def test_an_unknown_protocol_is_refused(device, mosquitto):
    with pytest.raises(Raised, match="protocol is"):
        act(device, mosquitto.port, "4")
