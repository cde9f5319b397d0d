"""Readings as SenML in CBOR (RFC 8428, section 6).

A pack is one array of records. The first has the base name `devices/{id}/` and the base time; a
record is a channel's name, unit, value and, where it is not the base time, its time after that.
Values with decimals, and times with milliseconds, are decimal fractions (tag 4).

The first record of each reading also has two labels of our own, which other receivers pass over
(section 4.4): "stream", and "seq" with the reading's number. Every record of a reading whose time
is not known carries no time, which SenML takes for about now (section 4.5.3).
"""

import cbor

_BASE_NAME, _BASE_TIME = b"\x21", b"\x22"  # labels -2 and -3 (table 4)
_NAME, _UNIT, _VALUE, _TIME = b"\x00", b"\x01", b"\x02", b"\x06"


def most_bytes(channels):
    """The longest message of one reading, for values of 32 bits and an id of 64 bytes."""
    longest = 2 + 2 + 74 + 2 + len(b"\xc4\x82\x22\x1b........") + len(b"\x66stream\x1a....")
    for channel in channels:
        longest += 6 + len(cbor.text(channel.key)) + len(cbor.text(channel.unit or ""))
        longest += len(b"\xc4\x82\x28\x1a....")
    return longest + len(b"\x63seq\x1a....") + 2


class Encoder:
    def __init__(self, channels, stream, device_id="", *_):
        self._channels = []
        for channel in channels:
            head = _NAME + cbor.text(channel.key)
            if channel.unit:
                head += _UNIT + cbor.text(channel.unit)
            self._channels.append((head, 2 if channel.unit else 1, channel.decimals))
        self._base = _BASE_NAME + cbor.text("devices/" + device_id + "/")
        self.stream(stream)
        self._buffer = bytearray()
        self._limit = self._end = self._base_ms = self.count = 0

    def stream(self, stream):
        self._stream = cbor.text("stream") + cbor.integer(stream)

    def begin(self, buffer, limit):
        self._buffer = buffer
        self._limit = limit
        buffer[0] = 0x9F  # an array of open length
        self._end = 1
        self._base_ms = None
        self.count = 0

    def add(self, number, due, values):
        unix_ms, _ = due
        first = self._end == 1
        if not first and (unix_ms is None) != (self._base_ms is None):
            return False  # the clock was set in between: times have no common base
        own = cbor.text("seq") + cbor.integer(number)
        members = 1
        if first:
            own = self._base + self._stream + own
            members = 3
            if unix_ms is not None:
                own = _BASE_TIME + cbor.decimal(unix_ms, 3) + own
                members = 4
        after = b""
        if not first and unix_ms is not None and unix_ms != self._base_ms:
            after = _TIME + cbor.decimal(unix_ms - self._base_ms, 3)
        data = b""
        for i in range(len(values)):
            if values[i] is not None:
                head, size, decimals = self._channels[i]
                size += members + 1 + (1 if after else 0)
                value = _VALUE + cbor.decimal(values[i], decimals)
                data += cbor.head(cbor.MAP, size) + own + head + value + after
                own, members = b"", 0
        if self._end + len(data) + 1 > self._limit:
            return False
        if first:
            self._base_ms = unix_ms
        self._buffer[self._end : self._end + len(data)] = data
        self._end += len(data)
        self.count += 1
        return True

    def finish(self):
        self._buffer[self._end] = 0xFF
        return 0, self._end + 1
