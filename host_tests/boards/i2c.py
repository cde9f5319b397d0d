"""I2C of a stand-in board, at the level of bytes and acknowledgements. On MicroPython.

Errors are the ports' own (extmod/machine_i2c.c, ports/esp32/machine_i2c.c with ESP-IDF's driver,
ports/rp2/machine_i2c.c with the Pico SDK's):

    nobody acknowledges the address, or a byte     ENODEV on ESP32, EIO on RP2040
    a line is held                                 ETIMEDOUT after the bus's time-out

A chip is an object with write(data) and read(length) -> bytes, which raise Nack; see `chips`.
"""

from errno import EIO, ENODEV, ETIMEDOUT

from host_tests.boards import pins, world


class Nack(Exception):
    """A byte was not acknowledged."""


class Bus:
    """`chips` by address. `stuck` is 0, or how many clocks free the data line again."""

    def __init__(self):
        self.chips = {}
        self.stuck = 0
        self.clocks = 0
        self.opened = []  # (scl, sda, freq)

    def drive(self, number, level):
        """A pin as an output: the clock frees the data line."""
        if number == self.opened[-1][0] and level == 1:
            self.clocks += 1
            self.stuck = max(0, self.stuck - 1)

    def level(self, number):
        return 0 if self.stuck and number == self.opened[-1][1] else 1


buses = {}  # the controller's number -> Bus


def bus(number=0):
    return buses.setdefault(number, Bus())


class I2C:
    def __init__(self, id, scl, sda, freq=400_000, timeout=50_000):
        if world.port == "rp2" and (scl.id & 3 != id << 1 | 1 or sda.id & 3 != id << 1):
            raise ValueError("bad SCL pin" if scl.id & 3 != id << 1 | 1 else "bad SDA pin")
        self._bus = bus(id)
        self._bus.opened.append((scl.id, sda.id, freq))
        self._timeout_ms = timeout // 1000
        pins.wires[scl.id] = pins.wires[sda.id] = self._bus

    def writeto(self, address, data, stop=True):
        self._transfer(address, lambda chip: chip.write(bytes(data)))
        return len(data)

    def readfrom_into(self, address, buffer, stop=True):
        self._read(address, None, buffer)

    def readfrom_mem_into(self, address, register, buffer):
        self._read(address, bytes((register,)), buffer)

    def _read(self, address, first, buffer):
        def read(chip):
            if first:
                chip.write(first)
            buffer[:] = chip.read(len(buffer))

        self._transfer(address, read)

    def _transfer(self, address, action):
        if self._bus.stuck:
            world.sleep(self._timeout_ms)
            raise OSError(ETIMEDOUT)
        chip = self._bus.chips.get(address)
        try:
            if chip is None or not chip.plugged:
                raise Nack
            action(chip)
        except Nack:
            raise OSError(ENODEV if world.port == "esp32" else EIO)
