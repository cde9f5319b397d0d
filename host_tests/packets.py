"""MQTT 3.1.1 packets built after the standard, as a second opinion on what the device sends."""

import struct


def with_length(first_byte, body):
    """A fixed header, section 2.2, and the body."""
    header, length = bytearray([first_byte]), len(body)
    while length > 127:
        header.append(length & 127 | 128)
        length >>= 7
    header.append(length)
    return bytes(header) + body


def text(data):
    """A string with its length, section 1.5.3."""
    return struct.pack("!H", len(data)) + data


def connect(client_id, keepalive_s, will=None, user=None, password=None):
    flags, payload = 0x02, text(client_id)
    if will:
        flags |= 0x04 | 0x08 | 0x20  # a will, QoS 1, retained
        payload += text(will[0]) + text(will[1])
    if user is not None:
        flags |= 0xC0
        payload += text(user) + text(password or b"")
    return with_length(0x10, text(b"MQTT") + bytes([4, flags]) + keepalive_s.to_bytes(2) + payload)


def publish(topic, payload, qos=0, retain=False, packet_id=0):
    packet_id = packet_id.to_bytes(2) if qos else b""
    return with_length(0x30 | qos << 1 | retain, text(topic) + packet_id + payload)


def subscribe(topic, packet_id):
    return with_length(0x82, packet_id.to_bytes(2) + text(topic) + b"\x01")


def connack(code=0, session=0):
    return bytes([0x20, 2, session, code])


def puback(packet_id):
    return b"\x40\x02" + packet_id.to_bytes(2)


def suback(packet_id, granted=1):
    return b"\x90\x03" + packet_id.to_bytes(2) + bytes([granted])


PINGREQ, PINGRESP, DISCONNECT = b"\xc0\x00", b"\xd0\x00", b"\xe0\x00"
