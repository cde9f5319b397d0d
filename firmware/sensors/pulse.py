"""Pulses at a pin: rain gauge, water or electricity meter, anemometer.

`pulses` are those since the last reading, `total` those since the start; either is multiplied and
divided to be millimetres, litres or watt-hours, and what a division leaves over is kept for the
next reading. A reading that is lost takes its pulses with it, so let `total` be a channel where
each counts; it starts at 0 again with the device, and after 2^29 pulses.

ESP32 counts in hardware where its firmware has machine.Counter (ports/esp32/modules/machine.py);
RP2040 in a hard interrupt; else the interrupt is a soft one, of which a busy interpreter keeps 8.
"""

from time import ticks_diff, ticks_ms

from micropython import const

from ._quantities import Measures

_MASK = const(0x1FFFFFFF)  # one more is still a small integer, on every port

QUANTITIES = {
    "pulses": ("count", 0, 6, 0, 0),
    "total": ("count", 0, 6, 0, 0),
}


def rules():
    from ._rules import measured

    return {
        # The pin's number.
        "pin": (..., "integer", 0, 60),
        # The resistor inside the chip.
        "pull": ("up", "choice", "up", "down", "none"),
        # Which edge counts.
        "edge": ("falling", "choice", "falling", "rising"),
        # An edge that comes sooner after another than this is a contact that bounces.
        "debounce_ms": (0, "integer", 0, 10000),
        # A pulse is multiply / divide: a rain gauge of 0.2794 mm has 2794 and 10000.
        "multiply": (1, "integer", 1, 100000),
        # See `multiply`: a flow meter of 450 pulses a litre has 1 and 450.
        "divide": (1, "integer", 1, 100000),
    }, measured()


def check(entry):
    from ._rules import check

    for problem in check(entry, QUANTITIES):
        yield problem
    for channel in entry["channels"].values():
        if channel["quantity"] == "total":
            channel["kind"] = "count"


class Sensor(Measures):
    def __init__(self, entry, board):
        from ._pins import input_pin, interrupt

        Measures.__init__(self, entry, QUANTITIES)
        self._debounce_ms = entry["debounce_ms"]
        self._factors = [entry["multiply"] * 10**c.decimals for c in self.channels]
        self._divisor = entry["divide"]
        self._rests = [0] * len(self.channels)
        self._total = self._counted = 0
        self._edge_ms = ticks_ms() - self._debounce_ms
        pin = input_pin(entry)
        self._counter = None if self._debounce_ms else _counter(pin, entry)
        if self._counter is None:
            interrupt(pin, self.on_edge, entry["edge"])

    def on_edge(self, pin):
        """Runs in the interrupt, where nothing can be allocated."""
        now = ticks_ms()
        if ticks_diff(now, self._edge_ms) >= self._debounce_ms:
            self._counted = self._counted + 1 & _MASK
            self._edge_ms = now

    def begin(self):
        return 0

    def read(self, values, first):
        if self._counter:
            self._counted = self._counter.value() & _MASK
        counted = self._counted  # once: it goes on
        new = counted - self._total & _MASK
        self._total = counted
        for i in range(len(self.wanted)):
            rest = self._rests[i] if self.wanted[i] == "pulses" else 0
            amount = (new if self.wanted[i] == "pulses" else counted) * self._factors[i] + rest
            values[first + i] = amount // self._divisor
            self._rests[i] = amount % self._divisor


def _counter(pin, entry):
    """A counter of the hardware's, or None."""
    import machine

    if not hasattr(machine, "Counter"):
        return None
    counter = machine.Counter
    edge = counter.RISING if entry["edge"] == "rising" else counter.FALLING
    return counter(pulse_units.pop(), pin, edge=edge) if pulse_units else None


pulse_units = [3, 2, 1, 0]  # of the hardware counters, that no sensor has taken; each ESP32 has 4
