"""A chip on an I2C bus.

What the ports raise is always an OSError (extmod/machine_i2c.c, ports/esp32/machine_i2c.c,
ports/rp2/machine_i2c.c): ENODEV where nobody acknowledges, which is EIO on RP2040, and ETIMEDOUT
where a chip holds a line longer than 50 ms.
"""

from errno import EIO, ETIMEDOUT

from micropython import const

_HALF_CLOCK_US = const(5)  # 100 kHz


class Chip:
    """`known` is for the driver: it sets it when the chip is set up, and an error clears it,
    because a chip that was plugged in again has forgotten everything, or is another one.
    """

    def __init__(self, entry):
        self.known = False
        self._address = int(entry["address"], 16)
        self._entry = entry
        self._open()

    def write(self, data):
        """Send bytes; allocates nothing. A byte that is not acknowledged is an OSError: SoftI2C
        only counts those that are.
        """
        try:
            if self._i2c.writeto(self._address, data) < len(data):
                raise OSError(EIO)
        except OSError as error:
            self._failed(error)

    def read(self, buffer):
        """Fill a buffer; allocates nothing."""
        try:
            self._i2c.readfrom_into(self._address, buffer)
        except OSError as error:
            self._failed(error)

    def read_at(self, register, buffer):
        """Fill a buffer from a register on; allocates nothing."""
        try:
            self._i2c.readfrom_mem_into(self._address, register, buffer)
        except OSError as error:
            self._failed(error)

    def _open(self):
        from machine import I2C, Pin

        entry = self._entry
        self._i2c = I2C(
            entry["bus"],
            scl=Pin(entry["scl"]),
            sda=Pin(entry["sda"]),
            freq=entry["bus_khz"] * 1000,
        )

    def _failed(self, error):
        self.known = False
        if error.errno == ETIMEDOUT:
            self._clear()
            raise OSError(ETIMEDOUT, "the bus is held")
        raise OSError(error.errno, "no answer at " + self._entry["address"])

    def _clear(self):
        """Free the data line from a chip that we left in the middle of a byte, by a reset or a
        loose contact: nine clocks and a STOP (NXP UM10204, section 3.1.16).
        """
        from time import sleep_us

        from machine import Pin

        scl = Pin(self._entry["scl"], Pin.OPEN_DRAIN, value=1)
        sda = Pin(self._entry["sda"], Pin.OPEN_DRAIN, value=1)
        for _ in range(9):
            for level in (0, 1):
                scl.value(level)
                sleep_us(_HALF_CLOCK_US)
        for pin, level in ((scl, 0), (sda, 0), (scl, 1), (sda, 1)):
            pin.value(level)
            sleep_us(_HALF_CLOCK_US)
        self._open()
