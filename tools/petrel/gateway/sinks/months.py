"""The partitions of PostgreSQL's readings: a table a month, readings_2026_11.

No database in here; a month is (year, number), times are Unix seconds.
"""

import datetime
import re

_UTC = datetime.UTC
_FIRST = datetime.datetime(2020, 1, 1, tzinfo=_UTC).timestamp()
_AHEAD_S = 32 * 86400
LIST = """SELECT inhrelid::regclass::text FROM pg_inherits
    WHERE inhparent = 'readings'::regclass"""


def of(seconds):
    """The month of a time."""
    moment = datetime.datetime.fromtimestamp(seconds, _UTC)
    return moment.year, moment.month


def is_likely(seconds, now):
    """Whether a time gets a table of its month; the rest shares one."""
    return seconds is not None and _FIRST <= seconds < now + _AHEAD_S


def start(month):
    year, number = month
    return datetime.datetime(year, number, 1, tzinfo=_UTC)


def after(month):
    year, number = month
    return (year + number // 12, number % 12 + 1)


def statement(month):
    """What makes a month's table, if there is none."""
    year, number = month
    return (f"CREATE TABLE IF NOT EXISTS readings_{year}_{number:02} PARTITION OF readings "
            f"FOR VALUES FROM ('{start(month):%Y-%m-%d}Z') TO ('{start(after(month)):%Y-%m-%d}Z')")


def month_of(name):
    """The month of a table's name, None for another table."""
    found = re.fullmatch(r"readings_(\d{4})_(\d\d)", name)
    return found and (int(found[1]), int(found[2]))


def too_old(names, oldest):
    """Those of the tables' names of which all is older than `oldest`."""
    return [name for name in names
            if (month := month_of(name)) and start(after(month)).timestamp() <= oldest]
