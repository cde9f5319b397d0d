"""Readings as frames (`lib/frame`, docs/WIRE.md): the smallest messages there are.

A frame describes its channels itself. Its readings have numbers without a gap and times of one
kind: Unix milliseconds or, while the clock is not set, uptime, which no receiver takes for a date.
"""

from wake import Wake


def most_bytes(channels):
    """More than the longest frame of one reading can have."""
    return 40 + sum(
        24 + 2 * len(c.key.encode()) + 2 * len((c.unit or "").encode()) for c in channels
    )


def _ratio(channel):
    """(over, under): a value x over / under is its number of true steps."""
    mantissa, exponent = channel.step
    power = exponent + channel.decimals
    return (1, mantissa * 10**power) if power > 0 else (10**-power, mantissa)


class Encoder:
    """`frame` is the codec's encoder. It keeps the readings of the last frame until `begin`;
    `first` is the number of the first of them, `turn` counts the calls of `begin`, `made` is set
    when a frame is finished: `firmware/profile.py` learns from it.
    """

    def __init__(self, channels, stream, device_id, interval_ms, batch):
        # Not before: the check of a config wants `most_bytes` alone, and little memory is left.
        import frame
        from frame.encoder import Encoder as FrameEncoder
        from frame.schema import Schema, channel

        described = [
            channel(c.key, c.unit or "", c.decimals, c.step, c.kind or "") for c in channels
        ]
        self.frame = FrameEncoder(Schema(tuple(described), interval_ms), batch)
        del described, Schema, channel
        frame.forget("schema")
        self._steps = [(i,) + _ratio(c) for i, c in enumerate(channels) if c.step]
        self.stream(stream)
        self._out = memoryview(b"")
        self._dated = False
        self.first = self.count = self.turn = 0
        self.made = Wake()

    def attend(self, board, stream, vitals, uplink, health, most_bytes):
        """From the first connection on have a frame profile: see firmware/profile.py."""

        def on_online():
            from ..profile import Profile  # late: while starting, memory is scarce

            profile = Profile(board, self, stream, vitals, uplink.post, on_birth, most_bytes)
            uplink.on_online, uplink.on_posted = profile.on_online, profile.on_posted
            health.profile = profile
            profile.on_online()

        on_birth, uplink.on_online = uplink.on_online, on_online

    def stream(self, stream):
        self.frame.clear()
        self.frame.begin(stream)

    def begin(self, buffer, limit):
        self.frame.clear()
        self.turn += 1
        self._out = memoryview(buffer)[:limit]
        self.count = 0

    def add(self, number, due, values):
        unix_ms, uptime_ms = due
        dated = unix_ms is not None
        if self.count == 0:
            self.first, self._dated = number, dated
        elif number != self.first + self.count or dated != self._dated:
            return False
        for i, over, under in self._steps:
            if values[i] is not None:
                values[i] = (2 * values[i] * over + under) // (2 * under)
        if not self.frame.add(unix_ms if dated else uptime_ms, values):
            return False
        self.count += 1
        return True

    def finish(self):
        """What is added beyond the message's size is left out again: see `count`."""
        size = self.frame.encode_into(self._out, self.first, self.count)
        while size == 0 and self.count > 1:
            self.count = self.count * 3 // 4
            size = self.frame.encode_into(self._out, self.first, self.count)
        self.made.set()
        return 0, size
