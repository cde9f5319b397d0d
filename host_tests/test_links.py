"""What every MQTT link must do: one suite over all of them.

It follows the defects of umqtt.simple 1.8.0, each by its number, which no link may have; every
test runs over the link `mqtt`, and over `umqtt` with each umqtt.simple at hand.
"""

import json
import os
import time
from pathlib import Path

import pytest

from host_tests.chip import Chip
from host_tests.faults.mqtt_packets import CONNECT, DISCONNECT, PINGREQ, PUBACK, PUBLISH, PUBREC
from host_tests.packets import PINGRESP, puback, publish, suback
from host_tests.peer import Peer, answer_to
from petrel.runtime import umqtt_folders

DEVICE_ID = "gärtnerei-温室"
COMMANDS = f"devices/{DEVICE_ID}/commands".encode()
KEEPALIVE_S = 0.8  # of tests that wait for its end; a config allows no less than 1
LOST_MS = KEEPALIVE_S * 1500  # a half-open connection is found within 1.5 keepalives
COMMAND = publish(COMMANDS, b'{"id":1,"cmd":"ping"}', qos=1, packet_id=99)


LINKS = ["mqtt", *(f"umqtt {version}" for version in umqtt_folders())]


@pytest.fixture(scope="module")
def chips():
    """Chips that run already, by link."""
    running = {}
    yield running
    for chip in running.values():
        chip.__exit__()


class Linked:
    """A link on a device, and the broker that it talks to."""

    def __init__(self, name, chip, peer):
        self.name, self._chip, self.peer = name, chip, peer

    def make(self, *more, **options):
        self._chip.call("make", self.name, {"port": self.peer.port, **options}, DEVICE_ID, *more)

    def begin(self, *actions):
        """Let the device open the link and act; returns the connection's CONNECT, SUBSCRIBE and
        birth.
        """
        self.ask(*actions)
        return self.peer.welcome()

    def ask(self, *actions):
        self._chip.ask("session", actions)

    def end(self, deadline_s=15):
        """What became of the session: {"error", "done", "lasted_ms", "commands", "lookups"}."""
        return self._chip.answer(deadline_s)

    def open_files(self):
        return len(os.listdir(f"/proc/{self._chip.pid}/fd"))


@pytest.fixture(params=LINKS)
def linked(chips, request):
    name, _, umqtt = request.param.partition(" ")
    if request.param in chips and chips[request.param].busy:  # a test has failed half-way
        chips.pop(request.param).__exit__()
    if request.param not in chips:
        chips[request.param] = Chip("linking", umqtt=umqtt or None)
    with Peer() as peer:
        yield Linked(name, chips[request.param], peer)


def defect(*numbers):
    """Says which of the defects a test is about; test_every_defect_has_a_test counts them."""

    def mark(test):
        test.defects = numbers
        return test

    return mark


@defect(1)
def test_a_peer_that_falls_silent_after_a_message_is_found(linked):
    """wait_msg() makes the socket blocking for ever. Ours never sees a socket."""
    linked.make(keepalive_s=KEEPALIVE_S)
    linked.begin(["serve", 5000])
    linked.peer.send(COMMAND)
    linked.peer.expect(PUBACK)
    linked.peer.expect(PINGREQ)
    told = linked.end()
    assert told["error"][0] == "lost"
    assert "silent" in told["error"][1]
    assert told["lasted_ms"] < LOST_MS + 100


@defect(2)
def test_packet_ids_pass_the_wrap(linked):
    linked.make(1024, None, 65_533)
    _, subscribe, birth = linked.begin(*[["send", "data", f"{n}"] for n in range(4)])
    ids = [subscribe.packet_id, birth.packet_id]
    for n in range(4):
        packet = linked.peer.expect(PUBLISH)
        assert packet.payload == b"%d" % n
        ids.append(packet.packet_id)
        linked.peer.send(answer_to(packet))
    assert ids == [65_533, 65_534, 65_535, 1, 2, 3]
    told = linked.end()
    assert (told["error"], told["done"]) == (None, 4)


