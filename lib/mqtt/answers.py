"""What the packets of a broker mean to a session."""

from .packet import ProtocolError, const

_CONNACK = const(2)
_PUBLISH = const(3)
_PUBACK = const(4)
_PUBREC = const(5)
_PUBREL = const(6)
_PUBCOMP = const(7)
_SUBACK = const(9)
_UNSUBACK = const(11)
_PINGRESP = const(13)

_CLOSED = const(0)
_CONNECTING = const(1)
_OPEN = const(2)


class Answers:
    """The part of an engine that understands packets."""

    unknown_id = 0  # the reason code of an answer to an unknown packet id (5.0)
    code = 0  # of the event
    properties = None  # of the event, a dict (5.0)

    def _packet(self, first, body):
        """Take a whole packet; returns its event, or None."""
        kind = first >> 4
        if self.state != (_CONNECTING if kind == _CONNACK else _OPEN):
            raise ProtocolError("a packet of type %d out of turn" % kind, 0x82)
        skipped = self._split.skipped
        if skipped and (kind != _PUBLISH or self.level > 4):
            raise ProtocolError("a packet of %d bytes" % skipped, 0x95)
        if kind == _PUBLISH:
            return self._receiver().publish(self, first, body, skipped)
        if kind == _CONNACK:
            return self._connack(body)
        if kind > _UNSUBACK:
            return self._control(kind, body)
        packet_id = body[0] << 8 | body[1] if len(body) > 1 else 0
        if not packet_id:
            raise ProtocolError("packet id 0")  # [MQTT-2.3.1-1]
        return self._answered(kind, packet_id, body)

    def _receiver(self):
        if not self.inbound:
            from .inbound import Inbound

            self.inbound = Inbound()
        return self.inbound

    def _answered(self, kind, packet_id, body):
        """A packet that begins with a packet id."""
        if kind >= _SUBACK:
            from .filters import granted

            granted(self, kind, packet_id, body)
            self._progress()
            return "suback" if kind == _SUBACK else "unsuback"
        self.code = self._reason(kind, body)
        if kind == _PUBREL:
            return self._receiver().release(self, packet_id)
        entry = self.flight.find(packet_id)
        refused = self.code >= 0x80
        if entry is None or not entry.sent:
            if kind == _PUBREC and entry is None and not refused:
                self.owe(_PUBREL, packet_id, self.unknown_id)
            return None
        if kind == entry.awaits:
            if kind != _PUBREC or refused:
                return self._acked(entry, self.code)
            entry.awaits = _PUBCOMP  # PUBREL is next [MQTT-4.3.3-1]
            entry.payload = None
            self.changed = True
        elif kind != _PUBREC or entry.awaits != _PUBCOMP:  # else it repeats itself, and so do we
            raise ProtocolError("an answer of type %d to another packet" % kind, 0x82)
        self.flight.again(entry)
        self._progress()
        return None

    def _acked(self, entry, code):
        self.packet_id = entry.packet_id
        self.code = code
        if entry.awaits != _PUBACK:
            self.changed = True
        self.flight.arrived(entry)
        self._progress()
        return "acked"

    def _connack(self, body):
        """Section 3.2 of 3.1.1."""
        if len(body) != 2:
            raise ProtocolError("a CONNACK of %d bytes" % len(body))
        return self._connected(body[0], body[1])

    def _connected(self, flags, code):
        if flags > 1 or (flags and (code or self.clean_now)):  # [MQTT-3.2.2-1] [MQTT-3.2.2-4]
            raise ProtocolError("CONNACK with flags 0x%02x" % flags, 0x82)
        self.code = code
        self.session_present = flags == 1
        self.state = _CLOSED if code else _OPEN
        if not code:
            self._over = self.flight.resumed(self.session_present)
            if not flags:
                self.changed = True
                self.inbound = None
        self._progress()
        return "connack"

    # What 5.0 does otherwise

    def _control(self, kind, body):
        if kind != _PINGRESP or len(body):
            raise ProtocolError("a packet of type %d from a broker" % kind, 0x82)

    def _reason(self, kind, body):
        """The reason code behind a packet id."""
        if len(body) > 2:
            raise ProtocolError("a packet of type %d with too much" % kind)
        return 0

    def end_of_properties(self, kind, body, at):
        """Read the properties at `at`; returns where they end."""
        return at

    def encoded(self, kind, properties):
        """A dict of properties as bytes."""
        if properties:
            raise ValueError("3.1.1 has no properties")
        return b""

    def topic_in(self, topic):
        return topic
