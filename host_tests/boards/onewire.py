"""A 1-Wire bus at the level of bits, and the DS18B20s on it. On MicroPython.

Every device hears each bit; what it answers is one line, which any of them can pull low. The
master's part, `modules/_onewire.py`, is that of extmod/modonewire.c.
"""

from host_tests.boards import world

buses = {}  # pin number -> list of devices
held_low = []  # pin numbers whose line is short to ground


def crc8(data):
    crc = 0
    for byte in data:
        for bit in range(8):
            odd = (crc ^ byte >> bit) & 1
            crc = crc >> 1 ^ (0x8C if odd else 0)
    return crc


class Ds18b20:
    """The states of data sheet 19-7487, figures 13 and 14: ROM command, then function command."""

    def __init__(self, rom, raw=0):
        self.rom, self.raw = rom, raw
        self.plugged = True
        self.spoil = None
        self.power_on()

    def power_on(self):
        self._scratchpad = bytearray(b"\x50\x05\x4b\x46\x7f\xff\x0c\x10")
        self._done_ms = None
        self.reset()

    def unplug(self):
        self.plugged = False

    def plug(self):
        self.plugged = True
        self.power_on()

    def reset(self):
        self._bits, self._says = [], []
        self._state = "rom"

    def hear(self, bit):
        """The master wrote a bit."""
        self._bits.append(bit)
        if self._state == "match" and bit != self.rom[(len(self._bits) - 1) // 8] >> (
            (len(self._bits) - 1) % 8
        ) & 1:
            self._state = "asleep"  # another one is meant
        if self._state == "match" and len(self._bits) == 64:
            self._next("function")
        elif self._state in ("rom", "function") and len(self._bits) == 8:
            self._command(sum(bit << i for i, bit in enumerate(self._bits)))

    def say(self):
        """The bit that it puts on the line; 1 leaves it alone."""
        return self._says.pop(0) if self._says else 1

    def _next(self, state):
        self._state, self._bits = state, []

    def _command(self, command):
        if self._state == "rom":
            self._next({0xCC: "function", 0x55: "match"}.get(command, "asleep"))
        elif command == 0x44:
            self._done_ms = world.now() + 750
            self._next("asleep")
        elif command == 0xBE:
            self._convert()
            data = bytes(self._scratchpad)
            data = bytearray(data + bytes((crc8(data),)))
            if self.spoil is not None:
                data[self.spoil] ^= 4
            self._says = [byte >> i & 1 for byte in data for i in range(8)]
            self._next("asleep")

    def _convert(self):
        if self._done_ms is not None and world.now() >= self._done_ms:
            raw = self.raw & 0xFFFF
            self._scratchpad[0:2] = bytes((raw & 0xFF, raw >> 8))
            self._scratchpad[6] = 16 - (raw & 15)


def devices(number):
    return [device for device in buses.get(number, []) if device.plugged]
