"""A contact or another signal at a pin: 1 or 0, read when due and, with `edges`, at each change.

        edge                edge, sooner than debounce_ms
    settled ---> [ring] ---> settling ---.
       ^                        |    ^---'
       '---- debounce_ms pass --'  a reading, dated when the level came to rest

The interrupt writes edges into a ring; `edge` takes those that have settled out of it. An edge
that finds the ring full, or that the port has lost, is noticed by the level.
"""

from time import ticks_diff, ticks_ms

from micropython import const

from ._quantities import Measures

_RING = const(16)

QUANTITIES = {"level": ("/", 0, 0, 0, 1)}


def rules():
    from ._rules import measured

    return {
        # The pin's number.
        "pin": (..., "integer", 0, 60),
        # The resistor inside the chip.
        "pull": ("up", "choice", "up", "down", "none"),
        # true: 1 is a low pin, as of a contact to ground that is closed.
        "invert": (False, "boolean"),
        # true: each change is a reading of its own, beside those every `every_s`.
        "edges": (True, "boolean"),
        # A level counts when it has stayed for so long.
        "debounce_ms": (20, "integer", 0, 10000),
    }, measured()


def check(entry):
    from ._rules import check

    return check(entry, QUANTITIES)


class Sensor(Measures):
    def __init__(self, entry, board):
        from ._pins import input_pin, interrupt

        Measures.__init__(self, entry, QUANTITIES)
        self.edges = entry["edges"]
        self._invert = int(entry["invert"])
        self._debounce_ms = entry["debounce_ms"]
        self._pin = input_pin(entry)
        self._settled = self._pin.value()
        self._when_ms = [0] * _RING
        self._levels = bytearray(_RING)
        self._in = self._out = 0  # places in the ring
        if self.edges:
            interrupt(self._pin, self.on_edge, "both")

    def on_edge(self, pin):
        """Runs in the interrupt, where nothing can be allocated."""
        place = self._in
        after = (place + 1) % _RING
        if after != self._out:
            self._when_ms[place] = ticks_ms()
            self._levels[place] = pin.value()
            self._in = after

    def begin(self):
        return 0

    def read(self, values, first):
        self._give(self._pin.value(), values, first)

    def edge(self, values, first):
        """Give the values of the next change that has settled, and return how many ms ago that
        was, or None if there is none.
        """
        if self._in == self._out and self._pin.value() != self._settled:
            self.on_edge(self._pin)  # the port has lost its interrupt
        while self._in != self._out:
            place, after = self._out, (self._out + 1) % _RING
            last = after == self._in
            came_ms, level = self._when_ms[place], self._levels[place]
            until_ms = ticks_ms() if last else self._when_ms[after]
            settled = ticks_diff(until_ms, came_ms) >= self._debounce_ms
            if last and not settled:
                return None
            self._out = after
            if settled and level != self._settled:
                self._settled = level
                self._give(level, values, first)
                return ticks_diff(ticks_ms(), came_ms)
        return None

    def _give(self, level, values, first):
        self.put(values, first, "level", level ^ self._invert)
