"""DHT11 and DHT22 (Aosong; AM2302): temperature and humidity, on the port's own `dht` module.

That blocks for 275 ms a reading (drivers/dht/dht.c), which delays what else is due; an I2C sensor
does not. The words are those of the data sheets "AM2302" and "DHT11".
"""

from ._quantities import Measures

QUANTITIES = {
    "temperature": ("Cel", 1, 1, -400, 800),
    "humidity": ("%RH", 1, 1, 0, 1000),
}


def rules():
    from ._rules import measured

    return {
        # The data pin's number.
        "pin": (..., "integer", 0, 60),
        # Which of the two it is; an AM2302 is a `dht22`.
        "type": ("dht22", "choice", "dht22", "dht11"),
    }, measured()


def check(entry):
    from ._rules import check

    return check(entry, QUANTITIES, 2)  # "collecting period", AM2302


class Sensor(Measures):
    def __init__(self, entry, board):
        from dht import dht_readinto
        from machine import Pin

        Measures.__init__(self, entry, QUANTITIES)
        self._read_into = dht_readinto
        self._pin = Pin(entry["pin"])
        self._convert = dht11 if entry["type"] == "dht11" else dht22
        self._data = bytearray(5)

    def begin(self):
        return 0

    def read(self, values, first):
        data = self._data
        self._read_into(self._pin, data)
        if data[0] + data[1] + data[2] + data[3] & 0xFF != data[4]:
            raise ValueError("a wrong checksum came over the wire")
        self.put(values, first, "humidity", self._convert(data, 0))
        self.put(values, first, "temperature", self._convert(data, 2))


def dht22(data, at):
    """Tenths in 16 bits, the highest of which is the sign."""
    tenths = (data[at] & 0x7F) << 8 | data[at + 1]
    return -tenths if data[at] & 0x80 else tenths


def dht11(data, at):
    """Whole ones, then tenths, whose highest bit is the sign."""
    tenths = data[at] * 10 + (data[at + 1] & 0x7F)
    return -tenths if data[at + 1] & 0x80 else tenths
