"""DS18B20 (Maxim): temperature on a 1-Wire bus, where each of several is an entry with its ROM id.

On `onewire`, which both boards' firmware has. Sections are those of the data sheet 19-7487,
revision 6. Beginning takes 6 ms and reading 12 ms, in which the bus is timed by the microsecond
and nothing else runs. Several on a bus need their supply pins connected, since they talk while
others convert.
"""

from binascii import unhexlify
from errno import ENODEV

from micropython import const

from ._quantities import Measures

_SKIP_ROM = const(0xCC)
_MATCH_ROM = const(0x55)
_CONVERT = const(0x44)
_READ_SCRATCHPAD = const(0xBE)
_WAIT_MS = 750  # electrical characteristics: 12 bits, as it comes from the factory
_POWER_ON = const(0x0550)  # 85 degrees (figure 4); byte 6 tells them from a true 85 degrees
_NEVER_CONVERTED = const(0x0C)

QUANTITIES = {"temperature": ("Cel", 2, 4, -550000, 1250000)}


def rules():
    from ._rules import measured

    return {
        # The data pin's number.
        "pin": (..., "integer", 0, 60),
        # The sensor's ROM id, the family first, `"28ff64020000001c"`; null: it is alone there.
        "rom": (None, "text", 16, 16),
    }, measured()


def check(entry):
    from ._rules import check

    for problem in check(entry, QUANTITIES):
        yield problem
    if entry["rom"] and entry["rom"].strip("0123456789abcdefABCDEF"):
        yield "rom", '"%s" found' % entry["rom"], "16 hexadecimal digits are allowed"


class Sensor(Measures):
    def __init__(self, entry, board):
        from machine import Pin
        from onewire import OneWire

        Measures.__init__(self, entry, QUANTITIES)
        self._bus = OneWire(Pin(entry["pin"]))
        self._rom = entry["rom"] and unhexlify(entry["rom"])
        self._scratchpad = bytearray(9)

    def begin(self):
        self._command(_CONVERT)
        return _WAIT_MS

    def read(self, values, first):
        data = self._scratchpad
        self._command(_READ_SCRATCHPAD)
        self._bus.readinto(data)
        if data[4] == 0xFF:  # nobody pulls the line: no configuration has its first bit set
            raise OSError(ENODEV, "no answer")
        if self._bus.crc8(data) or not data[4]:  # a line that is held low has a right checksum
            raise ValueError("a wrong checksum came over the wire")
        raw = data[1] << 8 | data[0]
        if raw == _POWER_ON and data[6] == _NEVER_CONVERTED:
            raise ValueError("it has lost its power while it converted")
        self.put(values, first, "temperature", temperature(raw))

    def _command(self, command):
        bus = self._bus
        if not bus.reset():
            raise OSError(ENODEV, "nobody on the bus")
        if self._rom is None:
            bus.writebyte(_SKIP_ROM)
        else:
            bus.writebyte(_MATCH_ROM)
            bus.write(self._rom)
        bus.writebyte(command)


def temperature(raw):
    """Figure 4: sixteenths of a degree Celsius in two's complement; in 1/10000 degrees."""
    return (raw - (raw >> 15 << 16)) * 625
