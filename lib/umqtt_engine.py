"""umqtt.simple as an engine: its packets without its blocking.

umqtt.simple (1.3.4 to 1.8) encodes and decodes; what it would do on a socket it does here on a
`_Wire`, two pieces of memory. A call that would wait for the broker finds no bytes there and
comes back at once (`_Empty`), its packet written; a packet is handed to it only once it has
arrived whole. So its calls never block, never lose their place in the stream, and never see a
packet that is cut or too large.

    link                     engine                        umqtt.simple
    publish(...)  ---------> pid, bounds ----------------> publish() -> _Wire -> next_out()
    receive(bytes) --------> whole packets only ---------> wait_msg() -> callback
                             CONNACK, PUBACK, SUBACK, PINGRESP are read here
    next_event() <---------- (name, ...)

The engine also keeps the time that umqtt.simple does not: keepalive, and one deadline for what is
owed to us. A connection that is silent is pinged after half a keepalive and given up after one
and a quarter. One engine serves one connection after the other; `connect` begins the next.
"""

import umqtt.simple as simple

try:
    from micropython import const
except ImportError:

    def const(value):  # CPython
        return value


_CONNACK = const(2)
_PUBLISH = const(3)
_PUBACK = const(4)
_SUBACK = const(9)
_PINGRESP = const(13)
_LENGTHS = {_CONNACK: 2, _PUBACK: 2, _SUBACK: 3, _PINGRESP: 0}  # MQTT 3.1.1, sections 3.2 to 3.13


class ProtocolError(Exception):
    """The broker sent what MQTT 3.1.1 does not allow."""


class _Empty(Exception):
    """umqtt.simple wants to read what is not there."""


class _Wire:
    """The module `socket`, and the socket, that umqtt.simple sees."""

    def __init__(self, limit):
        self._out = bytearray(limit)
        self.view = memoryview(self._out)
        self.sent = self.written = 0
        self.packet = b""  # what umqtt.simple may read
        self.at = 0

    # The module
    def socket(self, *_):
        return self

    def getaddrinfo(self, *_):
        return ((None,),)

    # The socket
    def connect(self, *_):
        pass

    settimeout = setblocking = close = connect

    def write(self, data, length=None):
        if length is None:
            length = len(data)
        end = self.written + length
        if end > len(self._out):
            raise ValueError("more than %d bytes wait to be sent" % len(self._out))
        self._out[self.written : end] = data if length == len(data) else data[:length]
        self.written = end
        return length

    def read(self, length):
        end = self.at + length
        if end > len(self.packet):
            raise _Empty
        data = bytes(self.packet[self.at : end])
        self.at = end
        return data


