"""A voltage at an analog pin, of a battery behind a divider for instance.

    battery --- top --- pin --- bottom --- ground

Where the port calibrates (`read_uv` of ESP32, ports/esp32/machine_adc.c) that is used; else
(RP2040, ports/rp2/machine_adc.c) the reading is a share of the reference voltage.
"""

from ._quantities import Measures

QUANTITIES = {"voltage": ("V", 3, 4, 0, 1_000_0000)}


def rules():
    from ._rules import measured

    return {
        # The analog pin's number.
        "pin": (..., "integer", 0, 60),
        # The divider's resistor to the voltage; 0: there is no divider.
        "top_kohm": (0, "integer", 0, 10000),
        # The divider's resistor to ground.
        "bottom_kohm": (100, "integer", 1, 10000),
        # The reference voltage of a port that does not calibrate, in mV.
        "reference_mv": (3300, "integer", 1000, 5000),
        # How often the pin is read for the average that is a reading.
        "samples": (16, "integer", 1, 64),
    }, measured()


def check(entry):
    from ._rules import check

    return check(entry, QUANTITIES)


class Sensor(Measures):
    def __init__(self, entry, board):
        from machine import ADC, Pin

        Measures.__init__(self, entry, QUANTITIES)
        self._adc = ADC(Pin(entry["pin"]))
        self._calibrated = hasattr(self._adc, "read_uv")
        self._samples = entry["samples"]
        self._reference_mv = entry["reference_mv"]
        self._bottom = entry["bottom_kohm"]
        self._whole = entry["top_kohm"] + entry["bottom_kohm"]

    def begin(self):
        return 0

    def read(self, values, first):
        total = 0
        for _ in range(self._samples):
            total += self._adc.read_uv() if self._calibrated else self._adc.read_u16()
        mean = (total + self._samples // 2) // self._samples
        tenths = (mean + 50) // 100 if self._calibrated else share(mean, self._reference_mv)
        value = (tenths * self._whole + self._bottom // 2) // self._bottom
        self.put(values, first, "voltage", value)


def share(u16, reference_mv):
    """A reading of 16 bits as tenths of a millivolt: 10 u16 reference / 65535."""
    return (u16 * reference_mv * 2 + 6553) // 13107
