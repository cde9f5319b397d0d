"""Readings as frames (`lib/frame`, docs/WIRE.md): the smallest messages there are.

A frame describes its channels itself. Its readings have numbers without a gap and times of one
kind: Unix milliseconds or, while the clock is not set, uptime, which no receiver takes for a date.
"""

from frame.encoder import Encoder as FrameEncoder
from frame.schema import Schema, channel


def most_bytes(channels):
    """More than the longest frame of one reading can have."""
    return 40 + sum(
        24 + 2 * len(c.key.encode()) + 2 * len((c.unit or "").encode()) for c in channels
    )


def _described(c):
    return channel(c.key, c.unit or "", c.decimals, c.step, c.kind or "")


def _ratio(channel):
    """(over, under): a value x over / under is its number of true steps."""
    mantissa, exponent = channel.step
    power = exponent + channel.decimals
    return (1, mantissa * 10**power) if power > 0 else (10**-power, mantissa)


class Encoder:
    def __init__(self, channels, stream, device_id, interval_ms, batch):
        schema = Schema(tuple([_described(c) for c in channels]), interval_ms)
        self._steps = [(i,) + _ratio(c) for i, c in enumerate(channels) if c.step]
        self._frame = FrameEncoder(schema, batch)
        self._frame.begin(stream)
        self._out = memoryview(b"")
        self._first = 0
        self._dated = False
        self.count = 0

    def begin(self, buffer, limit):
        self._frame.clear()
        self._out = memoryview(buffer)[:limit]
        self.count = 0

    def add(self, number, due, values):
        unix_ms, uptime_ms = due
        dated = unix_ms is not None
        if self.count == 0:
            self._first, self._dated = number, dated
        elif number != self._first + self.count or dated != self._dated:
            return False
        for i, over, under in self._steps:
            if values[i] is not None:
                values[i] = (2 * values[i] * over + under) // (2 * under)
        if not self._frame.add(unix_ms if dated else uptime_ms, values):
            return False
        self.count += 1
        return True

    def finish(self):
        """What is added beyond the message's size is left out again: see `count`."""
        size = self._frame.encode_into(self._out, self._first, self.count)
        while size == 0 and self.count > 1:
            self.count = self.count * 3 // 4
            size = self._frame.encode_into(self._out, self._first, self.count)
        return 0, size