class Engine:
    """One connection. Memory: `out_bytes` + `in_bytes`, allocated here, and what umqtt.simple
    allocates a call.

    `will` is (topic, payload): retained, QoS 1. An inbound publish whose packet exceeds
    `in_bytes` is skipped as it arrives, acknowledged, and reported with its size and an empty
    payload.

    One acknowledgement is awaited at a time, so one SUBSCRIBE or one PUBLISH of QoS 1.

    Events: ("connack", return code), ("puback", id), ("suback", granted QoS or 0x80),
    ("publish", topic, payload, retained, size of the skipped packet or 0), ("lost", reason).
    """

    def __init__(
        self,
        client_id,
        keepalive_ms,
        ack_ms,
        will=None,
        user=None,
        password=None,
        out_bytes=1280,
        in_bytes=1024,
    ):
        self.keepalive_ms = keepalive_ms
        self.ack_ms = ack_ms
        self._wire = _Wire(out_bytes)
        self._packet = bytearray(in_bytes)
        self._view = memoryview(self._packet)
        client = self._client = simple.MQTTClient(
            client_id,
            "",
            1883,
            user,
            password if user is None else password or b"",
            (keepalive_ms + 999) // 1000,
        )
        client.set_callback(self._on_publish)
        if will:
            client.set_last_will(will[0], will[1], True, 1)

    # What the link says

    def connect(self, now):
        """Begin a new connection: forget the last one and write CONNECT, with a clean session:
        commands that waited while the device was away are not for now.
        """
        self._wire.sent = self._wire.written = 0
        self._have = 0  # bytes of the packet so far, skipped ones included
        self._end = 0  # length of the whole packet, 0 until its header is complete
        self._events = []
        self._received_ms = self._said_ms = now
        self._pinged = False
        modules_socket = simple.socket
        simple.socket = self._wire
        try:
            self._client.connect()
        except _Empty:
            pass
        finally:
            simple.socket = modules_socket
        self._owed = None  # the acknowledgement that is owed to us: (packet type, packet id)
        self._owed_ms = 0  # and its deadline
        self._owe(_CONNACK, 0, now)

    def publish(self, topic, payload, retain, qos, now):
        """Write a PUBLISH (topic as bytes) and return its packet id, None at QoS 0.

        Raises ValueError, and writes nothing, if it does not fit the memory for what waits to be
        sent.
        """
        self._wrap_id()
        self._said_ms = now
        start = self._wire.written
        try:
            self._client.publish(topic, payload, retain, qos)
        except _Empty:
            return self._owe(_PUBACK, self._client.pid, now)
        except ValueError:
            self._wire.written = start
            raise
        return None

    def subscribe(self, topic, now):
        """Write a SUBSCRIBE with QoS 1 and return its packet id."""
        self._wrap_id()
        try:
            self._client.subscribe(topic, 1)
        except _Empty:
            pass
        return self._owe(_SUBACK, self._client.pid, now)

    def disconnect(self):
        """Write DISCONNECT, the polite end: the broker forgets the will."""
        self._client.disconnect()

    def _wrap_id(self):
        """umqtt.simple counts on for ever; MQTT has 16 bits, without 0 (section 2.3.1)."""
        if self._client.pid >= 0xFFFF:
            self._client.pid = 0

    def _owe(self, kind, packet_id, now):
        self._owed = (kind, packet_id)
        self._owed_ms = now + self.ack_ms
        return packet_id

    # Time

    def on_timer(self, now):
        """Do what the time asks for; call it often, as deadlines come and go with every packet."""
        quiet_ms = now - self._received_ms
        if self._owed and now >= self._owed_ms:
            self._events.append(("lost", "no acknowledgement within %d ms" % self.ack_ms))
        elif self._pinged and quiet_ms >= self.keepalive_ms * 5 // 4:
            self._events.append(("lost", "the broker has been silent for %d ms" % quiet_ms))
        elif not self._pinged and now >= self._ping_ms():
            self._pinged = True
            self._said_ms = now
            try:
                self._client.ping()
            except ValueError:
                pass  # what waits to be sent will do as a sign of life

    def deadline(self):
        """When `on_timer` has something to do, if nothing else happens until then."""
        given_up_ms = self._received_ms + self.keepalive_ms * 5 // 4
        due = given_up_ms if self._pinged else self._ping_ms()
        return min(due, self._owed_ms) if self._owed else due

    def _ping_ms(self):
        """Neither side may be silent: the broker ends a connection on which we say nothing, even
        if it keeps sending (section 3.1.2.10), and we want to hear from it.
        """
        keepalive = self.keepalive_ms
        return min(self._received_ms + keepalive // 2, self._said_ms + keepalive * 3 // 4)

    # Bytes and events

    def next_out(self):
        """What is to be sent, a memoryview; it stays where it is until `sent` has been told of
        all of it.
        """
        return self._wire.view[self._wire.sent : self._wire.written]

    def sent(self, length):
        wire = self._wire
        wire.sent += length
        if wire.sent == wire.written:
            wire.sent = wire.written = 0

    def next_event(self):
        return self._events.pop(0) if self._events else None

    def receive(self, data, now):
        """Take bytes from the broker, in any portions. Raises ProtocolError."""
        self._received_ms = now
        self._pinged = False
        at = 0
        while at < len(data):
            at = self._body(data, at) if self._end else self._header(data, at)
            if self._end and self._have == self._end:
                self._whole_packet()
                self._have = self._end = 0

    def _header(self, data, at):
        """Take one byte of the fixed header (section 2.2)."""
        have = self._have
        self._packet[have] = byte = data[at]
        self._have = have = have + 1
        if have > 1 and byte < 0x80:
            length = 0
            for i in range(have - 1, 0, -1):
                length = length << 7 | self._packet[i] & 0x7F
            self._end = have + length
            self._header_len = have
        elif have == 5:
            raise ProtocolError("a remaining length of more than four bytes")
        return at + 1

    def _body(self, data, at):
        """Take what there is of the packet's body; what is beyond the packet's memory is
        skipped.
        """
        n = min(len(data) - at, self._end - self._have)
        keep = min(n, len(self._packet) - self._have)
        if keep > 0:
            self._packet[self._have : self._have + keep] = data[at : at + keep]
        self._have += n
        return at + n

    def _whole_packet(self):
        kind = self._packet[0] >> 4
        body = self._view[self._header_len : min(self._end, len(self._packet))]
        if kind == _PUBLISH:
            self._inbound(body)
            return
        if _LENGTHS.get(kind) != self._end - self._header_len:
            raise ProtocolError("an unexpected packet of type %d and %d bytes" % (kind, self._end))
        if kind == _PINGRESP:
            return
        packet_id = 0 if kind == _CONNACK else body[0] << 8 | body[1]
        if self._owed != (kind, packet_id):
            return  # an answer to nothing that we asked
        self._owed = None
        if kind == _PUBACK:
            self._events.append(("puback", packet_id))
        else:
            self._events.append(("connack" if kind == _CONNACK else "suback", body[-1]))

    def _inbound(self, body):
        """Hand a PUBLISH to umqtt.simple, which acknowledges it; one that is too large without
        its payload.
        """
        flags = self._packet[0]
        if flags & 6 >= 4:
            raise ProtocolError("a publish of QoS 2, which was not subscribed to")
        self._retained = flags & 1
        self._oversize = self._end if self._end > len(self._packet) else 0
        if self._oversize:
            head = 2 + (body[0] << 8 | body[1]) + (2 if flags & 6 else 0)
            body = bytes(body[:head])
            packet = bytes((flags, len(body) & 0x7F | 0x80, len(body) >> 7)) + body
        else:
            packet = self._view[: self._end]
        self._wire.packet = packet
        self._wire.at = 0
        try:
            self._client.wait_msg()
        except _Empty:
            raise ProtocolError("a publish shorter than its topic says")
        except ValueError:
            raise ProtocolError("more publishes than can be acknowledged")
        finally:
            self._wire.packet = b""
            self._wire.at = 0

    def _on_publish(self, topic, payload):
        self._events.append(("publish", topic, payload, self._retained, self._oversize))
