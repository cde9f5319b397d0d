"""Does each fault injector do what it says, before a real Mosquitto and to the byte?"""

import contextlib
import itertools
import random
import socket
import struct
import sys
import threading
import time

import paho.mqtt.client as paho
import pytest

from host_tests.faults import mqtt_packets
from host_tests.faults.mqtt_packets import CONNECT, DISCONNECT, PINGRESP, PUBACK, PUBLISH
from host_tests.faults.tcp import TO_CLIENT, TO_SERVER, FaultProxy

SOON_S = 5  # what is to happen happens well within it
SILENCE_S = 0.3  # what is not to happen was given this long
PINGREQ, PINGRESP_BYTES, CONNACK_BYTES = b"\xc0\0", b"\xd0\0", b"\x20\x02\0\0"


class Client:
    """A bare socket that speaks MQTT by hand, so that every byte is the test's own."""

    names = itertools.count(1)

    def __init__(self, port, connect=True):
        self.sock = socket.create_connection(("127.0.0.1", port), SOON_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if connect:
            self.send(connect_packet(f"by-hand-{next(self.names)}"))
            assert self.read(4) == CONNACK_BYTES

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def read(self, n):
        """Exactly `n` bytes, fewer only at the end of the connection."""
        data = b""
        while len(data) < n and (more := self.sock.recv(n - len(data))):
            data += more
        return data

    def ended(self):
        """Did the other side say FIN, with nothing before it?"""
        return self.sock.recv(1) == b""

    def hears_nothing(self):
        self.sock.settimeout(SILENCE_S)
        try:
            self.sock.recv(1)
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(SOON_S)
        return False


class Sink(threading.Thread):
    """A server that keeps what it is sent, for faults that are counted in bytes."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.data, self.times, self.error, self.segments = b"", [], None, 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.join(SOON_S)
        assert not self.is_alive()

    def run(self):
        with self.listener.accept()[0] as sock:
            try:
                while more := sock.recv(65536):
                    self.data += more
                    self.times.append(time.monotonic())
                    if sys.platform == "linux":
                        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                        self.segments = struct.unpack_from("I", info, 152)[0]
            except OSError as error:
                self.error = error


@pytest.fixture
def sink():
    with Sink() as sink:
        yield sink


@pytest.fixture
def sink_proxy(sink):
    with FaultProxy(sink.port) as proxy:
        yield proxy


def connect_packet(client_id, will=None):
    """A clean session without keepalive; `will` is (topic, payload)."""
    fields = [client_id, *(will or ())]
    strings = b"".join(struct.pack(">H", len(f)) + f.encode() for f in fields)
    flags = 6 if will else 2
    return packet(0x10, b"\0\x04MQTT\x04" + bytes([flags]) + b"\0\0" + strings)


def publish_packet(packet_id, payload=b"25.5", topic=b"devices/d1/data", qos=1):
    ident = struct.pack(">H", packet_id) if qos else b""
    return packet(0x30 | qos << 1, struct.pack(">H", len(topic)) + topic + ident + payload)


def packet(first, body):
    length, header = len(body), bytearray([first])
    while True:
        length, byte = length >> 7, length & 127
        header.append(byte | (128 if length else 0))
        if not length:
            return bytes(header) + body


def puback(packet_id):
    return b"\x40\x02" + struct.pack(">H", packet_id)


def payloads(receiver):
    return [message.payload for message in receiver.messages()]


def heard(receiver, *expected):
    receiver.wait_for(lambda: len(payloads(receiver)) >= len(expected), SOON_S, "the messages")
    return payloads(receiver) == list(expected)


# ---- without a fault


def test_paho_does_not_notice_the_proxy(proxy, receiver):
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="ordinary")
    client.connect("127.0.0.1", proxy.port)
    client.loop_start()
    client.publish("devices/d1/data", b"x" * 300, qos=1).wait_for_publish(SOON_S)
    client.disconnect()
    client.loop_stop()
    assert heard(receiver, b"x" * 300)
    proxy.wait_for(lambda: not proxy.live, SOON_S)
    assert proxy.connections == len(proxy.connect_times) == 1
    assert [p.type for p in proxy.packets(TO_SERVER)] == [CONNECT, PUBLISH, DISCONNECT]
    published = proxy.packets(TO_SERVER, PUBLISH)[0]
    assert (published.topic, published.qos, published.dup) == ("devices/d1/data", 1, False)
    assert published.payload_length == 300
    acks = proxy.delivered(TO_CLIENT, PUBACK)
    assert [ack.packet_id for ack in acks] == [published.packet_id]


def test_a_connection_ends_with_its_broker_and_waits_for_none(mosquitto, proxy):
    with Client(proxy.port) as client:
        mosquitto.kill()
        assert client.ended()
    with Client(proxy.port, connect=False) as client:
        assert client.ended()
    mosquitto.start()
    Client(proxy.port).sock.close()
    assert proxy.connections == 3


# ---- who gets a connection


def test_refuse(proxy):
    with Client(proxy.port) as before:
        proxy.refuse()
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                Client(proxy.port)
        before.send(PINGREQ)
        assert before.read(2) == PINGRESP_BYTES
    proxy.accept()
    with Client(proxy.port):
        assert proxy.connections == 2


def test_nobody_else_gets_the_port_of_a_refusing_proxy(mosquitto):
    with FaultProxy(mosquitto.port) as proxy, socket.socket() as thief:
        proxy.refuse()
        with pytest.raises(OSError, match="in use"):
            thief.bind(("127.0.0.1", proxy.port))
        proxy.close()
        thief.bind(("127.0.0.1", proxy.port))


def test_black_hole(mosquitto, proxy):
    proxy.black_hole()
    with Client(proxy.port, connect=False) as client:
        client.send(connect_packet("lost"))
        assert client.hears_nothing()
        assert [p.type for p in proxy.packets(TO_SERVER)] == [CONNECT]
        assert proxy.delivered(TO_SERVER) == []
        assert (proxy.connections, proxy.live) == (1, 1)
        proxy.accept()
        assert client.hears_nothing()
        Client(proxy.port).sock.close()
    proxy.wait_for(lambda: not proxy.live, SOON_S)
    assert "lost" not in mosquitto.log.read_text()


def test_silence(proxy):
    proxy.silence()
    for _ in range(2):
        with pytest.raises(TimeoutError), socket.socket() as sock:
            sock.settimeout(SILENCE_S)
            sock.connect(("127.0.0.1", proxy.port))
    proxy.accept()
    with Client(proxy.port):
        assert proxy.connections == 1


# ---- half-open


def test_freeze_swallows_everything_on_existing_connections(proxy, receiver):
    with Client(proxy.port) as client, Client(proxy.port) as other:
        proxy.freeze()
        client.send(publish_packet(1, b"swallowed"))
        other.send(PINGREQ)
        assert client.hears_nothing()
        assert other.hears_nothing()
        with Client(proxy.port) as later:
            later.send(publish_packet(1, b"later") + PINGREQ)
            assert later.read(6) == puback(1) + PINGRESP_BYTES
        proxy.thaw()
        client.send(publish_packet(2, b"after"))
        assert client.read(4) == puback(2)
    assert heard(receiver, b"later", b"after")


def test_freeze_one_way(proxy, receiver):
    with Client(proxy.port) as client:
        proxy.freeze(TO_CLIENT)
        client.send(publish_packet(1, b"one way"))
        assert heard(receiver, b"one way")
        assert client.hears_nothing()
        assert [p.packet_id for p in proxy.packets(TO_CLIENT, PUBACK)] == [1]
        assert proxy.delivered(TO_CLIENT, PUBACK) == []


def test_the_close_of_a_frozen_connection_is_no_news_to_the_broker(proxy, receiver):
    will = ("devices/d1/status", "gone")
    with Client(proxy.port, connect=False) as client:
        client.send(connect_packet("frozen", will))
        assert client.read(4) == CONNACK_BYTES
        proxy.freeze()
    time.sleep(SILENCE_S)
    assert (proxy.live, receiver.messages()) == (1, [])
    proxy.drop_connections()
    assert proxy.live == 0
    assert heard(receiver, b"gone")


def test_a_thawed_connection_ends_if_its_client_went_away(proxy):
    with Client(proxy.port):
        proxy.freeze()
    time.sleep(SILENCE_S)
    assert proxy.live == 1
    proxy.thaw()
    proxy.wait_for(lambda: not proxy.live, SOON_S)


# ---- ends


@pytest.mark.parametrize("rst", [False, True])
def test_drop_connections(proxy, rst):
    with Client(proxy.port) as client:
        proxy.drop_connections(rst=rst)
        assert proxy.live == 0
        if rst:
            with pytest.raises(ConnectionResetError):
                client.sock.recv(1)
        else:
            assert client.ended()


@pytest.mark.parametrize("rst", [False, True])
@pytest.mark.parametrize("n_bytes", [1, 2, 17])
def test_cut_to_the_server_is_exact(sink, sink_proxy, n_bytes, rst):
    with Client(sink_proxy.port, connect=False) as client:
        client.send(b"before")
        sink_proxy.wait_for(lambda: sink.data == b"before", SOON_S)
        sink_proxy.cut_after(n_bytes, TO_SERVER, rst=rst)
        client.send(publish_packet(1))
        sink_proxy.wait_for(lambda: not sink_proxy.live, SOON_S)
        with pytest.raises(ConnectionResetError) if rst else contextlib.nullcontext():
            assert client.ended()
    sink.join(SOON_S)
    assert sink.data == b"before" + publish_packet(1)[:n_bytes]
    assert isinstance(sink.error, ConnectionResetError) == rst


def test_cut_to_the_client_leaves_it_with_half_a_puback(proxy, receiver):
    with Client(proxy.port) as client:
        proxy.cut_after(3, TO_CLIENT)
        client.send(publish_packet(1))
        assert client.read(10) == puback(1)[:3]
        assert proxy.delivered(TO_CLIENT, PUBACK) == []
        assert heard(receiver, b"25.5")
        with Client(proxy.port) as later:
            later.send(publish_packet(2))
            assert later.read(4) == puback(2)


def test_cut_of_the_next_connection_counts_from_its_start(proxy):
    with Client(proxy.port) as now:
        proxy.cut_after(3, TO_CLIENT, next_connection=True)
        with Client(proxy.port, connect=False) as cut:
            cut.send(connect_packet("cut"))
            assert cut.read(10) == CONNACK_BYTES[:3]
        now.send(PINGREQ)
        assert now.read(2) == PINGRESP_BYTES
    with Client(proxy.port):
        pass


def test_cut_after_nothing_closes_at_once(proxy):
    with Client(proxy.port) as client:
        proxy.cut_after(0, TO_SERVER)
        assert client.ended()
    proxy.wait_for(lambda: not proxy.live, SOON_S)
    proxy.cut_after(0, TO_SERVER)
    with Client(proxy.port, connect=False) as client:
        assert client.ended()


# ---- slow


def test_byte_at_a_time_makes_a_segment_of_each_byte(sink, sink_proxy):
    data = publish_packet(1, b"x" * 60)
    sink_proxy.byte_at_a_time(TO_SERVER)
    with Client(sink_proxy.port, connect=False) as client:
        client.send(data)
    sink.join(SOON_S)
    assert sink.data == data
    assert sys.platform != "linux" or sink.segments == len(data)


def test_mosquitto_takes_single_bytes_until_it_ends(proxy, receiver):
    proxy.byte_at_a_time()
    with Client(proxy.port) as client:
        client.send(publish_packet(1, b"slow"))
        assert client.read(4) == puback(1)
        proxy.byte_at_a_time(gap_s=0)
        client.send(publish_packet(2, b"fast" * 5000))
        assert client.read(4) == puback(2)
    assert heard(receiver, b"slow", b"fast" * 5000)


def test_delay_is_latency_and_no_loss_of_throughput(proxy):
    with Client(proxy.port) as client:
        proxy.delay(150, TO_SERVER)
        proxy.delay(50, TO_CLIENT)
        started = time.monotonic()
        for n in range(1, 21):
            client.send(publish_packet(n))
            time.sleep(0.005)
        assert client.read(80) == b"".join(puback(n) for n in range(1, 21))
        assert 0.2 + 19 * 0.005 <= time.monotonic() - started < 0.8
        proxy.delay(0)
        started = time.monotonic()
        client.send(PINGREQ)
        assert client.read(2) == PINGRESP_BYTES
        assert time.monotonic() - started < 0.15


# ---- held packets


def test_hold_keeps_one_type_and_lets_the_rest_flow(proxy, receiver):
    with Client(proxy.port) as client:
        proxy.hold(PUBACK)
        proxy.hold(PUBLISH)  # those to the client: the other way they flow
        for n in (1, 2, 3):
            client.send(publish_packet(n))
        assert [p.packet_id for p in proxy.wait_held(3, SOON_S)] == [1, 2, 3]
        assert heard(receiver, *[b"25.5"] * 3)
        assert proxy.delivered(TO_CLIENT, PUBACK) == []
        client.send(PINGREQ)
        assert client.read(2) == PINGRESP_BYTES
        assert proxy.release(1) == 1
        assert client.read(4) == puback(1)
        assert client.hears_nothing()
        assert (proxy.released, len(proxy.held)) == (1, 2)
        proxy.release()
        assert client.read(8) == puback(2) + puback(3)
        client.send(publish_packet(4))
        assert client.read(4) == puback(4)
        assert [p.packet_id for p in proxy.delivered(TO_CLIENT, PUBACK)] == [1, 2, 3, 4]


def test_hold_to_the_server(proxy, receiver):
    with Client(proxy.port) as client:
        proxy.hold(PUBLISH, TO_SERVER)
        client.send(publish_packet(1, b"held", qos=0)[:7])
        client.send(publish_packet(1, b"held", qos=0)[7:] + PINGREQ)
        assert client.read(2) == PINGRESP_BYTES
        assert [p.payload for p in proxy.held] == [b"held"]
        assert receiver.messages() == []
        proxy.release()
        assert heard(receiver, b"held")


def test_a_hold_may_end_while_its_packet_is_on_the_way(proxy, receiver):
    with Client(proxy.port) as client:
        proxy.hold(PUBLISH, TO_SERVER)
        client.send(publish_packet(1, b"in two parts")[:9])
        proxy.wait_for(lambda: len(proxy.segments()) == 2, SOON_S)
        proxy.release()
        client.send(publish_packet(1, b"in two parts")[9:])
        assert client.read(4) == puback(1)


def test_dropped_packets_never_come(proxy):
    with Client(proxy.port) as client:
        proxy.hold(PUBACK)
        client.send(publish_packet(1))
        proxy.wait_held(1, SOON_S)
        assert proxy.drop_held() == 1
        client.send(publish_packet(2))
        proxy.wait_held(1, SOON_S)
        proxy.release()
        assert client.read(4) == puback(2)


def test_held_packets_go_with_their_connection(proxy):
    with Client(proxy.port) as client:
        proxy.hold(PINGRESP)
        client.send(PINGREQ)
        proxy.wait_held(1, SOON_S)
        proxy.drop_connections()
    assert proxy.held == []
    with Client(proxy.port) as client:
        client.send(PINGREQ)
        proxy.wait_held(1, SOON_S)
        proxy.release()
        assert client.read(2) == PINGRESP_BYTES


# ---- foreign packets


def test_inject(proxy, receiver):
    foreign = publish_packet(0, b"from nowhere", qos=0)
    with Client(proxy.port) as client:
        proxy.inject(foreign, TO_CLIENT)
        assert client.read(len(foreign)) == foreign
        assert proxy.packets(TO_CLIENT, PUBLISH) == []
        proxy.inject(publish_packet(9, b"smuggled"), TO_SERVER)
        assert client.read(4) == puback(9)
    assert heard(receiver, b"smuggled")


def test_inject_waits_for_the_end_of_the_packet_under_way(proxy, receiver):
    with Client(proxy.port) as client:
        client.send(publish_packet(1, b"whole")[:8])
        proxy.wait_for(lambda: len(proxy.segments()) == 2, SOON_S)
        proxy.inject(publish_packet(2, b"injected"), TO_SERVER)
        client.send(publish_packet(1, b"whole")[8:])
        assert client.read(8) == puback(1) + puback(2)
    assert heard(receiver, b"whole", b"injected")


# ---- observation


def test_wire_segments_tell_small_writes_from_one(sink, sink_proxy):
    if sys.platform != "linux":
        pytest.skip("only Linux counts a connection's segments")
    with Client(sink_proxy.port, connect=False) as client:
        for byte in b"seven w":
            client.send(bytes([byte]))
        sink_proxy.wait_for(lambda: len(sink.data) == 7, SOON_S)
        assert sink_proxy.wire_segments() == 7
        client.send(publish_packet(1, b"x" * 900))
        sink_proxy.wait_for(lambda: len(sink.data) > 900, SOON_S)
        assert sink_proxy.wire_segments() == 8
        assert b"".join(s.data for s in sink_proxy.segments()) == sink.data
    sink_proxy.wait_for(lambda: not sink_proxy.live, SOON_S)
    assert sink_proxy.wire_segments() is None


def test_wait_for_says_what_was_seen_and_may_give_commands(proxy):
    with Client(proxy.port):
        assert proxy.wait_for(lambda: proxy.wire_segments() != 0, SOON_S)
        started = time.monotonic()
        with pytest.raises(TimeoutError, match=r"2 held packets: not within 0.2 s.*1 connections"):
            proxy.wait_held(2, 0.2)
        assert time.monotonic() - started < 1
    proxy.forget()
    assert proxy.segments() == proxy.packets() == []


def test_a_wrong_direction_is_refused(proxy):
    for command in (proxy.freeze, proxy.delay, proxy.byte_at_a_time):
        with pytest.raises(ValueError, match="'up'"):
            command(1, "up") if command == proxy.delay else command("up")
    with pytest.raises(ValueError, match="'up'"):
        proxy.cut_after(1, "up")
    with pytest.raises(ValueError, match="no connection"):
        proxy.inject(b"", TO_CLIENT)


def test_close_is_quick_whatever_goes_on_and_leaves_nothing(mosquitto):
    before = set(threading.enumerate())
    proxy = FaultProxy(mosquitto.port).start()
    with Client(proxy.port) as held, Client(proxy.port) as frozen:
        proxy.freeze()
        with Client(proxy.port) as slow:
            proxy.hold(PUBACK)
            slow.send(publish_packet(1))
            proxy.wait_held(1, SOON_S)
            proxy.delay(60000)
            proxy.byte_at_a_time(gap_s=1)
            slow.send(publish_packet(2))
            proxy.silence()
            started = time.monotonic()
            proxy.close()
            proxy.close()
            assert time.monotonic() - started < 1
            assert slow.ended() and held.ended() and frozen.ended()
    assert set(threading.enumerate()) == before
    with pytest.raises(ConnectionRefusedError):
        Client(proxy.port)
    FaultProxy(mosquitto.port).close()  # one that was never started


def test_a_defect_of_the_proxy_fails_the_test(mosquitto, monkeypatch):
    def broken(*_):
        raise ArithmeticError("a bug")

    monkeypatch.setattr(mqtt_packets, "parse", broken)
    proxy = FaultProxy(mosquitto.port).start()
    with Client(proxy.port, connect=False) as client:
        client.send(connect_packet("x"))
        assert client.ended()
    with pytest.raises(ArithmeticError):
        proxy.close()


# ---- packet borders

STREAM = [
    connect_packet("d1"),
    publish_packet(513, b"x" * 200),
    publish_packet(0, b"", qos=0),
    PINGREQ,
    publish_packet(2, b"y" * 20000),
    b"\x82\x06\x00\x0a\x00\x01a\x01",
    b"\xe0\x00",
]


def split(chunks):
    splitter = mqtt_packets.Splitter(CONNECT)
    return [f for chunk in chunks for f in splitter.feed(chunk)]


def test_packets_are_found_however_the_bytes_arrive(seed):
    stream, rng = b"".join(STREAM), random.Random(seed)
    cuts = sorted(rng.sample(range(len(stream)), 50))
    pieces = [stream[a:b] for a, b in itertools.pairwise([0, *cuts, len(stream)])]
    for chunks in ([stream], [bytes([b]) for b in stream], pieces):
        fragments = split(chunks)
        assert b"".join(f.data for f in fragments) == stream
        assert [f.whole for f in fragments if f.whole] == STREAM
    parsed = [mqtt_packets.parse(raw) for raw in STREAM]
    assert [p.type for p in parsed] == [1, 3, 3, 12, 3, 8, 14]
    assert [p.packet_id for p in parsed] == [None, 513, None, None, 2, 10, None]
    assert [p.payload_length for p in parsed if p.type == PUBLISH] == [200, 0, 20000]


@pytest.mark.parametrize(
    ("packets", "rubbish"),
    [
        (0, b"\x16\x03\x01\x02\x00\x01" + b"h" * 50),  # a TLS ClientHello
        (0, PINGREQ),  # 3.1: a client begins with CONNECT
        (0, b"\x10\xff\xff\xff\xff\xff" + b"x" * 50),  # 2.2.3: no more than four bytes of length
        (1, b"\x00\x00" + b"x" * 50),  # 2.2.1: type 0 is forbidden
        (1, b"\xf0\x00" + PINGREQ),
    ],
)
def test_what_is_no_mqtt_passes_through_unchanged(packets, rubbish):
    before = [connect_packet("d1")] * packets
    stream = b"".join(before) + rubbish
    for chunks in ([stream], [bytes([b]) for b in stream]):
        fragments = split(chunks)
        assert b"".join(f.data for f in fragments) == stream
        assert [f.whole for f in fragments if f.whole] == before
        assert fragments[-1].type is None


def test_short_and_broken_packets_are_parsed_as_far_as_they_go():
    for raw in (
        b"\x32\x00",
        b"\x32\x01\x00",
        b"\x32\x02\xff\xff",
        b"\x40\x00",
        b"\x30\x03\0\x01\xff",
    ):
        assert mqtt_packets.parse(raw).raw == raw
