"""The last readings of a device, in arrays: 8 bytes a value."""

import bisect
import math
from array import array

from petrel.gateway.fleet.brief import plain

MOST_POINTS = 300
MOST_CHANNELS = 12


class History:
    """Readings in the order of their times, however they came.

    times: Unix ms. streams, numbers: of each reading. channels: {key: values}, NaN for none.
    """

    def __init__(self):
        self.times, self.streams, self.numbers = array("d"), array("q"), array("q")
        self.channels = {}

    def add(self, time_ms, stream, number, values):
        """Enter a reading; the oldest makes room."""
        at = len(self.times)
        if at and time_ms < self.times[-1]:
            at = bisect.bisect_right(self.times, time_ms)
            if not at and len(self.times) >= MOST_POINTS:
                return
        for key in values:
            if key not in self.channels and len(self.channels) < MOST_CHANNELS:
                self.channels[key] = array("d", [math.nan]) * len(self.times)
        for column, value in self._row(time_ms, stream, number, values):
            column.insert(at, value)
        if len(self.times) > MOST_POINTS:
            for column in (self.times, self.streams, self.numbers, *self.channels.values()):
                del column[0]

    def _row(self, time_ms, stream, number, values):
        yield self.times, time_ms
        yield self.streams, stream
        yield self.numbers, number
        for key, column in self.channels.items():
            yield column, values.get(key, math.nan)

    def last(self, count):
        """The last values of the first channel, None where there is none."""
        column = next(iter(self.channels.values()), ())
        return [plain(value) for value in column[-count:]]

    def dump(self):
        """All of it as plain data, for JSON."""
        return {
            "times": [*self.times], "streams": [*self.streams], "numbers": [*self.numbers],
            "channels": {key: [plain(v) for v in column] for key, column in self.channels.items()},
        }
