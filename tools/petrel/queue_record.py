"""The record of a reading in a device's queue, read on the host (docs/WIRE.md)."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Record:
    """due_ms: uptime. unix_ms: None where only the device could tell. values: scaled integers."""

    due_ms: int
    unix_ms: int | None
    values: list[int | None]


def parse(record):
    """The Record in these bytes; raises ValueError if they are none."""
    try:
        if record[0] > 1:
            raise ValueError(f"a record of kind {record[0]}")
        due, at = _varint(record, 1)
        unix = None
        if record[0] == 1:
            unix, at = _varint(record, at)
        values = []
        while at < len(record):
            code, at = _varint(record, at)
            values.append(None if code == 0 else code >> 1 if code & 1 else -(code >> 1))
    except IndexError as error:
        raise ValueError("a record that is cut off") from error
    return Record(due, unix, values)


def _varint(record, at):
    number = shift = 0
    while True:
        byte = record[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
