"""Memory that outlives a reset and a deep sleep, but not a power cut.

    check (2 bytes) | name (1) length (2) data | name (1) length (2) data | ... | 0

The check is the low half of CRC-32 over all that follows: what power-on leaves in that memory is
random. ESP32 has 2,048 bytes of it, RP2040 sixteen.
"""

from binascii import crc32


class Retained:
    """`raw` is what the memory held at the start, `write(bytes)` replaces it and returns False if
    it has not the room.
    """

    def __init__(self, raw, write):
        self._write = write
        self._slots = _unpack(raw) or {}

    def get(self, name):
        """What was kept under a name of which the first letter counts, or None."""
        return self._slots.get(name[0])

    def keep(self, name, data):
        """Replace it; False if there is no room, then nothing has changed. None forgets it."""
        before = self._slots.get(name[0])
        self._put(name[0], data)
        if self._write(_pack(self._slots)):
            return True
        self._put(name[0], before)
        return False

    def _put(self, letter, data):
        if data is None:
            self._slots.pop(letter, None)
        else:
            self._slots[letter] = data


def _pack(slots):
    body = b""
    for letter in slots:
        length = len(slots[letter])
        body += letter.encode() + bytes((length & 0xFF, length >> 8)) + slots[letter]
    body += b"\0"
    check = crc32(body)
    return bytes((check & 0xFF, check >> 8 & 0xFF)) + body


def _unpack(raw):
    """The slots, or None if these bytes are none of ours."""
    slots = {}
    at = 2
    while at < len(raw) and raw[at]:
        if at + 3 > len(raw):
            return None
        end = at + 3 + (raw[at + 1] | raw[at + 2] << 8)
        slots[chr(raw[at])] = bytes(raw[at + 3 : end])
        at = end
    if at >= len(raw):
        return None
    check = crc32(bytes(raw[2 : at + 1]))
    return slots if raw[0] == check & 0xFF and raw[1] == check >> 8 & 0xFF else None
