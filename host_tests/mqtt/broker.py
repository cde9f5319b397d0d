"""A small broker without I/O, MQTT 3.1.1 and 5.0, as strict as the standard lets it be.

    connection = broker.connect(); connection.receive(bytes) -> bytes for the client

It is written after the standards' server sections, not after lib/mqtt. It takes responsibility for
a QoS 2 message with its PUBLISH (section 4.3.3, method B), so that a client that loses its place
shows as a message that is delivered twice, or never. `taken` is what it was given. What a client
sends again on a later connection must have its packet id and DUP.
"""

from host_tests.packets import with_length

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK = range(1, 10)
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = range(10, 15)
FLAGS = {PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2}


class Breach(AssertionError):
    """The client broke the standard."""


class Session:
    """What outlives a connection."""

    def __init__(self):
        self.received = set()  # ids of QoS 2 publishes that are not released
        self.sent = {}  # message -> (packet id, connection) of its first publish
        self.outgoing = []  # [packet id, topic, payload, qos, state]
        self.next_id = 1
        self.filters = {}


class Broker:
    """properties: of CONNACK at level 5, encoded. `refuse`: {topic: reason code} of publishes."""

    def __init__(self, properties=b"\0", refuse=None):
        self.sessions = {}
        self.taken = []  # (topic, payload, qos)
        self.properties, self.refuse = properties, refuse or {}

    def connect(self):
        return Connection(self)

    def forget(self):
        """Lose every session, as a broker without persistence does."""
        self.sessions = {}


