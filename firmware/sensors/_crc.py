"""The checksum of Sensirion's and Aosong's chips: CRC-8 with the polynomial 0x31, from 0xFF on.

SHT3x data sheet, section 4.12: 0xBE 0xEF gives 0x92.
"""


def crc8(data, start, end):
    """Of data[start:end]. Allocates nothing."""
    crc = 0xFF
    for i in range(start, end):
        crc ^= data[i]
        for _ in range(8):
            crc = (crc << 1 ^ 0x131) if crc & 0x80 else crc << 1
    return crc


def check(data, start, end):
    """Raise ValueError unless the byte after data[start:end] is its checksum."""
    if crc8(data, start, end) != data[end]:
        raise ValueError("a wrong checksum came over the wire")


def word(data, at):
    """The checked 16 bits at data[at], most significant byte first, a checksum behind them."""
    check(data, at, at + 2)
    return data[at] << 8 | data[at + 1]
