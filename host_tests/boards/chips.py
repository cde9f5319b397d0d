"""The chips that drivers talk to, byte by byte after their data sheets. On MicroPython.

A test sets what a chip measures in its raw numbers, pulls its plug (`unplug`, `plug`), and spoils
a bit of what it says (`spoil`: the number of the byte).
"""

from host_tests.boards import world
from host_tests.boards.i2c import Nack


def crc8(data):
    """Sensirion's and Aosong's, by polynomial division of the whole message."""
    number = len(data) * 8
    rest = int.from_bytes(data, "big") << 8
    rest ^= 0xFF << number  # the start value
    for bit in range(number + 7, 7, -1):
        if rest >> bit & 1:
            rest ^= 0x131 << bit - 8
    return rest


def with_crc(*words):
    out = b""
    for word in words:
        data = bytes((word >> 8, word & 0xFF))
        out += data + bytes((crc8(data),))
    return out


class Chip:
    """`took` is every command since the power came."""

    def __init__(self):
        self.plugged = True
        self.spoil = None
        self.power_on()

    def power_on(self):
        self.took = []
        self._ready_ms = None

    def unplug(self):
        self.plugged = False

    def plug(self):
        self.plugged = True
        self.power_on()

    def converts(self, ms):
        self._ready_ms = world.now() + ms

    def converting(self):
        return self._ready_ms is not None and world.now() < self._ready_ms

    def spoiled(self, data):
        if self.spoil is None:
            return data
        data = bytearray(data)
        data[self.spoil] ^= 0x10
        return bytes(data)


class Bme280(Chip):
    """Registers as in the memory map of its data sheet, section 5.3; forced mode only."""

    def __init__(self, id=0x60, raw_t=0, raw_p=0, raw_h=0, low=bytes(26), high=bytes(7)):
        self.raw = (raw_t, raw_p, raw_h)
        self._id, self._low, self._high = id, low, high
        self.measures = True  # else it never ends
        Chip.__init__(self)

    def power_on(self):
        Chip.power_on(self)
        self._registers = bytearray(256)
        self._registers[0xD0] = self._id
        self._registers[0x88:0xA2] = self._low
        if self._id == 0x60:
            self._registers[0xE1:0xE8] = self._high
        self._data(0x80000, 0x80000, 0x8000)
        self._at = 0

    def write(self, data):
        self._at = data[0]
        for i in range(1, len(data), 2):
            self._set(data[i - 1], data[i])

    def _set(self, register, value):
        self._registers[register] = value
        self.took.append((register, value))
        if register == 0xF4 and value & 3 == 1:
            times = [0, 1, 2, 4, 8, 16][value >> 5]
            self.converts((1250 + 2300 * times + 2 * (2300 * times + 575)) / 1000)

    def read(self, length):
        if self._ready_ms is not None and not self.converting() and self.measures:
            self._data(*self.raw)
            self._ready_ms = None
        busy = self._ready_ms is not None
        self._registers[0xF3] = 8 if busy else 0
        return bytes(self._registers[self._at : self._at + length])

    def _data(self, t, p, h):
        r = self._registers
        r[0xF7:0xFA] = bytes((p >> 12, p >> 4 & 0xFF, (p & 15) << 4))
        r[0xFA:0xFD] = bytes((t >> 12, t >> 4 & 0xFF, (t & 15) << 4))
        r[0xFD:0xFF] = bytes((h >> 8, h & 0xFF))


class Sht(Chip):
    """An SHT3x or SHT4x: one command starts it, and until it is done it acknowledges no read."""

    def __init__(self, command, ms, raw_t=0, raw_h=0):
        self._command, self._ms = command, ms
        self.raw = (raw_t, raw_h)
        Chip.__init__(self)

    def write(self, data):
        if data != self._command:
            raise Nack
        self.converts(self._ms)

    def read(self, length):
        if self._ready_ms is None or self.converting():
            raise Nack
        self._ready_ms = None
        return self.spoiled(with_crc(*self.raw))[:length]


class Aht20(Chip):
    def __init__(self, raw_t=0, raw_h=0, calibrated=True):
        self.raw = (raw_t, raw_h)
        self._calibrated = calibrated
        Chip.__init__(self)

    def write(self, data):
        self.took.append(data)
        if data == b"\xbe\x08\x00":
            self._calibrated = True
        elif data == b"\xac\x33\x00" and self._calibrated:
            self.converts(80)
        else:
            raise Nack

    def read(self, length):
        t, h = self.raw
        status = 0x10 | (8 if self._calibrated else 0) | (0x80 if self.converting() else 0)
        data = bytes((status,)) + (h << 20 | t).to_bytes(5, "big")
        return self.spoiled(data + bytes((crc8(data),)))[:length]


class Bh1750(Chip):
    def __init__(self, raw=0):
        self.raw = raw
        self._last = 0
        Chip.__init__(self)

    def write(self, data):
        if data != b"\x20":
            raise Nack
        self.converts(180)

    def read(self, length):
        if not self.converting():
            self._last = self.raw
        return self._last.to_bytes(2, "big")[:length]


class Scd4x(Chip):
    """Measures by itself every 5 s; acknowledges no read while it has nothing new."""

    def __init__(self, co2=0, raw_t=0, raw_h=0):
        self.raw = (co2, raw_t, raw_h)
        Chip.__init__(self)

    def power_on(self):
        Chip.power_on(self)
        self._started_ms = None
        self._taken = 0
        self._answer = None

    def write(self, data):
        self.took.append(data)
        self._answer = None
        if data == b"\x21\xb1":
            if self._started_ms is not None:
                raise Nack
            self._started_ms = world.now()
        elif data == b"\xec\x05":
            if self._measured() > self._taken:
                self._answer = with_crc(*self.raw)
        elif data == b"\xe4\xb8":
            self._answer = with_crc(1 if self._measured() > self._taken else 0)
        else:
            raise Nack

    def _measured(self):
        return 0 if self._started_ms is None else (world.now() - self._started_ms) // 5000

    def read(self, length):
        if self._answer is None:
            raise Nack
        self._taken = self._measured()
        return self.spoiled(self._answer)[:length]


class Tmp117(Chip):
    """For docs/drivers.md."""

    def __init__(self, raw=0):
        self.raw = raw
        Chip.__init__(self)

    def write(self, data):
        self._at = data[0]
        if data[1:] == b"\x0c\x00":
            self.converts(17.5)

    def read(self, length):
        ready = self._ready_ms is not None and not self.converting()
        return {0: self.raw, 1: 0x2C00 if ready else 0x0C00}[self._at].to_bytes(2, "big")
