"""CONNECT (section 3.1). Needed once a connection, and large: whoever is short of memory forgets
this module in between.
"""

from . import packet


def connect(engine, out, properties=b"", will_properties=b""):
    """Write an engine's CONNECT at the start of `out`; returns its end. Raises ValueError."""
    flags = engine.clean_now << 1
    fields = [packet.encoded(engine.client_id), will_properties]
    if engine.will:
        topic, payload, qos, retain = engine.will[:4]
        fields += [packet.topic_name(topic), _data(payload)]
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
    at = packet.text(out, packet.head(out, 0, 0x10, length), b"MQTT")
    keepalive_s = (engine.keepalive_ms + 999) // 1000
    for byte in (engine.level, flags, keepalive_s >> 8, keepalive_s & 0xFF):
        out[at] = byte
        at += 1
    at = _raw(out, at, properties)
    for i in range(len(fields)):
        at = (_raw if i == 1 else packet.text)(out, at, fields[i])
    return at


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
