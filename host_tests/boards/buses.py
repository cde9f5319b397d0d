"""Analog inputs and buses of a stand-in board. On MicroPython."""

from host_tests.boards import world
from host_tests.boards.i2c import I2C

__all__ = ("ADC", "I2C")

volts = {}  # pin number -> microvolts at it
CORE = "core"  # the chip's own temperature sensor, in `volts`
_FULL_UV = {"esp32": 3_100_000, "rp2": 3_300_000}


class ADC:
    """extmod/machine_adc.c, ports/esp32/machine_adc.c, ports/rp2/machine_adc.c: 12 bits, made 16
    by repeating them. `read_uv`, in steps of a millivolt, is ESP32's alone; so is the offset that
    an uncalibrated reading has there.
    """

    CORE_TEMP = 4

    def __init__(self, source):
        if world.port == "rp2" and source == self.CORE_TEMP:
            self._source = CORE
        elif world.port == "rp2" and not 26 <= source.id <= 29:
            raise ValueError("Pin doesn't have ADC capabilities")
        elif world.port == "esp32" and not 32 <= source.id <= 39:
            raise ValueError("invalid pin")
        else:
            self._source = source.id

    def read_u16(self):
        uv = volts.get(self._source, 0)
        if world.port == "esp32":
            uv = uv * 97 // 100 - 60_000
        raw = min(max(uv * 4095 // _FULL_UV[world.port], 0), 4095)
        return raw << 4 | raw >> 8

    if world.port == "esp32":

        def read_uv(self):
            return (min(volts.get(self._source, 0), 3_100_000) + 500) // 1000 * 1000


if world.port == "esp32":
    del ADC.CORE_TEMP
