"""The properties of MQTT 5.0 (section 2.2.2): a dict here, bytes with their length on the wire.

Names are the standard's, in lower case with underscores: `message_expiry_interval`. Numbers are
integers, texts are text, binary data is bytes; `user_property` is a list of (name, value), and so
is `subscription_identifier` of a PUBLISH a list of numbers.
"""

from .packet import ProtocolError, const, encoded, is_text

WILL = const(0)  # stands for the will's properties where else a packet's type does

_RESPONSE_TOPIC = const(8)

_BIT = const(0)  # a byte that is 0 or 1
_VARIABLE = const(1)  # up to four bytes of 7 bits
_TWO = const(2)  # bytes, as are these
_FOUR = const(4)
_TEXT = const(5)
_BINARY = const(6)
_PAIR = const(7)

# Identifier, form, and in which packets: a bit for each type, bit 0 for the will (table 2-4).
_TABLE = (
    b"\x01\0\0\x09\x02\4\0\x09\x03\5\0\x09\x08\5\0\x09\x09\6\0\x09\x0b\1\1\x08\x11\4\x40\x06"
    b"\x12\5\0\x04\x13\2\0\x04\x15\5\x80\x06\x16\6\x80\x06\x17\0\0\x02\x18\4\0\x01\x19\0\0\x02"
    b"\x1a\5\0\x04\x1c\5\x40\x04\x1f\5\xca\xf4\x21\2\0\x06\x22\2\0\x06\x23\2\0\x08\x24\0\0\x04"
    b"\x25\0\0\x04\x26\7\xcf\xff\x27\4\0\x06\x28\0\0\x04\x29\0\0\x04\x2a\0\0\x04"
)
_NAMES = (
    "payload_format_indicator",
    "message_expiry_interval",
    "content_type",
    "response_topic",
    "correlation_data",
    "subscription_identifier",
    "session_expiry_interval",
    "assigned_client_identifier",
    "server_keep_alive",
    "authentication_method",
    "authentication_data",
    "request_problem_information",
    "will_delay_interval",
    "request_response_information",
    "response_information",
    "server_reference",
    "reason_string",
    "receive_maximum",
    "topic_alias_maximum",
    "topic_alias",
    "maximum_qos",
    "retain_available",
    "user_property",
    "maximum_packet_size",
    "wildcard_subscription_available",
    "subscription_identifier_available",
    "shared_subscription_available",
)
# Of these 0 is no value [3.1.2.11.3, 3.1.2.11.4, 3.3.2.3.4, 3.3.2.3.8].
_NOT_ZERO = b"\x0b\x21\x23\x27"


def variable(value):
    """A number of up to 28 bits as a variable byte integer (section 1.5.5)."""
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def encode(kind, properties, more=b""):
    """A dict as the properties of packet type `kind`, with `more`, already encoded, before them.
    Raises ValueError.
    """
    data = more
    for name in properties or ():
        if name not in _NAMES:
            raise ValueError("no property: %s" % name)
        place = 4 * _NAMES.index(name)
        if not _allowed(place, kind):
            raise ValueError("no property here: %s" % name)
        value = properties[name]
        if _TABLE[place] == _RESPONSE_TOPIC:
            encoded(value, b"+#")  # [MQTT-3.3.2-14] (5)
        for item in value if isinstance(value, list) else (value,):
            data += _TABLE[place : place + 1] + _value(_TABLE[place], _TABLE[place + 1], item)
    return variable(len(data)) + data


def _allowed(place, kind):
    return (_TABLE[place + 2] << 8 | _TABLE[place + 3]) >> kind & 1


def _value(identifier, form, value):
    if form >= _TEXT:
        data = b""
        for part in value if form == _PAIR else (value,):
            part = part.encode() if isinstance(part, str) else part
            if len(part) > 65535 or (form != _BINARY and not is_text(part)):
                raise ValueError("not for MQTT: %r" % part[:40])
            data += bytes((len(part) >> 8, len(part) & 0xFF)) + part
        return data
    bits = 28 if form == _VARIABLE else 8 * form or 1
    if value >> bits or (not value and identifier in _NOT_ZERO):
        raise ValueError("not for MQTT: %d" % value)
    return variable(value) if form == _VARIABLE else int(value).to_bytes(form or 1, "big")


def decode(kind, body, at):
    """The properties at `at` of a packet's body: a dict, and where they end. Raises ProtocolError.
    """
    length, at = _variable(body, at)
    end = at + length
    if end > len(body):
        raise ProtocolError("2.2.2 (5)")
    properties = {}
    while at < end:
        identifier = body[at]
        place = 0
        while place < len(_TABLE) and _TABLE[place] != identifier:
            place += 4
        if place == len(_TABLE) or not _allowed(place, kind):
            raise ProtocolError("2.2.2.2 (5)")
        name = _NAMES[place >> 2]
        value, at = _read(identifier, _TABLE[place + 1], body, at + 1, end)
        if name == "user_property" or name == "subscription_identifier":
            properties.setdefault(name, []).append(value)
        elif name in properties:
            raise ProtocolError("2.2.2.2 (5)", 0x82)
        else:
            properties[name] = value
    return properties, end


def _read(identifier, form, body, at, end):
    """A value, and where it ends."""
    if form >= _TEXT:
        value, at = _text(form, body, at, end)
        if form == _PAIR:
            second, at = _text(form, body, at, end)
            value = (value, second)
    elif form == _VARIABLE:
        value, at = _variable(body, at)
    else:
        value = 0
        for byte in body[at : at + (form or 1)]:
            value = value << 8 | byte
        at += form or 1
    if at > end:
        raise ProtocolError("2.2.2 (5)")
    if (not form and value > 1) or (identifier in _NOT_ZERO and not value):
        raise ProtocolError("2.2.2.2 (5)", 0x82)
    return value, at


def _text(form, body, at, end):
    start = at + 2
    at = start + (body[at] << 8 | body[at + 1]) if start <= end else 65538
    if at > end:
        raise ProtocolError("2.2.2 (5)")
    data = bytes(body[start:at])
    if form == _BINARY:
        return data, at
    if not is_text(data):
        raise ProtocolError("1.5.4-1 (5)")
    return data.decode(), at


def _variable(body, at):
    """A variable byte integer, and where it ends; in the fewest bytes [MQTT-1.5.5-1]."""
    value = shift = 0
    while at < len(body) and shift < 28:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if shift and not byte:
                break
            return value, at
        shift += 7
    raise ProtocolError("1.5.5-1 (5)")
