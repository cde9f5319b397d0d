"""SCD40 and SCD41 (Sensirion): carbon dioxide, temperature and humidity. Sections are those of the
data sheet "Datasheet SCD4x", version 1.4.

The chip measures by itself every 5 s, and a reading takes what it measured last.
"""

from errno import ETIMEDOUT

from ._crc import word
from ._i2c import Chip
from ._quantities import Measures
from .sht3x import humidity, temperature

_START = b"\x21\xb1"  # start_periodic_measurement (section 3.5.1)
_READ = b"\xec\x05"  # read_measurement (section 3.5.2)
_READY = b"\xe4\xb8"  # get_data_ready_status (section 3.8.2)
_WAIT_MS = 1  # both take that long
_PERIOD_S = 5

QUANTITIES = {  # section 1, output ranges
    "co2": ("ppm", 0, 0, 0, 40000),
    "temperature": ("Cel", 2, 2, -1000, 6000),
    "humidity": ("%RH", 2, 2, 0, 10000),
}


def rules():
    from ._rules import i2c, measured

    return i2c({
        # The chip has no other address.
        "address": ("0x62", "choice", "0x62"),
    }), measured()


def check(entry):
    from ._rules import check

    return check(entry, QUANTITIES, _PERIOD_S)


class Sensor(Measures):
    def __init__(self, entry, board):
        Measures.__init__(self, entry, QUANTITIES)
        self._chip = Chip(entry)
        self._data = bytearray(9)

    def begin(self):
        if not self._chip.known:
            self._start()
        self._chip.write(_READ)
        return _WAIT_MS

    def read(self, values, first):
        """Where nothing was measured since the last reading, the channels stay without a value."""
        try:
            self._chip.read(self._data)
        except OSError as error:  # section 3.5.2: a read without new values is not acknowledged
            self._still_there(error)
            return
        self.put(values, first, "co2", word(self._data, 0))
        self.put(values, first, "temperature", temperature(word(self._data, 3)))
        self.put(values, first, "humidity", humidity(word(self._data, 6)))

    def _start(self):
        """While it measures, as after a reset of ours alone, it does not take the command (section
        3.5.1).
        """
        try:
            self._chip.write(_START)
        except OSError as error:
            self._still_there(error)
        self._chip.known = True

    def _still_there(self, error):
        if error.errno == ETIMEDOUT:
            raise error
        self._chip.write(_READY)
        self._chip.known = True
