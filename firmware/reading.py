"""A reading as the queue holds it: one compact record.

    kind     1 byte    0: dated by the device's clock   1: dated by the recording it comes from
    due      varint    uptime in ms at which the reading was due
    unix_ms  varint    kind 1 only: the recorded Unix time in ms
    values   varint    a channel each: 0: no value, odd: (code >> 1), even: -(code >> 1)

Varints are little-endian base 128. A reading of three channels takes 8 to 12 bytes.
"""


def _put(buffer, at, number):
    while number > 0x7F:
        buffer[at] = number & 0x7F | 0x80
        number >>= 7
        at += 1
    buffer[at] = number
    return at + 1


def _get(record, at):
    number = shift = 0
    while True:
        byte = record[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return number, at
        shift += 7


def most_bytes(channels):
    """The longest record of so many channels whose values fit 32 bits."""
    return 1 + 7 + 7 + 5 * channels


def pack_into(buffer, due_ms, values, unix_ms=None):
    """Write a record to `buffer` and return its length. Allocates nothing while the numbers are
    small ints.
    """
    buffer[0] = unix_ms is not None
    at = _put(buffer, 1, due_ms)
    if unix_ms is not None:
        at = _put(buffer, at, unix_ms)
    for i in range(len(values)):
        value = values[i]
        if value is None:
            code = 0
        elif value < 0:
            code = -2 * value
        else:
            code = 2 * value + 1
        at = _put(buffer, at, code)
    return at


def due_ms(record):
    """The uptime at which a record's reading was due."""
    return _get(record, 1)[0]


def unpack_into(record, values):
    """Fill the list `values` and return (due_ms, recorded unix_ms or None)."""
    due, at = _get(record, 1)
    unix_ms = None
    if record[0]:
        unix_ms, at = _get(record, at)
    for i in range(len(values)):
        code, at = _get(record, at)
        values[i] = None if code == 0 else code >> 1 if code & 1 else -(code >> 1)
    return due, unix_ms
