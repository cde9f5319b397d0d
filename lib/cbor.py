"""Writes CBOR (RFC 8949): what payloads need of it, without a float."""

ARRAY = 4
MAP = 5


def head(major, number):
    """The shortest head of a data item (section 3): `number` is its argument, below 2**64."""
    top = major << 5
    if number < 24:
        return bytes((top | number,))
    info, size = 24, 1
    while number >> (8 * size):
        info += 1
        size *= 2
    return bytes((top | info,)) + number.to_bytes(size, "big")


def integer(value):
    return head(0, value) if value >= 0 else head(1, -1 - value)


def text(value):
    data = value.encode()
    return head(3, len(data)) + data


def decimal(value, decimals):
    """value x 10**-decimals: an integer where it is one, else a decimal fraction (3.4.4)."""
    while decimals and value % 10 == 0:
        value //= 10
        decimals -= 1
    if not decimals:
        return integer(value)
    return b"\xc4\x82" + integer(-decimals) + integer(value)
