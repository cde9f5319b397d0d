"""Readings into an SQLite database, a row a channel, with sums of hours and days.

    readings(device, stream, number, channel, time, value, received)   times: Unix seconds
    hourly, daily(device, channel, start, count, least, most, total, mean)
    messages(spool, id, time, topic, data)                what is no reading, as it came

The number of the last message lies in the same database and changes in the same transaction, so a
reading is in it exactly once, whatever is killed when. hourly and daily are summed in that
transaction too, and only of rows that were new. What is older than the config says is deleted,
some at a time; the daily table stays.
"""

import contextlib
import sqlite3
import time

from petrel.gateway import sqlite
from petrel.gateway.pace import Refused, Retry
from petrel.gateway.sinks.rows import DAY_S, SUMS, parted, sums_of
from petrel.gateway.threads import in_thread

_SCHEMA = """
CREATE TABLE IF NOT EXISTS readings (device TEXT, stream INTEGER, number INTEGER, channel TEXT,
    time REAL, value REAL, received REAL, PRIMARY KEY (device, stream, number, channel))
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS readings_by_time ON readings (device, channel, time);
CREATE TABLE IF NOT EXISTS messages (spool TEXT, id INTEGER, time REAL, topic TEXT, data TEXT,
    PRIMARY KEY (spool, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursors (spool TEXT PRIMARY KEY, last INTEGER);
"""
_SCHEMA += "".join(f"""
CREATE TABLE IF NOT EXISTS {name} (device TEXT, channel TEXT, start INTEGER, count INTEGER,
    least REAL, most REAL, total REAL, mean REAL GENERATED ALWAYS AS (total / count) VIRTUAL,
    PRIMARY KEY (device, channel, start)) WITHOUT ROWID;
""" for name in SUMS)
_SUM_UP = """INSERT INTO {name} (device, channel, start, count, least, most, total)
    SELECT device, channel, CAST(time AS INTEGER) / {step_s} * {step_s}, count(*), min(value),
    max(value), sum(value) FROM readings WHERE time IS NOT NULL GROUP BY 1, 2, 3"""
_RECEIVED = "ALTER TABLE readings ADD COLUMN received REAL"
_INDEXES = (  # of what retention looks for
    "CREATE INDEX IF NOT EXISTS undated ON readings (received) WHERE time IS NULL",
    "CREATE INDEX IF NOT EXISTS messages_by_time ON messages (time)",
)
_UNFIT = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, OverflowError,
          UnicodeError)
_TIDY_S = 600  # between two looks for what is too old
_TIDY_MOST = 20000  # rows a look; more of them are looked for with the next batch


class Database:
    """settings: a config_sinks.Database. folder: of its file, which is made if there is none.
    clock(): Unix seconds.
    """

    keyed = False
    name, most, retry_max_s = "database", 1000, 10

    def __init__(self, settings, folder, clock=time.time):
        self.path, self.topics = folder / settings.path, settings.topics
        self._keep_days, self._keep_hourly_days = settings.keep_days, settings.keep_hourly_days
        self._db, self._clock, self._tidied = None, clock, 0

    async def open(self, spool_name):
        return await in_thread(self._open, spool_name)

    async def deliver(self, messages, key):
        await in_thread(self._write, messages)

    async def close(self):
        if self._db:
            self._db.close()

    def _open(self, spool_name):
        self._spool = spool_name
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite.opened(self.path)
            with sqlite.transaction(self._db):
                self._make()
            query = "SELECT last FROM cursors WHERE spool = ?"
            row = self._db.execute(query, (spool_name,)).fetchone()
        return row[0] if row else None

    def _make(self):
        """The tables; sums of a file that had none yet."""
        tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
        had = {name for name, in self._db.execute(tables)}
        for statement in filter(str.strip, _SCHEMA.split(";")):
            self._db.execute(statement)
        if "received" not in [row[1] for row in self._db.execute("PRAGMA table_info(readings)")]:
            self._db.execute(_RECEIVED)
        for index in _INDEXES:
            self._db.execute(index)
        for name in SUMS.keys() - had:
            self._db.execute(_SUM_UP.format(name=name, step_s=SUMS[name]))

    def _write(self, messages):
        with self._explained():
            rows, rest = parted(messages)
            with sqlite.transaction(self._db):
                fresh = self._insert(rows)
                for name, step_s in SUMS.items():
                    self._add(name, sums_of(fresh, step_s))
                self._db.executemany(
                    "INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?, ?)",
                    [(self._spool, m.id, m.time_ms / 1000, m.topic, m.data) for m in rest])
                self._db.execute("INSERT INTO cursors VALUES (?, ?) ON CONFLICT DO UPDATE SET "
                                 "last = max(last, excluded.last)", (self._spool, messages[-1].id))
            now = self._clock()
            keeps_all = not (self._keep_days or self._keep_hourly_days)
            if not keeps_all and abs(now - self._tidied) >= _TIDY_S and not self._tidy(now):
                self._tidied = now

    def _insert(self, rows):
        """Insert rows; returns those that were not there. Most often that is all of them."""
        query = ("INSERT OR IGNORE INTO readings (device, stream, number, channel, time, value, "
                 "received) VALUES (?, ?, ?, ?, ?, ?, ?)")
        values = [(r.device, r.stream, r.number, r.channel, r.time, r.value, r.received)
                  for r in rows]
        self._db.execute("SAVEPOINT rows")
        before = self._db.total_changes
        self._db.executemany(query, values)
        if self._db.total_changes - before == len(rows):
            return rows
        self._db.execute("ROLLBACK TO rows")
        return [row for row, value in zip(rows, values, strict=True)
                if self._db.execute(query, value).rowcount]

    def _add(self, name, sums):
        self._db.executemany(
            f"INSERT INTO {name} (device, channel, start, count, least, most, total) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "count = count + excluded.count, total = total + excluded.total, "
            "least = min(least, excluded.least), most = max(most, excluded.most)", sums)

    def _tidy(self, now):
        """Delete what is too old, a bounded number of rows; True if there may be more."""
        left = _TIDY_MOST
        with sqlite.transaction(self._db):
            for table, keys, condition, values in self._too_old(now):
                left -= self._db.execute(
                    f"DELETE FROM {table} WHERE ({keys}) IN (SELECT {keys} FROM {table} WHERE "
                    f"{condition} LIMIT ?)", (*values, left)).rowcount
                if not left:
                    break
        return left == 0

    def _too_old(self, now):
        """(table, its keys, condition, values) of what retention wants deleted."""
        places = [*self._db.execute("SELECT DISTINCT device, channel FROM daily")]
        if self._keep_days:
            oldest = now - self._keep_days * DAY_S
            keys = "device, stream, number, channel"
            for place in places:
                yield ("readings", keys, "device = ? AND channel = ? AND time < ?",
                       (*place, oldest))
            yield "readings", keys, "time IS NULL AND received < ?", (oldest,)
            yield "messages", "spool, id", "time < ?", (oldest,)
        if self._keep_hourly_days:
            oldest = now - self._keep_hourly_days * DAY_S
            for place in places:
                yield ("hourly", "device, channel, start",
                       "device = ? AND channel = ? AND start < ?", (*place, oldest))

    @contextlib.contextmanager
    def _explained(self):
        try:
            yield
        except _UNFIT as error:
            raise Refused(f"{self.path}: {error}") from error
        except (OSError, sqlite3.Error) as error:
            raise Retry(f"{self.path} can't be written: {error}") from error
