"""The temperature of the chip itself: it tells an enclosure that grows hot, not the weather."""

import sys

from ._quantities import Measures

QUANTITIES = {"temperature": ("Cel", 0, 2, -4000, 12500)}


def rules():
    from ._rules import measured

    return {}, measured()


def check(entry):
    from ._rules import check

    return check(entry, QUANTITIES)


class Sensor(Measures):
    def __init__(self, entry, board):
        Measures.__init__(self, entry, QUANTITIES)
        self._celsius = _source()

    def begin(self):
        return 0

    def read(self, values, first):
        self.put(values, first, "temperature", self._celsius())


def _source():
    """A function that returns 1/100 degrees Celsius."""
    if sys.platform != "esp32":
        return _of_rp2()
    import esp32

    if hasattr(esp32, "mcu_temperature"):  # whole degrees: all but the first ESP32
        return lambda: esp32.mcu_temperature() * 100
    return lambda: fahrenheit(esp32.raw_temperature())


def _of_rp2():
    from machine import ADC

    adc = ADC(ADC.CORE_TEMP)
    return lambda: rp2040(adc.read_u16())


def fahrenheit(degrees):
    """In 1/100 degrees Celsius."""
    return (degrees - 32) * 500 // 9


def rp2040(u16):
    """RP2040 data sheet, section 4.9.5: 27 - (V - 0.706) / 0.001721, V of a reference of 3.3 V; in
    1/100 degrees Celsius.
    """
    ten_uv = u16 * 22000 // 4369  # 330000 / 65535
    return 2700 - (ten_uv - 70600) * 1000 // 1721
