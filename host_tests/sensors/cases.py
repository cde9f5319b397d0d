"""What the data sheets' examples say, and the configs of the sensors that should say so too."""

import struct
from dataclasses import dataclass, field

# BMP280 data sheet (BST-BMP280-DS001), section 3.12: trimming, raw values, results.
BOSCH_T = (27504, 26435, -1000)
BOSCH_P = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
BOSCH_RAW_T, BOSCH_RAW_P = 519888, 415148
BOSCH_H = (75, 370, 0, 313, 50, 30)  # as of a chip from the shop: the data sheet has no example
BOSCH_RAW_H = 29000


def bosch_low(t=BOSCH_T, p=BOSCH_P, h1=BOSCH_H[0]):
    """The bytes from 0x88 on."""
    return struct.pack("<Hhh", *t) + struct.pack("<Hhhhhhhhh", *p) + bytes((0, h1))


def bosch_high(h=BOSCH_H):
    """The bytes from 0xE1 on (section 4.2.2)."""
    _, h2, h3, h4, h5, h6 = h
    return struct.pack(
        "<hBbBbb", h2, h3, h4 >> 4, h4 & 15 | (h5 & 15) << 4, h5 >> 4, h6
    )


def hexed(data):
    return "hex:" + data.hex()


@dataclass
class Case:
    """`chip`: class and arguments of the stand-in. `values`: what a reading must give. `wait_ms`:
    the longest conversion of the data sheet. `spoil`: bytes of the answer with a checksum.
    """

    driver: str
    address: int
    chip: tuple
    values: dict
    wait_ms: int
    spoil: tuple = ()
    options: dict = field(default_factory=dict)
    restarts: bool = False  # gives its first value only at the reading after the next

    @property
    def entry(self):
        channels = {name: {"quantity": name} for name in self.values}
        pins = {"scl": 5, "sda": 4}
        return {"driver": self.driver, **pins, **self.options, "channels": channels}


BME280 = Case(
    "bme280", 0x76,
    ("Bme280", 0x60, BOSCH_RAW_T, BOSCH_RAW_P, BOSCH_RAW_H, hexed(bosch_low()),
     hexed(bosch_high())),
    {"temperature": 2508, "pressure": 100653, "humidity": 5051}, 10,
)
BMP280 = Case(
    "bme280", 0x77,
    ("Bme280", 0x58, BOSCH_RAW_T, BOSCH_RAW_P, 0, hexed(bosch_low(h1=0))),
    {"temperature": 2508, "pressure": 100653}, 10, options={"address": "0x77"},
)
# SCD4x data sheet, section 3.5.2: 500 ppm, 25 degrees, 37 %; the SHT3x counts as it does.
SHT3X = Case(
    "sht3x", 0x44, ("Sht", "hex:2400", 15, 0x6667, 0x5EB9),
    {"temperature": 2500, "humidity": 3700}, 16, spoil=(0, 1, 2, 3, 4, 5),
)
SHT4X = Case(
    "sht4x", 0x46, ("Sht", "hex:fd", 8.3, 0x6667, 0x5EB9),
    {"temperature": 2500, "humidity": 4025}, 9, spoil=(0, 1, 2, 3, 4, 5),
    options={"address": "0x46"},
)
AHT20 = Case(
    "aht20", 0x38, ("Aht20", 0x60000, 0x80000), {"temperature": 2500, "humidity": 5000}, 80,
    spoil=(1, 2, 3, 4, 5, 6),
)
# BH1750FVI technical note, "the way to calculate": 1000 0011 1001 0000 is 28067 lx.
BH1750 = Case("bh1750", 0x23, ("Bh1750", 0x8390), {"illuminance": 280667}, 180)
SCD4X = Case(
    "scd4x", 0x62, ("Scd4x", 500, 0x6667, 0x5EB9),
    {"co2": 500, "temperature": 2500, "humidity": 3700}, 1, spoil=tuple(range(9)), restarts=True,
)
I2C = {
    "bme280": BME280, "bmp280": BMP280, "sht3x": SHT3X, "sht4x": SHT4X, "aht20": AHT20,
    "bh1750": BH1750, "scd4x": SCD4X,
}
