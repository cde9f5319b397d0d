"""What a sensor measures, and how its whole numbers become the channels of a config.

A driver's QUANTITIES is {name: (unit, usual decimals, decimals, lowest, highest)}: SenML's name of
the unit (RFC 8428), the decimals of a channel that does not say, those that the driver's formula
gives, and the range of the data sheet, in the formula's integers. A value beyond the range is a
disturbance: it is refused.
"""

from scaled import text

from . import channels


class Measures:
    """Base of a driver: `channels`, and `put` for its `read`."""

    def __init__(self, entry, quantities):
        options = entry["channels"]
        self.channels = channels(options)
        self._quantities = quantities
        self.wanted = [options[c.key]["quantity"] for c in self.channels]
        self._divide = [
            10 ** (quantities[name][2] - c.decimals)
            for name, c in zip(self.wanted, self.channels)
        ]

    def put(self, values, first, quantity, value):
        """Give a value, an integer with its formula's decimals, to the channels that want it.

        Raises ValueError if the sensor can't measure such a value. Allocates nothing else.
        """
        _, _, _, lowest, highest = self._quantities[quantity]
        if not lowest <= value <= highest:
            _refuse(quantity, value, *self._quantities[quantity][2:])
        for i in range(len(self.wanted)):
            if self.wanted[i] == quantity:
                values[first + i] = rounded(value, self._divide[i])


def _refuse(quantity, value, decimals, lowest, highest):
    numbers = [text(number, decimals) for number in (value, lowest, highest)]
    raise ValueError("%s of %s is beyond %s to %s" % tuple([quantity] + numbers))


def rounded(value, divide):
    """value / divide, rounded half away from zero."""
    half = divide // 2
    return (value + half) // divide if value >= 0 else -((half - value) // divide)
