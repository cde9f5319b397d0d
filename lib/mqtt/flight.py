"""What is under way to the broker: packets with an id, until their last answer.

A packet that does not find room waits; `write` puts down as many as fit, in the order in which
they were published. `lost` makes all of them wait again, `resumed` sorts out what the broker still
knows.
"""

from . import packet
from .packet import const

_PUBACK = const(4)
_PUBREC = const(5)
_PUBREL = const(6)
_PUBCOMP = const(7)


class Outgoing:
    """A packet of ours with an id.

    awaits      type of its next answer
    first       its first byte, without DUP
    sent        on this connection; dup: and on one before
    name, payload, properties    what is in it; payload None: its owner has yet to find it
    length      of it all, at most
    tag         what its owner knows it by
    """


class Flight:
    """Memory: about 150 bytes a packet under way, kept for the next one."""

    alias = None  # 5.0: what makes (topic, properties) shorter

    def __init__(self):
        self.entries = []  # oldest first
        self.unsent = 0  # of them
        self.next_id = 1
        self._spare = []

    def depart(self, awaits, first, name, payload, properties):
        """A new Outgoing with a free packet id [MQTT-2.3.1-1] [MQTT-2.3.1-2]."""
        entry = self._spare.pop() if self._spare else Outgoing()
        packet_id = self.next_id
        while self.find(packet_id):
            packet_id = packet_id % 65535 + 1
        self.next_id = packet_id % 65535 + 1
        entry.packet_id = packet_id
        entry.awaits = awaits
        entry.first = first
        entry.name = name
        entry.payload = payload
        entry.properties = properties
        entry.length = 13 + len(name) + len(payload) + len(properties)
        self.add(entry)
        return entry

    def add(self, entry):
        entry.sent = entry.dup = False
        entry.tag = 0
        self.entries.append(entry)
        self.unsent += 1

    def find(self, packet_id):
        for entry in self.entries:
            if entry.packet_id == packet_id:
                return entry
        return None

    def arrived(self, entry):
        """It had its last answer."""
        self.entries.remove(entry)
        if not entry.sent:
            self.unsent -= 1
        entry.name = entry.payload = None
        self._spare.append(entry)

    def again(self, entry):
        """Write it once more, or what is next of it."""
        if entry.sent:
            entry.sent = False
            self.unsent += 1

    def lost(self):
        """The connection is gone; who asked for a subscription asks again."""
        for entry in list(self.entries):
            if entry.awaits > _PUBCOMP:
                self.arrived(entry)
            else:
                entry.dup = entry.dup or entry.sent
                self.again(entry)

    def resumed(self, present):
        """A session has begun, `present` at the broker or new. Returns the publishes that need no
        answer any more: the broker had taken responsibility and has lost the session since.
        """
        over = []
        if not present:
            for entry in list(self.entries):
                entry.dup = False
                if entry.awaits == _PUBCOMP:
                    entry.code = 0
                    over.append(entry)
                elif entry.payload is None:
                    self.arrived(entry)  # its owner will publish it anew
        return over

    def write(self, out, at, most):
        """Write what waits and fits into `out` from `at` on, while at most `most` packets are with
        the broker; returns where that ended.
        """
        free = most - len(self.entries) + self.unsent
        for entry in self.entries:
            if entry.sent:
                continue
            if free <= 0 or at + entry.length > len(out):
                break
            end = self._write(entry, out, at)
            if end > at:
                at = end
                entry.sent = True
                self.unsent -= 1
                free -= 1
        return at

    def _write(self, entry, out, at):
        if entry.awaits == _PUBCOMP:
            return packet.ack(out, at, _PUBREL, entry.packet_id)
        if entry.payload is None:
            return at
        if entry.awaits > _PUBCOMP:
            from .filters import write

            return write(entry, out, at)
        name, properties = entry.name, entry.properties
        if self.alias:
            name, properties = self.alias(name, properties)
        first = entry.first | 8 if entry.dup else entry.first  # [MQTT-3.3.1-1]
        return packet.publish(out, at, first, name, entry.packet_id, entry.payload, properties)
