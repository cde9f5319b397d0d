"""BH1750FVI (Rohm): brightness. The words are those of its technical note 11046EDT01."""

from ._i2c import Chip
from ._quantities import Measures

_MEASURE = b"\x20"  # one time, high resolution mode: powers up, measures, powers down
_WAIT_MS = 180  # electrical characteristics: the longest in this mode

QUANTITIES = {"illuminance": ("lx", 1, 2, 0, 54612_50)}


def rules():
    from ._rules import i2c, measured

    return i2c({
        # The chip's address: 0x23 with ADDR to ground, 0x5C with ADDR to its supply.
        "address": ("0x23", "choice", "0x23", "0x5C"),
    }), measured()


def check(entry):
    from ._rules import check

    return check(entry, QUANTITIES)


class Sensor(Measures):
    def __init__(self, entry, board):
        Measures.__init__(self, entry, QUANTITIES)
        self._chip = Chip(entry)
        self._data = bytearray(2)

    def begin(self):
        self._chip.write(_MEASURE)
        return _WAIT_MS

    def read(self, values, first):
        self._chip.read(self._data)
        self.put(values, first, "illuminance", illuminance(self._data[0] << 8 | self._data[1]))


def illuminance(raw):
    """Raw / 1.2, as in "Instruction set architecture"; in 1/100 lx."""
    return (raw * 500 + 3) // 6
