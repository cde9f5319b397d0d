"""What must be known of a life of the queue to understand its readings after it: its channels, and
how its uptime becomes a date.

It stands in a file beside the journal's own, `lives`, one JSON object a line; the last line of a
stream counts. A line is written before the first reading of a life goes to flash, and again when
its clock has been set.

    {"s":1986752812,"ch":[["t","Cel",2,null,null]],"unix":1795354689123,"rtc":["a1b2",5123]}

`ch` is key, unit, decimals, step and kind of each channel; `unix` the Unix time in ms at uptime 0,
null while the clock was never set. `rtc` is [which run of the board's real-time clock, what it
showed at uptime 0] or null: a life whose own clock was never set is dated by a later one in the
same run, which is unbroken unless the power was cut.
"""

import json
import os

from micropython import const

from .log import log
from .sensors import Channel

_MOST_BYTES = const(4000)
_STEP_MS = const(500)  # the clock was set, not just read


class Life:
    """`channels` is None for the ones in use."""

    def __init__(self, channels, unix, rtc_ms):
        self.channels = channels
        self.unix = unix
        self.rtc_ms = rtc_ms  # what the present run of the RTC would have shown at its uptime 0


class Lives:
    """`rtc` is the board's: (run, milliseconds) or None. `told`: what the file says of `unix` of
    this life, False for null, None if it says nothing yet.
    """

    def __init__(self, directory, stream, channels, clock, rtc, told=None):
        self._path = directory + "/lives"
        self._stream = stream
        self._channels = [
            [c.key, c.unit, c.decimals, c.step and list(c.step), c.kind] for c in channels
        ]
        self._clock = clock
        self._rtc = rtc and [rtc[0], rtc[1] - clock.now()]
        self.told = told
        self._own = Life(None, None, None)

    # ---- this life

    def tell(self, alone):
        """Write down what is known of this life, unless it is. `alone` if no reading of another
        life is in flash any more. Raises OSError.
        """
        unix = self._clock.unix_ms(0)
        told = self.told
        if told is not None and (unix is None or (told and abs(unix - told) < _STEP_MS)):
            return
        line = {"s": self._stream, "ch": self._channels, "unix": unix, "rtc": self._rtc}
        if told is None and not alone:
            self._shorten()
        with open(self._path, "w" if told is None and alone else "a") as file:
            file.write(json.dumps(line) + "\n")
        self.told = unix or False

    def _shorten(self):
        """Leave out the older half of a file that has grown long."""
        try:
            size = os.stat(self._path)[6]
        except OSError:
            return
        if size < _MOST_BYTES:
            return
        with open(self._path) as old, open(self._path + ".new", "w") as new:
            for line in old:
                size -= len(line)
                if size < _MOST_BYTES // 2:
                    new.write(line)
        os.rename(self._path + ".new", self._path)

    # ---- those before

    def find(self, stream):
        """The Life of a stream."""
        if stream == self._stream:
            return self._own
        found = None
        for line in self._lines():
            if line["s"] == stream:
                found = line
        if found is None:
            return Life(None, None, None)
        channels = None
        if found["ch"] != self._channels:
            channels = [Channel(*described) for described in found["ch"]]
        rtc = found["rtc"]
        same = rtc and self._rtc and rtc[0] == self._rtc[0]
        return Life(channels, found["unix"], rtc[1] if same else None)

    def any_other(self):
        """Has any life there other channels than this one?"""
        others = 0
        for line in self._lines():
            others += line["ch"] != self._channels
        return others > 0

    def unix_ms(self, life, due_ms):
        """The Unix time at an uptime of a life, or None where that can't be known (yet)."""
        if life is self._own:
            return self._clock.unix_ms(due_ms)
        if life.unix is not None:
            return due_ms + life.unix
        now = self._clock.unix_ms(0)
        if life.rtc_ms is None or now is None:
            return None
        return due_ms + life.rtc_ms - self._rtc[1] + now

    def _lines(self):
        try:
            with open(self._path) as file:
                for text in file:
                    line = _parsed(text)
                    if line:
                        yield line
        except OSError as error:
            if error.errno != 2:
                log("flash", "%s can't be read: %s" % (self._path, error))


def _parsed(text):
    """A line of the file, or None if it is damaged."""
    try:
        line = json.loads(text)
        return line if line["s"] and line["ch"] and "unix" in line and "rtc" in line else None
    except (ValueError, KeyError, TypeError):
        return None
