"""Readings into an SQLite database, a row a channel.

    readings(device, stream, number, channel, time, value)    time: Unix seconds
    messages(id, time, topic, data)                           what is no reading, as it came

The number of the last message lies in the same database and changes in the same transaction, so a
reading is in it exactly once, whatever is killed when.
"""

import contextlib
import json
import sqlite3

from petrel.gateway import sqlite
from petrel.gateway.pace import Refused, Retry
from petrel.gateway.threads import in_thread

_SCHEMA = """
CREATE TABLE IF NOT EXISTS readings (device TEXT, stream INTEGER, number INTEGER, channel TEXT,
    time REAL, value REAL, PRIMARY KEY (device, stream, number, channel)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS readings_by_time ON readings (device, channel, time);
CREATE TABLE IF NOT EXISTS messages (spool TEXT, id INTEGER, time REAL, topic TEXT, data TEXT,
    PRIMARY KEY (spool, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursors (spool TEXT PRIMARY KEY, last INTEGER);
"""
_NOT_VALUES = ("s", "n", "ts")
_UNFIT = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, OverflowError,
          UnicodeError)


class Database:
    """path: of the file, made if there is none."""

    keyed = False
    retry_max_s = 10

    def __init__(self, path, topics=("#",), name="database", most=1000):
        self.path, self.topics, self.name, self.most = path, topics, name, most
        self._db = None

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
            self._db.executescript(_SCHEMA)
            query = "SELECT last FROM cursors WHERE spool = ?"
            row = self._db.execute(query, (spool_name,)).fetchone()
        return row[0] if row else None

    def _write(self, messages):
        readings, rest = [], []
        for message in messages:
            rows = _rows(message)
            readings += rows
            if not rows:
                rest.append((self._spool, message.id, message.time_ms / 1000,
                             message.topic, message.data))
        with self._explained(), sqlite.transaction(self._db):
            self._db.executemany("INSERT OR IGNORE INTO readings VALUES (?, ?, ?, ?, ?, ?)",
                                 readings)
            self._db.executemany("INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?, ?)", rest)
            self._db.execute("INSERT INTO cursors VALUES (?, ?) ON CONFLICT DO UPDATE SET "
                             "last = max(last, excluded.last)", (self._spool, messages[-1].id))

    @contextlib.contextmanager
    def _explained(self):
        try:
            yield
        except _UNFIT as error:
            raise Refused(f"{self.path}: {error}") from error
        except (OSError, sqlite3.Error) as error:
            raise Retry(f"{self.path} can't be written: {error}") from error


def _rows(message):
    """A row a channel of a message with readings; none of another."""
    if message.kind != "data":
        return []
    found = json.loads(message.data)
    items = found if isinstance(found, list) else [found]
    return [
        (message.device, item["s"], item["n"], _text(key), item.get("ts"), float(value))
        for item in items for key, value in item.items() if key not in _NOT_VALUES
    ]


def _text(key):
    return key.encode(errors="replace").decode()
