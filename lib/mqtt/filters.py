"""Topic filters (section 4.7): asking for them, and which topics they match."""

from . import packet
from .packet import ProtocolError, const

_SUBSCRIBE = const(8)
_SUBACK = const(9)
_UNSUBSCRIBE = const(10)
_UNSUBACK = const(11)


def ask(engine, topics, properties):
    """SUBSCRIBE to `topics`, a list of filter (text or bytes) and options in turn, or UNSUBSCRIBE
    from filters alone (sections 3.8, 3.10); returns the packet id. Raises ValueError.
    """
    subscribes = isinstance(topics[-1], int)  # [MQTT-3.8.3-3] [MQTT-3.10.3-2]: not empty
    done = topic = b""
    for item in topics:
        if isinstance(item, int):
            _check_options(item, topic, engine.five)
            done += bytes((item,))
        else:
            topic = _allowed(packet.encoded(item))
            done += bytes((len(topic) >> 8, len(topic) & 0xFF)) + topic
    answer = _SUBACK if subscribes else _UNSUBACK
    if properties and not engine.five:
        raise ValueError("3.1.1 has no properties")
    encoded = engine.five.encoded(answer - 1, properties) if engine.five else b""
    if 13 + len(done) + len(encoded) > engine.largest:
        raise ValueError("%d bytes of filters; at most %d" % (len(done), engine.largest - 13))
    first = (answer - 1) << 4 | 2
    entry = engine.flight.depart(answer, first, b"", done, encoded)
    entry.asked = len(topics) // 2 if subscribes else len(topics)
    return entry.packet_id


def write(entry, out, at):
    """The packet of an Outgoing that `ask` made; `out` has room."""
    body = bytes((entry.packet_id >> 8, entry.packet_id & 0xFF)) + entry.properties + entry.payload
    at = packet.head(out, at, entry.first, len(body))
    out[at : at + len(body)] = body
    return at + len(body)


def granted(engine, kind, packet_id, body):
    """SUBACK or UNSUBACK (sections 3.9, 3.11); returns the event. Raises ProtocolError."""
    entry = engine.flight.find(packet_id)
    if entry is None or not entry.sent:
        return None  # late
    if entry.awaits != kind:
        raise ProtocolError("3.8.4-2", 0x82)
    five = engine.five
    codes = body[five.read(engine, kind, body, 2) if five else 2 :]
    asked = entry.asked if kind == _SUBACK or five else 0
    good = len(codes) == asked  # [MQTT-3.9.3-1]
    for code in codes:
        if (2 < code < 0x80 and code != 0x11) or (not five and code > 0x80):
            good = False
    if not good:
        raise ProtocolError("3.9.3-2")
    engine.codes = codes
    engine.packet_id = packet_id
    engine.flight.arrived(entry)
    return "suback" if kind == _SUBACK else "unsuback"


def _check_options(options, topic, five):
    """[MQTT-3.8.3-4], in 5.0 with more bits; no No Local for a shared one [MQTT-3.8.3-4] (5)."""
    shared = topic[:7] == b"$share/"
    if options & 3 == 3 or options > (47 if five else 2) or (options & 4 and shared):
        raise ValueError("no options of a subscription: %d" % options)


def _allowed(topic):
    """[MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-1] [MQTT-4.8.2-1] (5) [MQTT-4.8.2-2] (5)"""
    levels = topic.split(b"/")
    good = len(topic) > 0
    if levels[0] == b"$share":
        name = levels[1] if len(levels) > 2 else b""
        good = name and b"+" not in name and b"#" not in name and levels[2:] != [b""]
        levels = levels[2:]
    for i in range(len(levels)):
        level = levels[i]
        if b"+" in level and level != b"+":
            good = False
        if b"#" in level and (level != b"#" or i < len(levels) - 1):
            good = False
    if not good:
        raise ValueError("no topic filter: %r" % topic)
    return topic


def matches(topic_filter, topic):
    """Whether `topic` is one that `topic_filter` means, both bytes (section 4.7)."""
    levels = topic_filter.split(b"/")
    if levels[0] == b"$share":
        levels = levels[2:]
    parts = topic.split(b"/")
    if topic[:1] == b"$" and levels[0] in (b"+", b"#"):
        return False  # [MQTT-4.7.2-1]
    for i in range(len(levels)):
        if levels[i] == b"#":
            return True  # the level above it too
        if i >= len(parts) or levels[i] not in (b"+", parts[i]):
            return False
    return len(levels) == len(parts)
