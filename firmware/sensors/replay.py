"""A recording as a sensor: rows of a CSV file, one a reading.

Cells are read as decimal text; an empty one is a missing value. `every_s` is the recording's
pace, `speed` divides it. With `"times": "recorded"` readings carry the times in the column
`time_column`.
"""

from scaled import parse

from . import Ended, channels


def rules():
    """The keys of this driver's entries, and what their channels say beside unit and decimals."""
    return {
        # The CSV file; its first line names the columns.
        "file": (..., "file"),
        # The first row that is replayed, counted from 0.
        "row": (0, "integer", 0, 1000000000),
        # Replays so many times faster than `every_s`.
        "speed": (1, "integer", 1, 1000000),
        # true: starts again at the file's end; false: the sensor ends there.
        "loop": (False, "boolean"),
        # Whose time a reading carries: the device's clock's, or the file's.
        "times": ("device", "choice", "device", "recorded"),
        # The column of Unix seconds for `"times": "recorded"`.
        "time_column": ("t", "text", 1, 64),
    }, {
        # The CSV column; null: the channel's key.
        "column": (None, "text", 1, 64),
    }


def check(entry):
    """Yield (path, what was found, what is allowed) for columns that the file does not have."""
    try:
        with open(entry["file"]) as lines:
            columns = _columns(lines)
    except (UnicodeError, MemoryError):
        found = '"%s" found' % entry["file"]
        yield "file", found, "a CSV file begins with the names of its columns"
        return
    there = "the file has " + ", ".join(columns)[:200]
    for key in sorted(entry["channels"]):
        column = entry["channels"][key]["column"] or key
        if column not in columns:
            yield "channels.%s.column" % key, '"%s" found' % column, there
    if entry["times"] == "recorded" and entry["time_column"] not in columns:
        yield "time_column", '"%s" found' % entry["time_column"], there


def _columns(lines):
    return [name.strip() for name in lines.readline().split(",")]


class Sensor:
    def __init__(self, entry, board):
        self.channels = channels(entry["channels"])
        self._loop = entry["loop"]
        self._lines = open(entry["file"])
        columns = _columns(self._lines)
        self._cells = [
            columns.index(entry["channels"][c.key]["column"] or c.key) for c in self.channels
        ]
        self._time_cell = (
            columns.index(entry["time_column"]) if entry["times"] == "recorded" else None
        )
        for _ in range(entry["row"]):
            self._lines.readline()

    def begin(self):
        return 0

    def read(self, values, first):
        cells = self._row().split(",")
        for i in range(len(self._cells)):
            cell = cells[self._cells[i]].strip()
            values[first + i] = parse(cell, self.channels[i].decimals) if cell else None
        if self._time_cell is None:
            return None
        unix_ms = parse(cells[self._time_cell], 3)
        if not 0 <= unix_ms < 1 << 46:
            raise ValueError("a time out of range: " + cells[self._time_cell])
        return unix_ms

    def _row(self):
        line = self._lines.readline().strip()
        if not line and self._loop:
            self._lines.seek(0)
            self._lines.readline()
            line = self._lines.readline().strip()
        if not line:
            raise Ended
        return line
