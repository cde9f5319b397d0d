"""SHT40, SHT41, SHT43 and SHT45 (Sensirion): temperature and humidity. Sections are those of the
data sheet "Datasheet SHT4x", version 6.
"""

from . import sht3x

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


def humidity(raw):
    """Section 4.6: -6 + 125 raw / (2^16 - 1), cut off at 0 and 100, in 1/100 %."""
    return min(max((2500 * raw + 6553) // 13107 - 600, 0), 10000)


class Sensor(sht3x.Sensor):
    measure, wait_ms = _MEASURE, _WAIT_MS
    humidity = staticmethod(humidity)