@defect(3)
def test_an_acknowledgement_that_does_not_come_ends_the_wait(linked):
    linked.make(timeout_s=0.4)
    linked.begin(["send", "data", "{}"])
    linked.peer.expect(PUBLISH)
    told = linked.end()
    assert told["error"] == ["ack", "ack: no acknowledgement within 400 ms", True]
    assert 400 <= told["lasted_ms"] < 800


@defect(3)
def test_a_command_before_the_acknowledgement_does_not_swallow_it(linked):
    linked.make(timeout_s=2)
    linked.begin(["send", "data", "{}"], ["send", "data", "[]"])
    packet = linked.peer.expect(PUBLISH)
    linked.peer.send(COMMAND + COMMAND)
    assert linked.peer.expect(PUBACK).packet_id == 99
    assert linked.peer.expect(PUBACK).packet_id == 99
    linked.peer.send(answer_to(packet) + COMMAND)
    rest = [linked.peer.next(), linked.peer.next()]
    assert sorted(packet.type for packet in rest) == [PUBLISH, PUBACK]
    linked.peer.send(b"".join(map(answer_to, rest)))
    told = linked.end()
    assert (told["error"], told["done"]) == (None, 2)
    assert len(told["commands"]) == 3


@defect(4)
def test_late_acknowledgements_do_not_confuse_the_stream(linked):
    linked.make()
    _, subscribe, birth = linked.begin(["send", "data", "{}"], ["serve", 300])
    packet = linked.peer.expect(PUBLISH)
    late = puback(birth.packet_id) + suback(subscribe.packet_id)
    linked.peer.send(late + COMMAND + late + answer_to(packet) + answer_to(packet) + COMMAND)
    told = linked.end()
    assert told["error"] is None
    assert told["commands"] == [['{"id":1,"cmd":"ping"}', None]] * 2


@defect(5)
@pytest.mark.parametrize("cut", [1, 2, 5, len(COMMAND) - 1])
@pytest.mark.parametrize("rst", [False, True], ids=["FIN", "RST"])
def test_an_end_inside_a_packet_is_a_lost_link(linked, cut, rst):
    linked.make()
    linked.begin(["serve", 5000])
    linked.peer.send(COMMAND[:cut])
    linked.peer.close(rst)
    told = linked.end()
    assert told["error"][0] == "lost"
    assert told["error"][2] is True
    assert told["commands"] == []


@defect(5)
@pytest.mark.parametrize("bad", ["4003000100", "4000", "9000", "2000", "f000"])
def test_an_acknowledgement_of_a_wrong_form_is_a_lost_link(linked, bad):
    linked.make()
    linked.begin(["send", "data", "{}"])
    linked.peer.expect(PUBLISH)
    linked.peer.send(bytes.fromhex(bad))
    told = linked.end()
    assert told["error"][0] == "protocol"
    assert linked.peer.next() is None, "the connection is closed after a packet like that"


@defect(5)
@pytest.mark.parametrize(
    "answer, stage",
    [("", "connack"), ("20", "connack"), ("200200", "connack"), ("1503030002", "protocol")],
)
def test_a_handshake_that_ends_is_a_failed_open(linked, answer, stage):
    linked.make()
    linked.ask()
    linked.peer.accept().expect(CONNECT)
    linked.peer.send(bytes.fromhex(answer))
    linked.peer.close()
    told = linked.end()
    assert told["error"][0] == stage
    assert told["lasted_ms"] < 1000


@defect(6)
def test_a_packet_that_pauses_is_not_lost(linked):
    """Time-outs inside of a packet are no reason to forget what has come of it."""
    linked.make(keepalive_s=KEEPALIVE_S, timeout_s=KEEPALIVE_S)
    linked.begin(["serve", 5000])
    for start in range(0, len(COMMAND), 15):
        linked.peer.send(COMMAND[start : start + 15])
        time.sleep(0.1)
    linked.peer.send(PINGRESP)
    linked.peer.close()
    assert linked.end()["commands"] == [['{"id":1,"cmd":"ping"}', None]]