class Connection:
    def __init__(self, broker):
        self.broker, self.session, self.level = broker, None, 4
        self._bytes, self.closed, self.polite = b"", False, False
        self.aliases = {}

    def receive(self, data):
        """Take bytes, in any portions; returns the answers."""
        self._bytes += data
        out = b""
        while not self.closed and (packet := self._next()):
            out += self._packet(*packet)
        return out

    def publish(self, topic, payload, qos):
        """Send a message to the client; returns the bytes."""
        session = self.session
        entry = [session.next_id if qos else 0, topic, payload, qos, "publish"]
        if qos:
            session.next_id += 1
            session.outgoing.append(entry)
        return self._outgoing(entry, False)

    # ----

    def _next(self):
        length = shift = 0
        for at in range(1, 5):
            if len(self._bytes) <= at:
                return None
            byte = self._bytes[at]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        else:
            raise Breach("a remaining length of five bytes")
        end = at + 1 + length
        if len(self._bytes) < end:
            return None
        first, body = self._bytes[0], self._bytes[at + 1 : end]
        self._bytes = self._bytes[end:]
        return first, body

    def _packet(self, first, body):
        kind = first >> 4
        if (kind == CONNECT) != (self.session is None):
            raise Breach(f"packet {kind} out of turn")
        if kind != PUBLISH and first & 15 != FLAGS.get(kind, 0):
            raise Breach(f"flags of packet {kind}: {first & 15}")
        if kind == CONNECT:
            return self._connect(body)
        if kind == PUBLISH:
            return self._publish(first, body)
        if kind == PINGREQ:
            return bytes([PINGRESP << 4, 0])
        if kind == DISCONNECT:
            self.polite = self.closed = True
            return b""
        packet_id = int.from_bytes(body[:2], "big")
        if not packet_id:
            raise Breach("packet id 0")
        return self._answer(kind, packet_id, body)

    def _connect(self, body):
        if body[:6] != b"\0\4MQTT":
            raise Breach("no MQTT")
        self.level, flags, at = body[6], body[7], 10
        if self.level == 5:
            at += 1 + body[at]
        length = int.from_bytes(body[at : at + 2], "big")
        client_id = body[at + 2 : at + 2 + length]
        clean = flags & 2
        if flags & 1 or (not client_id and not clean and self.level == 4):
            raise Breach("flags of CONNECT")
        if clean:
            self.broker.sessions.pop(client_id, None)
        present = client_id in self.broker.sessions
        self.session = self.broker.sessions.setdefault(client_id, Session())
        tail = self.broker.properties if self.level == 5 else b""
        out = with_length(CONNACK << 4, bytes([present, 0]) + tail)
        for entry in self.session.outgoing:
            out += self._outgoing(entry, True)
        return out

    def _outgoing(self, entry, dup):
        packet_id, topic, payload, qos, state = entry
        if state == "release":
            return bytes([PUBREL << 4 | 2, 2]) + packet_id.to_bytes(2, "big")
        body = len(topic).to_bytes(2, "big") + topic
        body += packet_id.to_bytes(2, "big") if qos else b""
        body += (b"\0" if self.level == 5 else b"") + payload
        return with_length(PUBLISH << 4 | (dup and qos > 0) << 3 | qos << 1, body)

    def _publish(self, first, body):
        qos, at = first >> 1 & 3, 2 + int.from_bytes(body[:2], "big")
        topic = body[2:at]
        packet_id = 0
        if qos:
            packet_id, at = int.from_bytes(body[at : at + 2], "big"), at + 2
            if not packet_id:
                raise Breach("a publish with packet id 0")
        if self.level == 5:
            properties, at = body[at + 1 : at + 1 + body[at]], at + 1 + body[at]
            if properties[:1] == b"#":
                alias = properties[1:3]
                topic = topic or self.aliases.get(alias)
                self.aliases[alias] = topic
        if qos == 3 or not topic or b"+" in topic or b"#" in topic or (first & 8 and not qos):
            raise Breach(f"a publish that begins with {first:#x}")
        if qos:
            self._check_repetition(first & 8, packet_id, (topic, body[at:], qos))
        code = self.broker.refuse.get(topic, 0)
        new = packet_id not in self.session.received
        if new and not code:
            self.broker.taken.append((topic, body[at:], qos))
        if not qos:
            return b""
        if qos == 2 and not code:
            self.session.received.add(packet_id)
        kind = PUBACK if qos == 1 else PUBREC
        body = packet_id.to_bytes(2, "big") + (bytes([code]) if code else b"")
        return with_length(kind << 4, body)

    def _check_repetition(self, dup, packet_id, message):
        """[MQTT-3.3.1-1] [MQTT-4.4.0-1]. The messages of a test have payloads of their own."""
        session = self.session
        before, connection = session.sent.setdefault(message, (packet_id, self))
        if connection is not self and (before != packet_id or not dup):
            raise Breach(f"{message} again: packet id {before}, now {packet_id}, DUP {dup >> 3}")

    def _answer(self, kind, packet_id, body):
        session, wire_id = self.session, packet_id.to_bytes(2, "big")
        if kind == PUBREL:
            known = packet_id in session.received
            session.received.discard(packet_id)
            code = b"\x92" if self.level == 5 and not known else b""
            return with_length(PUBCOMP << 4, wire_id + code)
        if kind in (PUBACK, PUBREC, PUBCOMP):
            return self._acknowledged(kind, packet_id, wire_id)
        at = 3 + body[2] if self.level == 5 else 2
        codes = b""
        while at < len(body):
            length = int.from_bytes(body[at : at + 2], "big")
            topic = body[at + 2 : at + 2 + length]
            at += 2 + length
            if kind == SUBSCRIBE:
                session.filters[topic] = body[at] & 3
                codes += bytes([body[at] & 3])
                at += 1
            else:
                session.filters.pop(topic, None)
                codes += b"\0" if self.level == 5 else b""
        none = b"\0" if self.level == 5 else b""
        return with_length((kind + 1) << 4, wire_id + none + codes)

    def _acknowledged(self, kind, packet_id, wire_id):
        for entry in self.session.outgoing:
            if entry[0] == packet_id:
                break
        else:
            return bytes([PUBREL << 4 | 2, 2]) + wire_id if kind == PUBREC else b""
        expected = PUBACK if entry[3] == 1 else PUBCOMP if entry[4] == "release" else PUBREC
        if kind == PUBREC and expected == PUBCOMP:
            return bytes([PUBREL << 4 | 2, 2]) + wire_id
        if kind != expected:
            raise Breach(f"packet {kind} in place of {expected}")
        if kind == PUBREC:
            entry[4] = "release"
            return bytes([PUBREL << 4 | 2, 2]) + wire_id
        self.session.outgoing.remove(entry)
        return b""
