"""Readings as CBOR maps (RFC 8949), with the members of the JSON format.

    {"s": 2983471, "n": 12, "ts": 1732265000, "t": 25.5, "h": 60}

Values with decimals are decimal fractions (tag 4), so that no float spoils them. Several readings
are an array of open length.
"""

import cbor

from .json import Encoder as Json


def most_bytes(channels):
    """The longest message of one reading, for values of 32 bits."""
    longest = 1 + len(b"\x61s\x1a....\x61n\x1a....\x62ts\x1b........")
    for channel in channels:
        longest += len(cbor.text(channel.key)) + len(b"\xc4\x82\x28\x1a....")
    return longest


class Encoder(Json):
    brackets = b"\x9f\xff"

    def __init__(self, channels, stream, *_):
        Json.__init__(self, channels, stream)
        self._channels = [(cbor.text(channel.key), channel.decimals) for channel in channels]

    def stream(self, stream):
        self._head = b"\x61s" + cbor.integer(stream) + b"\x61n"

    def one(self, number, due, values):
        unix_ms, uptime_ms = due
        if unix_ms is None:
            time = b"\x62up" + cbor.integer(uptime_ms // 1000)
        else:
            time = b"\x62ts" + cbor.integer(unix_ms // 1000)
        parts = [self._head, cbor.integer(number), time]
        for i in range(len(values)):
            if values[i] is not None:
                name, decimals = self._channels[i]
                parts.append(name + cbor.decimal(values[i], decimals))
        members = len(parts)  # "s" and "n" are two, in parts 0 and 1
        return cbor.head(cbor.MAP, members) + b"".join(parts)
