"""SHT30, SHT31 and SHT35 (Sensirion): temperature and humidity. Sections are those of the data
sheet "Datasheet SHT3x-DIS", version 7.
"""

from ._crc import word
from ._i2c import Chip
from ._quantities import Measures

_MEASURE = b"\x24\x00"  # single shot, high repeatability, no clock stretching (section 4.3)
_WAIT_MS = 16  # section 2.2, the longest at a low supply voltage

QUANTITIES = {  # section 2.1
    "temperature": ("Cel", 2, 2, -4000, 12500),
    "humidity": ("%RH", 2, 2, 0, 10000),
}


def rules():
    from ._rules import i2c, measured

    return i2c({
        # The chip's address: 0x44 with ADDR to ground, 0x45 with ADDR to its supply.
        "address": ("0x44", "choice", "0x44", "0x45"),
    }), measured()


def check(entry):
    from ._rules import check

    return check(entry, QUANTITIES)


def temperature(raw):
    """Section 4.13: -45 + 175 raw / (2^16 - 1), in 1/100 degrees Celsius."""
    return (3500 * raw + 6553) // 13107 - 4500


def humidity(raw):
    """Section 4.13: 100 raw / (2^16 - 1), in 1/100 %."""
    return (2000 * raw + 6553) // 13107


class Sensor(Measures):
    """An SHT4x too, with another command, wait and formula."""

    measure, wait_ms = _MEASURE, _WAIT_MS
    humidity = staticmethod(humidity)

    def __init__(self, entry, board):
        Measures.__init__(self, entry, QUANTITIES)
        self._chip = Chip(entry)
        self._data = bytearray(6)

    def begin(self):
        self._chip.write(self.measure)
        return self.wait_ms

    def read(self, values, first):
        """Before the measurement has ended the chip does not acknowledge (section 4.4)."""
        self._chip.read(self._data)
        self.put(values, first, "temperature", temperature(word(self._data, 0)))
        self.put(values, first, "humidity", self.humidity(word(self._data, 3)))
