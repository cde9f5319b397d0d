"""What databases keep of messages: a row a channel, and sums of hours and days.

No database in here; times are Unix seconds.
"""

import dataclasses

from petrel.gateway.message import NOT_VALUES, items_of

HOUR_S, DAY_S = 3600, 86400
SUMS = {"hourly": HOUR_S, "daily": DAY_S}
"""The downsampled tables, with the seconds of a row."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A channel of a reading. time: of the device's clock, None while that was not set. received:
    when the gateway took it.
    """

    device: str
    stream: int
    number: int
    channel: str
    time: float | None
    value: float
    received: float


def rows_of(message):
    """A Row a channel of a message with readings; none of another. Raises OverflowError for a
    number that no database takes.
    """
    if message.kind != "data":
        return []
    return [
        Row(message.device, item["s"], item["n"], _text(key), item.get("ts"), float(value),
            message.time_ms / 1000)
        for item in items_of(message.data)
        for key, value in item.items() if key not in NOT_VALUES
    ]


def parted(messages):
    """(the Rows of all readings in messages, the messages that are none)."""
    rows, rest = [], []
    for message in messages:
        own = rows_of(message)
        rows += own
        if not own:
            rest.append(message)
    return rows, rest


def sums_of(rows, step_s):
    """[(device, channel, start, count, least, most, total)] of the dated rows, a step each."""
    found = {}
    for row in rows:
        if row.time is not None:
            place = (row.device, row.channel, int(row.time // step_s * step_s))
            count, least, most, total = found.get(place, (0, row.value, row.value, 0.0))
            found[place] = (count + 1, min(least, row.value), max(most, row.value),
                            total + row.value)
    return [(*place, *sums) for place, sums in sorted(found.items())]


def _text(key):
    return key.encode(errors="replace").decode()
