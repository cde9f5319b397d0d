"""A session's state as bytes, so that it goes on after a reboot: QoS 2 is exactly once even then.

What must be durable, and when: whoever saves the state before anything that the engine wrote
leaves (`engine.changed` says whether there is something to save; `client.save` is called then)
never publishes a message under a second packet id, and never releases one twice. A publish that
is over may still be in it: at worst its PUBREL is repeated.

    0   2   "MQ"                               13  4   CRC-32 of all the rest
    2   1   version, 1                         17      8 bytes a publish of QoS 2, in their order:
    3   4   whose session it is                          packet id 2, next answer 1, tag 5
    7   2   next packet id                             2 bytes an inbound QoS 2 publish that is
    9   2   number of publishes                          taken and not released: packet id
    11  2   number of inbound publishes

Integers are big-endian. Payloads are not in it: their owner knows them by their tag and gives them
back with `supply`.
"""

from binascii import crc32

from .flight import Outgoing
from .inbound import TAKEN, Inbound
from .packet import const, encoded

_PUBREC = const(5)
_PUBCOMP = const(7)
_HEAD = const(17)


def save(engine, whose=0, tag_of=None):
    """The state as bytes: 17, and 8 a publish. `whose`: 32 bits that say which client at which
    broker this is the session of. `tag_of(tag)`: what is written in place of each tag.
    """
    out = b""
    taken = b""
    for entry in engine.flight.entries:
        if entry.awaits == _PUBREC or entry.awaits == _PUBCOMP:
            out += entry.packet_id.to_bytes(2, "big") + bytes((entry.awaits,))
            tag = tag_of(entry.tag) if tag_of else entry.tag
            out += tag.to_bytes(5, "big")
    fates = engine.inbound.fates if engine.inbound else {}
    for packet_id in fates:
        if fates[packet_id] == TAKEN:
            taken += packet_id.to_bytes(2, "big")
    head = b"MQ\x01" + whose.to_bytes(4, "big") + engine.flight.next_id.to_bytes(2, "big")
    head += (len(out) // 8).to_bytes(2, "big") + (len(taken) // 2).to_bytes(2, "big")
    return head + crc32(head + out + taken).to_bytes(4, "big") + out + taken


def restore(engine, data, whose=0):
    """Give a new engine the state that was saved; returns whether it was one, and ours. If not,
    the next `connect` must be clean: what the broker keeps is of a session that nobody knows.
    """
    if len(data) < _HEAD or data[:3] != b"MQ\x01" or data[3:7] != whose.to_bytes(4, "big"):
        return False
    end = _HEAD + 8 * int.from_bytes(data[9:11], "big")
    crc = crc32(data[: _HEAD - 4] + data[_HEAD:]).to_bytes(4, "big")
    if crc != data[_HEAD - 4 : _HEAD] or len(data) != end + 2 * int.from_bytes(data[11:13], "big"):
        return False
    flight = engine.flight
    for at in range(_HEAD, end, 8):
        entry = Outgoing()
        entry.packet_id = int.from_bytes(data[at : at + 2], "big")
        entry.awaits = data[at + 2]
        entry.tag = int.from_bytes(data[at + 3 : at + 8], "big")
        entry.first = 0x3C  # QoS 2, and DUP
        entry.name = b""
        entry.payload = None
        entry.length = 5
        entry.sent = False
        flight.entries.append(entry)
        flight.unsent += 1
    flight.next_id = int.from_bytes(data[7:9], "big")
    if len(data) > end:
        engine.inbound = Inbound()
        for at in range(end, len(data), 2):
            engine.inbound.fates[int.from_bytes(data[at : at + 2], "big")] = TAKEN
    return True


def owed(engine):
    """The tags of publishes whose payload is missing, in the order in which they must be sent."""
    return [entry.tag for entry in engine.flight.entries if is_owed(entry)]


def is_owed(entry):
    """Is this a publish that must be sent again, and whose payload is missing?"""
    return entry.awaits == _PUBREC and entry.payload is None


def supply(engine, tag, topic, payload, retain=False):
    """Give the publish with this tag what it is to be sent with; returns its packet id, or 0 if
    none with the tag waits for it (`publish` it then). Raises ValueError if it is too long.
    """
    for entry in engine.flight.entries:
        if entry.tag == tag and is_owed(entry):
            name = encoded(topic, b"+#")
            length = 14 + len(name) + len(payload)
            if length > engine.largest:
                raise ValueError("a packet of %d bytes" % length)
            entry.name = name
            entry.payload = payload
            entry.properties = b"\0" if engine.five else b""
            entry.first = entry.first & 8 | 0x34 | retain
            entry.length = length
            return entry.packet_id
    return 0


def abandon(entry):
    """The payload is lost for good: release the packet id, whether the broker has the message or
    not.
    """
    if entry.payload is None:
        entry.awaits = _PUBCOMP


def detach(engine):
    """Let go of the payloads of unacknowledged QoS 2 publishes, whose memory is used otherwise
    from now on, and forget those of QoS 1: their owner publishes them anew.
    """
    for entry in list(engine.flight.entries):
        if entry.awaits < _PUBREC:
            engine.flight.arrived(entry)
        else:
            entry.payload = None
            entry.length = 5
