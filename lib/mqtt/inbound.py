"""Inbound publishes (section 3.3), and their acknowledgement. Imported with the first one.

One of QoS 2, by packet id (section 4.3.3):

    PUBLISH         accept()      PUBREL
    -----> HANDED_OUT ----> TAKEN -----> forgotten      PUBLISH again: is not handed out again
"""

from .packet import ProtocolError, const, is_text

_PUBACK = const(4)
_PUBREC = const(5)
_PUBCOMP = const(7)
_PUBLISH = const(3)

_ONCE_MORE = const(1)  # QoS 1: handed out
_HANDED_OUT = const(2)  # QoS 2
TAKEN = const(3)  # QoS 2: PUBREC sent


class Inbound:
    """Memory: a few bytes for each that is not acknowledged yet."""

    def __init__(self):
        self.fates = {}  # packet id -> what has become of it

    def publish(self, engine, first, body, skipped):
        """Take a PUBLISH; returns its event, None for a repetition. Raises ProtocolError."""
        qos = first >> 1 & 3
        at = end = 2 + (body[0] << 8 | body[1]) if len(body) > 1 else 65537
        if qos:
            end += 2
        if end > len(body):
            raise ProtocolError("3.3.2")
        packet_id = body[at] << 8 | body[at + 1] if qos else 0
        if qos and not packet_id:
            raise ProtocolError("2.3.1-1")
        topic = bytes(body[2:at])
        if engine.five:
            end = engine.five.read(engine, _PUBLISH, body, end)
            topic = engine.five.topic(engine, topic)
        if not topic or b"+" in topic or b"#" in topic or not is_text(topic):
            raise ProtocolError("3.3.2-2")  # [MQTT-3.3.2-1] [MQTT-4.7.3-1]
        engine.topic = topic
        engine.payload = body[end:end] if skipped else body[end:]
        engine.qos = qos
        engine.retain = first & 1
        engine.dup = first >> 3 & 1
        engine.packet_id = packet_id
        engine.skipped = skipped
        return "publish" if not qos or self._is_new(engine, qos, packet_id) else None

    def _is_new(self, engine, qos, packet_id):
        fate = self.fates.get(packet_id)
        if fate == TAKEN and qos == 2:
            engine.owe(_PUBREC, packet_id)
        if qos == 2 and fate in (TAKEN, _HANDED_OUT):
            return False
        self.fates[packet_id] = qos
        if engine.five and len(self.fates) > engine.five.asked.get("receive_maximum", 65535):
            raise ProtocolError("3.3.4-9 (5)", 0x93)
        if engine.skipped:
            self.accept(engine, packet_id)
        return True

    def accept(self, engine, packet_id):
        """Acknowledge; nothing happens if the connection or the session has ended meanwhile."""
        fate = self.fates.get(packet_id)
        if fate == _ONCE_MORE:
            del self.fates[packet_id]
            engine.owe(_PUBACK, packet_id)
        elif fate == _HANDED_OUT:
            self.fates[packet_id] = TAKEN
            engine.changed = True
            engine.owe(_PUBREC, packet_id)

    def release(self, engine, packet_id):
        """PUBREL came [MQTT-4.3.3-2]."""
        known = self.fates.pop(packet_id, 0)
        engine.changed = True
        engine.owe(_PUBCOMP, packet_id, 0x92 if engine.five and not known else 0)

    def lost(self):
        """The connection is gone: the broker sends QoS 1 again."""
        for packet_id in list(self.fates):
            if self.fates[packet_id] == _ONCE_MORE:
                del self.fates[packet_id]
