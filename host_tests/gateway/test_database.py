"""The SQLite database: are hours and days the sums of their readings, each counted once, and is
what is too old deleted?
"""

import asyncio
import contextlib
import itertools
import json
import random
import sqlite3

import pytest

from petrel.gateway.config_sinks import Database as Settings
from petrel.gateway.message import Message
from petrel.gateway.sinks.database import Database
from petrel.gateway.sinks.rows import rows_of, sums_of

NOW = 1_795_354_689
HOUR, DAY = 3600, 86400
IDS = itertools.count(1)


def reading(n, ts, device="shed", received=NOW, **values):
    data = {"s": 7, "n": n, **({} if ts is None else {"ts": ts}), **values}
    return Message(next(IDS), received * 1000, f"devices/{device}/data", device, "data",
                   json.dumps(data))


class Opened:
    """A Database in a folder, and what lies in it."""

    def __init__(self, folder, now=NOW, **settings):
        self.database = Database(Settings(**settings), folder, clock=lambda: self.now)
        self.now = now
        asyncio.run(self.database.open("f00"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        asyncio.run(self.database.close())

    def deliver(self, *messages):
        asyncio.run(self.database.deliver(messages, "key"))

    def all(self, query):
        with contextlib.closing(sqlite3.connect(self.database.path)) as db:
            return db.execute(query).fetchall()

    def sums(self, name):
        return self.all(f"SELECT device, channel, start, count, least, most, total FROM {name} "
                        "ORDER BY 1, 2, 3")


@pytest.mark.parametrize("name, step_s", [("hourly", HOUR), ("daily", DAY)])
def test_hours_and_days_are_the_sums_of_their_readings(tmp_path, seed, name, step_s):
    messages = [
        reading(n, NOW - random.randrange(3 * DAY), random.choice("ab"),
                t=random.randrange(-40, 40), h=random.choice((0.5, 1.25)))
        for n in range(1, 400)
    ]
    with Opened(tmp_path) as opened:
        for at in range(0, len(messages), 50):
            opened.deliver(*messages[at:at + 50])
            if at % 100:
                opened.deliver(*messages[at - 20:at + 50])  # in part a repetition
        rows = [row for message in messages for row in rows_of(message)]
        assert opened.sums(name) == sums_of(rows, step_s)
        (count,) = opened.all(f"SELECT sum(count), sum(total) / sum(count) FROM {name}")
        assert count == opened.all("SELECT count(*), avg(value) FROM readings")[0]


def test_an_hour_by_hand(tmp_path):
    start = NOW // HOUR * HOUR
    with Opened(tmp_path) as opened:
        opened.deliver(reading(1, start, t=20), reading(2, start + 3599.5, t=23),
                       reading(3, start + 3600, t=99), reading(4, None, t=-99))
        assert opened.all("SELECT start, count, least, most, mean FROM hourly") == [
            (start, 2, 20, 23, 21.5), (start + HOUR, 1, 99, 99, 99)]


def test_a_file_without_sums_gets_them(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "readings.db")) as db:
        db.execute("CREATE TABLE readings (device TEXT, stream INTEGER, number INTEGER, "
                   "channel TEXT, time REAL, value REAL, "
                   "PRIMARY KEY (device, stream, number, channel)) WITHOUT ROWID")
        db.executemany("INSERT INTO readings VALUES ('shed', 7, ?, 't', ?, ?)",
                       [(1, NOW, 20), (2, NOW, 22), (3, None, 99)])
        db.commit()
    for _ in range(2):  # the second time they are there
        with Opened(tmp_path) as opened:
            assert opened.all("SELECT start, count, mean FROM daily") == [
                (NOW // DAY * DAY, 2, 21)]
    with Opened(tmp_path) as opened:
        opened.deliver(reading(4, NOW, t=24))
        assert opened.all("SELECT count, mean FROM hourly") == [(3, 22)]


def test_what_is_too_old_is_deleted_and_its_days_stay(tmp_path):
    old, new = NOW - 8 * DAY, NOW - 6 * DAY
    with Opened(tmp_path, now=old, keep_days=7, keep_hourly_days=20) as opened:
        opened.deliver(
            reading(1, old, t=1), reading(2, new, t=2), reading(3, None, received=old, t=3),
            reading(4, None, received=NOW, t=4), reading(5, old - 30 * DAY, "b", t=5),
            Message(90, old * 1000, "a", "a", "other", "1"),
            Message(91, NOW * 1000, "a", "a", "other", "2"))
        assert len(opened.all("SELECT * FROM readings")) == 4, "number 5 was too old already"
        opened.now = old + 599
        opened.deliver(reading(6, new, t=6))
        opened.now = NOW
        opened.deliver(reading(7, NOW, t=7))
        assert opened.all("SELECT number FROM readings ORDER BY 1") == [(2,), (4,), (6,), (7,)]
        assert opened.all("SELECT id FROM messages") == [(91,)]
        assert [row[3] for row in opened.sums("daily")] == [1, 1, 2, 1], "also of number 5"
        assert len(opened.sums("hourly")) == 3


def test_a_lot_is_deleted_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("petrel.gateway.sinks.database._TIDY_MOST", 10)
    with Opened(tmp_path, keep_days=1) as opened:
        opened.deliver(*(reading(n, NOW - 2 * DAY, t=1) for n in range(1, 26)))
        left = [len(opened.all("SELECT 1 FROM readings"))]
        for n in (26, 27):
            opened.deliver(reading(n, NOW, t=1))
            left.append(len(opened.all("SELECT 1 FROM readings")))
        assert left == [15, 6, 2]


def test_nothing_is_deleted_by_default(tmp_path):
    with Opened(tmp_path) as opened:
        opened.deliver(reading(1, 0, t=1), reading(2, None, received=0, t=1),
                       Message(9, 0, "a", "a", "other", "1"))
        assert len(opened.all("SELECT * FROM readings")) == 2
        assert len(opened.all("SELECT * FROM messages")) == len(opened.sums("hourly")) == 1
