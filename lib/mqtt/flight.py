"""What is under way to the broker: packets with an id, until their last answer.

A packet that does not find room waits; `write` puts down as many as fit, in the order in which
they were published.
"""

from . import packet
from .packet import ProtocolError, const

_PUBACK = const(4)
_PUBREC = const(5)
_PUBREL = const(6)
_PUBCOMP = const(7)


class Outgoing:
    """A packet of ours with an id.

    awaits      type of its next answer
    first       its first byte, with DUP once it was sent on a connection that is gone
    sent        on this one
    name, payload, properties    what is in it; payload None: its owner has yet to find it
    length      of it all, at most
    tag         what its owner knows it by
    """

    properties = b""  # with 5.0 alone it takes a place in the entry


class Flight:
    """Memory: 80 bytes a packet under way (5.0: 96), kept for the next one."""

    def __init__(self):
        self.entries = []  # oldest first
        self.unsent = 0  # of them
        self.next_id = 1
        self.spare = []

    def depart(self, awaits, first, name, payload, properties):
        """A new Outgoing with a free packet id [MQTT-2.3.1-1] [MQTT-2.3.1-2]."""
        entry = self.spare.pop() if self.spare else Outgoing()
        packet_id = self.next_id
        while self.find(packet_id):
            packet_id = packet_id % 65535 + 1
        self.next_id = packet_id % 65535 + 1
        entry.packet_id = packet_id
        entry.awaits = awaits
        entry.first = first
        entry.name = name
        entry.payload = payload
        if properties:
            entry.properties = properties
        entry.length = 13 + len(name) + len(payload) + len(properties)
        entry.sent = False
        entry.tag = 0
        self.entries.append(entry)
        self.unsent += 1
        return entry

    def find(self, packet_id):
        for entry in self.entries:
            if entry.packet_id == packet_id:
                return entry
        return None

    def answered(self, engine, kind, packet_id, code):
        """PUBACK, PUBREC or PUBCOMP came: "acked", or None. Raises ProtocolError."""
        entry = self.find(packet_id)
        if entry is None or not entry.sent:
            if kind == _PUBREC and entry is None and code < 0x80:
                engine.owe(_PUBREL, packet_id, 0x92 if engine.five else 0)
            return None
        if kind == entry.awaits:
            if kind != _PUBREC or code >= 0x80:
                # PUBCOMP may say 0x92: it had been released before
                return self.acked(engine, entry, code if kind != _PUBCOMP else 0)
            entry.awaits = _PUBCOMP  # PUBREL is next [MQTT-4.3.3-1]
            entry.payload = None
            self.entries.remove(entry)  # in the order of the PUBRECs [MQTT-4.6.0-4]
            self.entries.append(entry)
            engine.changed = True
        elif kind != _PUBREC or entry.awaits != _PUBCOMP:  # else it repeats itself, and so do we
            raise ProtocolError("4.3", 0x82)
        entry.sent = False  # what is next of it waits to be written
        self.unsent += 1
        return None

    def acked(self, engine, entry, code):
        engine.packet_id = entry.packet_id
        engine.code = code
        engine.tag = entry.tag
        self.arrived(entry)
        return "acked"

    def arrived(self, entry):
        """It had its last answer."""
        self.entries.remove(entry)
        if not entry.sent:
            self.unsent -= 1
        entry.name = entry.payload = None
        self.spare.append(entry)

    def write(self, out, at, most, five):
        """Write what waits and fits into `out` from `at` on, while at most `most` publishes are
        with the broker; nothing else waits for these [MQTT-3.3.4-8] (5). Returns where that ended.
        """
        free = most
        for entry in self.entries:
            if entry.awaits == _PUBCOMP or (entry.sent and entry.awaits < _PUBCOMP):
                free -= 1
        for entry in self.entries:
            if entry.sent:
                continue
            if at + entry.length > len(out):
                break
            if entry.awaits == _PUBCOMP:
                at = packet.ack(out, at, _PUBREL, entry.packet_id)
            elif entry.awaits > _PUBCOMP:
                from .filters import write

                at = write(entry, out, at)
            elif entry.payload is None or free <= 0:
                continue
            else:
                free -= 1
                name, properties = entry.name, entry.properties
                if five:
                    name, properties = five.alias(name, properties)
                at = packet.publish(
                    out, at, entry.first, name, entry.packet_id, entry.payload, properties
                )
            entry.sent = True
            self.unsent -= 1
        return at
