"""AHT20 (Aosong; also AHT21, AHT25): temperature and humidity. Sections are those of the data
sheet "AHT20 product manuals", version 1.0.
"""

from micropython import const

from ._crc import check as check_crc
from ._i2c import Chip
from ._quantities import Measures

_CALIBRATED = const(0x08)
_BUSY = const(0x80)
_INITIALISE = b"\xbe\x08\x00"  # section 5.4, step 1
_MEASURE = b"\xac\x33\x00"  # step 2
_WAIT_MS = 80  # step 3

QUANTITIES = {  # section 1.1
    "temperature": ("Cel", 2, 2, -4000, 8500),
    "humidity": ("%RH", 2, 2, 0, 10000),
}


def rules():
    from ._rules import i2c, measured

    return i2c({
        # The chip has no other address.
        "address": ("0x38", "choice", "0x38"),
    }), measured()


def check(entry):
    from ._rules import check

    return check(entry, QUANTITIES)


class Sensor(Measures):
    def __init__(self, entry, board):
        Measures.__init__(self, entry, QUANTITIES)
        self._chip = Chip(entry)
        self._data = bytearray(7)
        self._status = bytearray(1)

    def begin(self):
        if not self._chip.known:
            self._chip.read(self._status)
            if not self._status[0] & _CALIBRATED:
                self._chip.write(_INITIALISE)
                raise ValueError("the chip has to calibrate itself first")
            self._chip.known = True
        self._chip.write(_MEASURE)
        return _WAIT_MS

    def read(self, values, first):
        data = self._data
        self._chip.read(data)
        if data[0] & _BUSY:
            raise ValueError("the measurement has not ended in time")
        check_crc(data, 0, 6)
        raw_h = data[1] << 12 | data[2] << 4 | data[3] >> 4
        raw_t = (data[3] & 15) << 16 | data[4] << 8 | data[5]
        self.put(values, first, "humidity", humidity(raw_h))
        self.put(values, first, "temperature", temperature(raw_t))


def humidity(raw):
    """Section 6.1: 100 raw / 2^20, in 1/100 %."""
    return 625 * raw + 32768 >> 16


def temperature(raw):
    """Section 6.2: 200 raw / 2^20 - 50, in 1/100 degrees Celsius."""
    return (625 * raw + 16384 >> 15) - 5000
