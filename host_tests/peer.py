"""A broker of the test's own: it answers what the test tells it to, packet by packet."""

import socket
import ssl

from host_tests.faults import mqtt_packets
from host_tests.faults.mqtt_packets import CONNACK, CONNECT, PUBACK, PUBLISH, SUBACK, SUBSCRIBE

_DEADLINE_S = 10


class Peer:
    """Listens on a free port; `accept` waits for the device, the rest is about that connection."""

    def __init__(self, tls=None):
        """tls: the harness's Identity of a server certificate."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_DEADLINE_S)
        self.port = self._listener.getsockname()[1]
        self._tls = tls
        self._connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        self._listener.close()

    def accept(self):
        self.close()
        self._connection, _ = self._listener.accept()
        self._connection.settimeout(_DEADLINE_S)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._tls.cert, self._tls.key)
            self._connection = context.wrap_socket(self._connection, server_side=True)
        self._splitter = mqtt_packets.Splitter(CONNECT)
        self._packets = []
        self.pieces = []  # what each recv() gave
        return self

    def welcome(self):
        """Accept, answer up to the birth and return the Packets (CONNECT, SUBSCRIBE, birth)."""
        self.accept()
        connect = self.expect(CONNECT)
        self.send(answer_to(connect))
        subscribe = self.expect(SUBSCRIBE)
        self.send(answer_to(subscribe))
        birth = self.expect(PUBLISH)
        self.send(answer_to(birth))
        return connect, subscribe, birth

    def expect(self, kind):
        """The next packet, which must be of this type."""
        packet = self.next()
        assert packet is not None, f"the device ended the connection in place of packet {kind}"
        assert packet.type == kind, f"packet {packet.type} in place of {kind}: {packet.raw}"
        return packet

    def next(self):
        """The next packet, None at the end of the connection."""
        while not self._packets:
            data = self._connection.recv(65536)
            if not data:
                return None
            self.pieces.append(data)
            for fragment in self._splitter.feed(data):
                assert fragment.type is not None, f"no MQTT: {data}"
                if fragment.whole:
                    self._packets.append(mqtt_packets.parse(fragment.whole))
        return self._packets.pop(0)

    def rest(self):
        """The packets until the device ends the connection."""
        return list(iter(self.next, None))

    def send(self, data):
        self._connection.sendall(data)

    def close(self, rst=False):
        if self._connection is None:
            return
        if rst:
            linger = b"\x01\0\0\0\0\0\0\0"  # on, 0 s
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._connection.close()
        self._connection = None


def answer_to(packet):
    """What a broker that is content answers; nothing to most."""
    packet_id = (packet.packet_id or 0).to_bytes(2, "big")
    if packet.type == CONNECT:
        return bytes([CONNACK << 4, 2, 0, 0])
    if packet.type == SUBSCRIBE:
        return bytes([SUBACK << 4, 3]) + packet_id + b"\x01"
    if packet.type == PUBLISH and packet.qos == 1:
        return bytes([PUBACK << 4, 2]) + packet_id
    return b""
