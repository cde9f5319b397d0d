"""Runs on the device: a bus that says again what another has said, without allocating."""


class Recording:
    """Takes the place of a sensor's I2C object, 1-Wire bus, ADC or DHT pin."""

    def __init__(self, sensor):
        self._owner, self._name = (
            (sensor._chip, "_i2c")
            if hasattr(sensor, "_chip")
            else (sensor, "_bus" if hasattr(sensor, "_bus") else "_adc")
        )
        self._real = getattr(self._owner, self._name)
        self._said = []
        self._at = -1  # while recording

    def __enter__(self):
        setattr(self._owner, self._name, self)
        return self

    def __exit__(self, *_):
        self.restore()

    def restore(self):
        setattr(self._owner, self._name, self._real)

    def replay(self):
        self._at = 0
        setattr(self._owner, self._name, self)

    def _again(self, buffer):
        said = self._said[self._at]
        self._at += 1
        for i in range(len(buffer)):
            buffer[i] = said[i]

    # I2C

    def writeto(self, address, data):
        return self._real.writeto(address, data) if self._at < 0 else len(data)

    def readfrom_into(self, address, buffer):
        if self._at < 0:
            self._real.readfrom_into(address, buffer)
            self._said.append(bytes(buffer))
        else:
            self._again(buffer)

    def readfrom_mem_into(self, address, register, buffer):
        if self._at < 0:
            self._real.readfrom_mem_into(address, register, buffer)
            self._said.append(bytes(buffer))
        else:
            self._again(buffer)

    # 1-Wire

    def reset(self):
        return self._real.reset() if self._at < 0 else True

    def writebyte(self, value):
        if self._at < 0:
            self._real.writebyte(value)

    def write(self, data):
        if self._at < 0:
            self._real.write(data)

    def readinto(self, buffer):
        if self._at < 0:
            self._real.readinto(buffer)
            self._said.append(bytes(buffer))
        else:
            self._again(buffer)

    def crc8(self, data):
        return self._real.crc8(data) if self._at < 0 else 0

    # Analog

    def read_u16(self):
        return 40_000

    def read_uv(self):
        return 1_650_000
