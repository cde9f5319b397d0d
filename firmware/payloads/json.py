"""Readings as JSON, written without a float.

    {"s":2983471,"n":12,"ts":1732265000,"t":25.5,"h":60}

Several readings are an array of these. A channel without a value is left out. While the clock is
not set there is `"up"` in place of `ts`: the device's uptime in whole seconds when the reading
was due.
"""

from scaled import text


def most_bytes(channels):
    """The longest message of one reading, for values of 32 bits."""
    longest = len('{"s":2147483648,"n":2147483648,"ts":99999999999}')
    for channel in channels:
        longest += (
            len(channel.key.encode())
            + len(',"":-2147483648.')
            + (channel.decimals > 9) * channel.decimals
        )
    return longest


class Encoder:
    """The base of every format that puts readings one behind the other: `one` gives the bytes of
    a reading, `brackets` what is around several, and between them.
    """

    brackets = b"[],"

    def __init__(self, channels, stream, *_):
        self._channels = [(',"%s":' % channel.key, channel.decimals) for channel in channels]
        self.stream(stream)
        self._buffer = bytearray()
        self._limit = self._end = self.count = 0

    def stream(self, stream):
        self._head = '{"s":%d,"n":' % stream

    def begin(self, buffer, limit):
        self._buffer = buffer
        self._limit = limit
        self._end = 1  # behind the place of "[", which one reading alone goes without
        self.count = 0

    def add(self, number, due, values):
        data = self.one(number, due, values)
        if self.count:
            data = self.brackets[2:] + data
        size = self._end - 1 + len(data) + (2 if self.count else 0)
        if size > self._limit:
            return False
        self._buffer[self._end : self._end + len(data)] = data
        self._end += len(data)
        self.count += 1
        return True

    def finish(self):
        if self.count < 2:
            return 1, self._end
        self._buffer[0] = self.brackets[0]
        self._buffer[self._end] = self.brackets[1]
        return 0, self._end + 1

    def one(self, number, due, values):
        unix_ms, uptime_ms = due
        parts = [self._head, str(number)]
        if unix_ms is None:
            parts.append(',"up":%d' % (uptime_ms // 1000))
        else:
            parts.append(',"ts":%d' % (unix_ms // 1000))
        for i in range(len(values)):
            if values[i] is not None:
                name, decimals = self._channels[i]
                parts.append(name)
                parts.append(text(values[i], decimals))
        parts.append("}")
        return "".join(parts).encode()