@defect(7)
def test_the_keepalive_is_kept_by_itself(linked):
    linked.make(keepalive_s=1)
    connect, *_ = linked.begin(["serve", 1200])
    assert connect.payload[8:10] == b"\x00\x01"
    for _ in range(2):
        linked.peer.expect(PINGREQ)
        linked.peer.send(PINGRESP)
    assert linked.end()["error"] is None


@defect(7)
def test_a_ping_without_an_answer_is_a_lost_link(linked):
    linked.make(keepalive_s=KEEPALIVE_S)
    linked.begin(["serve", 5000])
    linked.peer.expect(PINGREQ)
    assert linked.peer.next() is None
    told = linked.end()
    assert told["error"][0] == "lost"
    assert KEEPALIVE_S * 1240 <= told["lasted_ms"] <= LOST_MS


@defect(8)
def test_a_goodbye_to_nobody_is_no_error(linked):
    linked.make(timeout_s=0.4)
    linked.begin(["close", "stopped"])
    farewell = linked.peer.expect(PUBLISH)
    assert json.loads(farewell.payload) == {"status": "offline", "reason": "stopped"}
    linked.peer.close(rst=True)
    told = linked.end()
    assert told["error"] is None or told["error"][0] in ("lost", "ack")
    linked.begin(["serve", 10])
    assert linked.end()["error"] is None


@defect(8)
def test_a_goodbye_is_said_and_bounded(linked):
    linked.make(timeout_s=0.4)
    linked.begin(["close", "stopped"])
    linked.peer.expect(PUBLISH)
    told = linked.end()
    assert told["lasted_ms"] < 800
    linked.begin(["close", "stopped"])
    linked.peer.send(answer_to(linked.peer.expect(PUBLISH)))
    linked.peer.expect(DISCONNECT)
    assert linked.end()["error"] is None


@defect(8)
def test_no_socket_leaks(linked):
    linked.make()
    linked.begin(["serve", 1])
    linked.end()
    before = linked.open_files()
    for n in range(12):
        if n % 2:
            linked.begin(["serve", 1])
            linked.end()
        else:
            linked.ask()
            linked.peer.accept().close(rst=True)
            linked.end()
    assert linked.open_files() <= before


@defect(9)
def test_a_name_is_looked_up_once(linked):
    linked.make(host="localhost")
    for _ in range(4):
        linked.begin(["serve", 1])
        assert linked.end()["lookups"] == 1


@defect(10)
def test_names_that_are_not_ascii_arrive_whole(linked):
    linked.make(username="grün", password="geheim-ß")
    connect, subscribe, birth = linked.begin(["send", "data", '{"wärme":1}'])
    name = DEVICE_ID.encode()
    assert len(name).to_bytes(2, "big") + name in connect.payload
    assert "grün".encode() in connect.payload and "geheim-ß".encode() in connect.payload
    assert subscribe.payload == len(COMMANDS).to_bytes(2, "big") + COMMANDS + b"\x01"
    assert birth.topic == f"devices/{DEVICE_ID}/status"
    data = linked.peer.expect(PUBLISH)
    assert (data.topic, data.payload) == (f"devices/{DEVICE_ID}/data", '{"wärme":1}'.encode())
    linked.peer.send(answer_to(data))
    linked.peer.send(publish(COMMANDS, '{"cmd":"ü"}'.encode()))
    linked.end()


@defect(11)
def test_a_publish_leaves_in_one_piece(linked):
    """Small writes meet the peer's delayed acknowledgement: 40 ms for every publish."""
    linked.make()
    payload = "x" * 1000
    linked.begin(*[["send", "data", payload]] * 20)
    linked.peer.pieces.clear()
    for _ in range(20):
        linked.peer.send(answer_to(linked.peer.expect(PUBLISH)))
    told = linked.end()
    assert told["done"] == 20
    assert len(linked.peer.pieces) == 20
    assert told["lasted_ms"] < 700


