"""The beginning and the end of a connection (sections 3.1, 3.2, 3.14). Needed once each and large:
whoever is short of memory forgets this module in between.
"""

from . import packet
from .packet import ProtocolError, const

_PUBACK = const(4)
_PUBCOMP = const(7)
_CLOSED = const(0)
_CONNECTING = const(1)
_OPEN = const(2)


def connect(engine, out):
    """Write an engine's CONNECT at the start of `out`; returns its end. Raises ValueError."""
    five = engine.five
    properties, will_properties = five.begin(engine) if five else (b"", b"")
    flags = engine.clean_now << 1
    fields = [packet.encoded(engine.client_id), will_properties]
    if engine.will:
        topic, payload, qos, retain = engine.will[:4]
        if qos > 2:  # [MQTT-3.1.2-14]
            raise ValueError("QoS %d" % qos)
        fields += [packet.encoded(topic, b"+#"), _data(payload)]
        flags |= 4 | qos << 3 | retain << 5
    if engine.username is not None:
        fields.append(packet.encoded(engine.username))
        flags |= 0x80
    if engine.password is not None:
        fields.append(_data(engine.password))
        flags |= 0x40
    length = 10 + len(properties) + 2 * len(fields) - 2
    for data in fields:
        length += len(data)
    if length + 5 > len(out):
        raise ValueError("CONNECT takes %d bytes of %d" % (length + 5, len(out)))
    at = _text(out, packet.head(out, 0, 0x10, length), b"MQTT")
    keepalive_s = (engine.keepalive_ms + 999) // 1000
    for byte in (5 if five else 4, flags, keepalive_s >> 8, keepalive_s & 0xFF):
        out[at] = byte
        at += 1
    at = _raw(out, at, properties)
    for i in range(len(fields)):
        at = (_raw if i == 1 else _text)(out, at, fields[i])
    return at


def _text(out, at, data):
    """Bytes behind their length (section 1.5)."""
    length = len(data)
    out[at] = length >> 8
    out[at + 1] = length & 0xFF
    at += 2
    end = at + length
    out[at:end] = data
    return end


def _raw(out, at, data):
    end = at + len(data)
    out[at:end] = data
    return end


def _data(data):
    """Binary data, for a text its UTF-8 (section 1.5)."""
    data = data.encode() if isinstance(data, str) else data
    if len(data) > 65535:
        raise ValueError("%d bytes; at most 65535" % len(data))
    return data


def connack(engine, body):
    """CONNACK: the session begins, or goes on. Raises ProtocolError."""
    five = engine.five
    flags, code = body[:2] if len(body) > 1 else (2, 0)
    if five:
        five.connack(engine, body)
    elif len(body) > 2:
        flags = 2
    if flags > 1 or (flags and (code or engine.clean_now)):
        raise ProtocolError("3.2.2-4", 0x82)  # [MQTT-3.2.2-1]
    engine.code = code
    engine.session_present = flags == 1
    engine.state = _CLOSED if code else _OPEN
    if not code:
        engine.over = [] if flags else _begin_anew(engine)
        if five:
            five.connected(engine)
    return "connack"


def _begin_anew(engine):
    """The session is new: publish again what the broker has not taken, forget the rest. Returns
    what becomes of publishes that need no answer any more.
    """
    flight = engine.flight
    over = []
    for entry in list(flight.entries):
        entry.first &= 0xF7
        if entry.awaits == _PUBCOMP:
            over.append((entry, 0))
        elif entry.payload is None:
            flight.arrived(entry)  # its owner will publish it anew
    engine.inbound = None
    engine.changed = True
    return over


def lost(engine, split):
    """The connection is gone; who asked for a subscription asks again."""
    engine.state = _CLOSED
    split.have = split.head = 0
    flight = engine.flight
    for entry in list(flight.entries):
        if entry.awaits > _PUBCOMP:
            flight.arrived(entry)
        else:
            if entry.sent and entry.awaits < _PUBCOMP:
                entry.first |= 8  # DUP [MQTT-3.3.1-1]
            entry.sent = False
    flight.unsent = len(flight.entries)
    if engine.inbound:
        engine.inbound.lost()


def disconnect(engine, out, at, code):
    """Write DISCONNECT if there is room; returns where it ended."""
    if at + 3 > len(out):
        return at
    at = packet.head(out, at, 0xE0, 1 if code else 0)
    if code:
        out[at] = code
        at += 1
    return at
