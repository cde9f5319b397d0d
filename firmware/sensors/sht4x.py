"""SHT40, SHT41, SHT43 and SHT45 (Sensirion): temperature and humidity. Sections are those of the
data sheet "Datasheet SHT4x", version 6.
"""

from ._crc import word
from ._i2c import Chip
from ._quantities import Measures
from .sht3x import temperature

_MEASURE = b"\xfd"  # with high precision (section 4.5)
_WAIT_MS = 9  # section 3.1, table 5: 8.3 ms at the most

QUANTITIES = {  # section 2
    "temperature": ("Cel", 2, 2, -4000, 12500),
    "humidity": ("%RH", 2, 2, 0, 10000),
}


def rules():
    from ._rules import i2c, measured

    return i2c({
        # The chip's address, which the last letters of its type tell: A, B, C.
        "address": ("0x44", "choice", "0x44", "0x45", "0x46"),
    }), measured()


def check(entry):
    from ._rules import check

    return check(entry, QUANTITIES)


class Sensor(Measures):
    def __init__(self, entry, board):
        Measures.__init__(self, entry, QUANTITIES)
        self._chip = Chip(entry)
        self._data = bytearray(6)

    def begin(self):
        self._chip.write(_MEASURE)
        return _WAIT_MS

    def read(self, values, first):
        """Before the measurement has ended the chip does not acknowledge (section 4.4)."""
        self._chip.read(self._data)
        self.put(values, first, "temperature", temperature(word(self._data, 0)))
        self.put(values, first, "humidity", humidity(word(self._data, 3)))


def humidity(raw):
    """Section 4.6: -6 + 125 raw / (2^16 - 1), cut off at 0 and 100, in 1/100 %."""
    return min(max((2500 * raw + 6553) // 13107 - 600, 0), 10000)