@defect(12)
def test_a_message_of_100_kilobytes_is_skipped_and_reported(linked):
    linked.make()
    linked.begin(["send", "data", "{}"], ["serve", 200])
    packet = linked.peer.expect(PUBLISH)
    huge = publish(COMMANDS, bytes(100_000), qos=1, packet_id=5)
    linked.peer.send(huge + COMMAND + answer_to(packet))
    assert linked.peer.expect(PUBACK).packet_id == 5
    assert linked.peer.expect(PUBACK).packet_id == 99
    told = linked.end()
    assert (told["error"], told["done"]) == (None, 2)
    (nothing, problem), (command, fine) = told["commands"]
    assert (nothing, fine) == (None, None)
    assert f"{len(huge)} bytes; at most" in problem
    assert command == '{"id":1,"cmd":"ping"}'


@defect(13)
def test_a_publish_of_qos_2_is_heard_once_or_refused_before_anybody_hears_of_it(linked):
    linked.make()
    linked.begin(["serve", 500])
    linked.peer.send(publish(COMMANDS, b'{"cmd":"reboot"}', qos=2, packet_id=5) * 2)
    if linked.name == "mqtt":
        assert [linked.peer.next().type for _ in range(2)] == [PUBREC, PUBREC]
    told = linked.end()
    if linked.name == "mqtt":
        assert told["error"] is None
        assert told["commands"] == [['{"cmd":"reboot"}', None]]
    else:
        assert told["error"][0] == "protocol"
        assert told["commands"] == []


@defect(14)
@pytest.mark.parametrize("server", ["server", "expired", "wrong_name", "not_yet_valid",
                                    "self_signed"])
def test_a_peer_that_can_not_prove_itself_hears_nothing(chips, linked, certificates, server):
    """Not even who we are; and the right one does."""
    trusted = certificates.wrong_ca if server == "server" else certificates.ca
    with Peer(getattr(certificates, server)) as peer:
        linked.peer = peer
        linked.make(tls={"ca": str(trusted.cert)})
        linked.ask()
        heard = heard_over_tls(peer)
        told = linked.end()
    assert heard == []
    assert told["error"][0] == "tls"
    assert told["error"][2] is False, "only a change can mend it"


@defect(14)
def test_a_peer_that_proves_itself_is_spoken_to(linked, certificates):
    with Peer(certificates.server) as peer:
        linked.peer = peer
        linked.make(tls={"ca": str(certificates.ca.cert)})
        linked.begin(["send", "data", "{}"])
        peer.send(answer_to(peer.expect(PUBLISH)))
        assert linked.end()["error"] is None


def test_without_the_time_nobody_can_prove_himself(linked, certificates):
    linked.make(1024, None, 1, False, tls={"ca": str(certificates.ca.cert)})
    linked.ask()
    error = linked.end()["error"]
    assert error[0] == "clock" and error[2] is True, "the time may come"


def heard_over_tls(peer):
    """The packets that get through the handshake."""
    try:
        return peer.accept().rest()
    except OSError:  # ssl.SSLError is one: the device ended the handshake
        return []


@defect(15)
def test_a_callback_that_raises_is_reported_and_kills_nothing(linked):
    """Not the acknowledgement, or the command would come again, and not the link."""
    linked.make(1024, "a bug in a command")
    linked.begin(["serve", 300], ["send", "data", "{}"])
    linked.peer.send(COMMAND + COMMAND)
    assert linked.peer.expect(PUBACK).packet_id == 99
    assert linked.peer.expect(PUBACK).packet_id == 99
    linked.peer.send(answer_to(linked.peer.expect(PUBLISH)))
    told = linked.end()
    assert (told["error"], told["done"]) == (None, 2)


def test_every_defect_has_a_test():
    tests = [value for name, value in globals().items() if name.startswith("test_")]
    covered = {number for test in tests for number in getattr(test, "defects", ())}
    assert covered == set(range(1, 16))


def test_the_link_never_gives_umqtt_a_socket():
    """What 1, 6 and 8 come from: no module of ours but lib/tcp.py has one to give."""
    root = Path(__file__).parent.parent
    for path in (root / "lib/umqtt_engine.py", root / "firmware/links/umqtt.py"):
        assert "import socket" not in path.read_text()
