"""BME280 and BMP280 (Bosch): temperature, air pressure and, the BME280 only, humidity.

A reading is one measurement in forced mode; between two the chip sleeps. The sections named here
are those of the data sheet BST-BME280-DS002; the BMP280's (BST-BMP280-DS001) says the same of what
both have.
"""

from struct import unpack_from

from micropython import const

from ._i2c import Chip
from ._quantities import Measures

_ID = const(0xD0)
_BME280 = const(0x60)
_TRIMMING = const(0x88)  # T1 to P9, and H1 at 0xA1
_TRIMMING_HUMIDITY = const(0xE1)
_STATUS = const(0xF3)
_MEASURING = const(0x08)
_DATA = const(0xF7)
_SKIPPED = const(0x80000)  # what a measurement that was not made reads (section 5.4.7)

QUANTITIES = {  # section 1.1 to 1.3, operating ranges
    "temperature": ("Cel", 2, 2, -4000, 8500),
    "pressure": ("Pa", 0, 2, 30000_00, 110000_00),
    "humidity": ("%RH", 2, 2, 0, 100_00),
}


def rules():
    from ._rules import i2c, measured

    return i2c({
        # The chip's address: 0x76 with SDO to ground, 0x77 with SDO to its supply.
        "address": ("0x76", "choice", "0x76", "0x77"),
        # Measurements that the chip averages for one reading.
        "oversampling": (1, "choice", 1, 2, 4, 8, 16),
    }), measured()


def check(entry):
    from ._rules import check

    return check(entry, QUANTITIES)


class Sensor(Measures):
    def __init__(self, entry, board):
        Measures.__init__(self, entry, QUANTITIES)
        self._chip = Chip(entry)
        times = entry["oversampling"]
        code = {1: 1, 2: 2, 4: 3, 8: 4, 16: 5}[times]
        # ctrl_hum counts from the next write to ctrl_meas on (section 5.4.3); forced mode is 1.
        self._measure = bytes((0xF2, code, 0xF4, code << 5 | code << 2 | 1))
        self._wait_ms = (24 + 69 * times) // 10 + 1  # section 9.1, the longest
        self._data = bytearray(8)
        self._status = bytearray(1)

    def begin(self):
        if not self._chip.known:
            self._set_up()
        self._chip.write(self._measure)
        return self._wait_ms

    def read(self, values, first):
        self._chip.read_at(_STATUS, self._status)
        if self._status[0] & _MEASURING:
            raise ValueError("the measurement has not ended in time")
        data = self._data
        self._chip.read_at(_DATA, data)
        raw_t = data[3] << 12 | data[4] << 4 | data[5] >> 4
        raw_p = data[0] << 12 | data[1] << 4 | data[2] >> 4
        if raw_t == _SKIPPED or raw_p == _SKIPPED:
            raise ValueError("the chip was reset while it measured")
        t, p, h = self._trimming
        fine = fine_temperature(t, raw_t)
        self.put(values, first, "temperature", fine * 5 + 128 >> 8)
        if "pressure" in self.wanted:
            self.put(values, first, "pressure", pressure(p, fine, raw_p) * 25 >> 6)
        if "humidity" in self.wanted:
            raw_h = data[6] << 8 | data[7]
            self.put(values, first, "humidity", humidity(h, fine, raw_h) * 25 >> 8)

    def _set_up(self):
        """Read what the factory wrote into this chip (section 4.2.2)."""
        chip, humid = self._chip, "humidity" in self.wanted
        chip.read_at(_ID, self._status)
        if humid and self._status[0] != _BME280:
            raise ValueError("no BME280, so no humidity; leave that channel out")
        low, high = bytearray(26), bytearray(7)
        chip.read_at(_TRIMMING, low)
        if humid:
            chip.read_at(_TRIMMING_HUMIDITY, high)
        self._trimming = trimming(low, high)
        chip.known = True


def trimming(low, high):
    """(T1 to T3), (P1 to P9), (H1 to H6) from the bytes at 0x88 and at 0xE1 (section 4.2.2)."""
    h2, h3, e4, e5, e6, h6 = unpack_from("<hBbBbb", high)
    humid = (low[25], h2, h3, e4 << 4 | e5 & 15, e6 << 4 | e5 >> 4, h6)
    return unpack_from("<Hhh", low), unpack_from("<Hhhhhhhhh", low, 6), humid


def fine_temperature(trimming, raw):
    """t_fine of section 4.2.3: 5120 a degree Celsius."""
    t1, t2, t3 = trimming
    slope = ((raw >> 3) - (t1 << 1)) * t2 >> 11
    bend = (raw >> 4) - t1
    return slope + ((bend * bend >> 12) * t3 >> 14)


def pressure(trimming, fine, raw):
    """In 1/256 Pa, by the 64-bit formula of section 4.2.3: its products are long integers, which
    take 900 bytes of a board's heap for a moment.
    """
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = trimming
    v1 = fine - 128000
    v2 = v1 * v1 * p6 + (v1 * p5 << 17) + (p4 << 35)
    v1 = (v1 * v1 * p3 >> 8) + (v1 * p2 << 12)
    v1 = ((1 << 47) + v1) * p1 >> 33
    if v1 == 0:
        raise ValueError("the chip has no trimming parameters")
    p = ((1048576 - raw << 31) - v2) * 3125 // v1
    v1 = p9 * (p >> 13) * (p >> 13) >> 25
    v2 = p8 * p >> 19
    return (p + v1 + v2 >> 8) + (p7 << 4)


def humidity(trimming, fine, raw):
    """In 1/1024 %, by the 32-bit formula of section 4.2.3."""
    h1, h2, h3, h4, h5, h6 = trimming
    v = fine - 76800
    offset = (raw << 14) - (h4 << 20) - h5 * v + 16384 >> 15
    slope = (v * h6 >> 10) * ((v * h3 >> 11) + 32768) >> 10
    v = offset * ((slope + 2097152) * h2 + 8192 >> 14)
    v -= ((v >> 15) * (v >> 15) >> 7) * h1 >> 4
    return min(max(v, 0), 419430400) >> 12
