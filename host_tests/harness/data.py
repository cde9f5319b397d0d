"""Recorded data, and what the device must make of it, computed without any device code."""

import csv
import dataclasses
import decimal
import json
from pathlib import Path

import petrel

DATA = Path(petrel.__file__).parent / "data"
"""Folder of the CSVs; their origin and licences are in its README."""

MOTE, AIRPORT = "mote_5s.csv", "airport_1h.csv"

MOTE_CHANNELS = {
    "t": {"column": "temp_c", "unit": "Cel", "decimals": 2},
    "h": {"column": "hum_pct", "unit": "%RH", "decimals": 2},
}
AIRPORT_CHANNELS = {  # with missing cells, negative numbers, and three different decimals
    "t": {"column": "temp_f", "unit": "degF", "decimals": 2},
    "h": {"column": "hum_pct", "unit": "%RH", "decimals": 0},
    "p": {"column": "press_hpa", "unit": "hPa", "decimals": 1},
}


@dataclasses.dataclass(frozen=True)
class Row:
    """What one row of a CSV is worth.

    time: the recorded second, None where the file has no such column. scaled: channel -> scaled
    integer, None for an empty cell. values: channel -> the number as it comes out of the JSON,
    empty cells left out.
    """

    time: int | None
    scaled: dict
    values: dict


def rows(path, channels):
    """The Rows of a CSV (`path`, or the name of a file in DATA) for a config's channels."""
    with (DATA / path).open(newline="", encoding="utf-8") as file:
        return [_row(cells, channels) for cells in csv.DictReader(file)]


def _row(cells, channels):
    scaled, values = {}, {}
    for key, channel in channels.items():
        text, decimals = cells[channel.get("column") or key].strip(), channel.get("decimals", 2)
        number = rounded(text, decimals) if text else None
        scaled[key] = None if number is None else int(number.scaleb(decimals))
        if number is not None:
            values[key] = json.loads(format(number, "f"))
    return Row(int(cells["t"]) if "t" in cells else None, scaled, values)


def rounded(text, decimals):
    """A decimal text as a Decimal with so many decimals, half away from zero."""
    step = decimal.Decimal(1).scaleb(-decimals)
    return decimal.Decimal(text).quantize(step, rounding=decimal.ROUND_HALF_UP)


def take(path, folder, count, first=0):
    """Writes `count` rows from row `first` (0 is the first) into `folder`; returns the new path.

    A replay of it ends soon, so that a test can wait for the end.
    """
    lines = (DATA / path).read_text(encoding="utf-8").splitlines(keepends=True)
    taken = Path(folder) / Path(path).name
    taken.write_text("".join(lines[:1] + lines[1:][first : first + count]), encoding="utf-8")
    return taken
