"""The spool: messages on disk until every sink has them, in one SQLite database.

    arrivals -> store -> messages 1 2 3 4 5 6 7          one transaction a group of arrivals
                                    ^     ^
                                    |     cursor of a sink that is up to date
                                    cursor of one that is slow: all after it is kept for it

A transaction holds the messages together with what the ledger and the frame decoder learnt from
them, so that after a power cut at any moment both tell of the same messages. It is on disk when
`store` returns (write-ahead log, `synchronous=FULL`); only then is anything acknowledged.

Messages that every sink has are deleted. When the rest outgrows `limit_bytes` the oldest are
deleted all the same, dead letters first, and counted as `lost` for each sink that lacked them.

One thread writes (`petrel.gateway.writer`); a Reader may be used beside it.
"""

import fcntl
import json
import random
import sqlite3
from pathlib import Path

from petrel.errors import Failure
from petrel.gateway import sqlite
from petrel.gateway.intake import Intake
from petrel.gateway.message import Arrival, Message
from petrel.ledger import Ledger
from petrel.profiles import Decoder

_KIND = "petrel gateway spool 1"
_FILE = "spool.db"
_SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL,
    topic TEXT NOT NULL, device TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE sinks (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL DEFAULT 0,
    sending INTEGER NOT NULL DEFAULT 0, lost INTEGER NOT NULL DEFAULT 0);
CREATE TABLE dead (number INTEGER PRIMARY KEY, sink TEXT NOT NULL, reason TEXT NOT NULL,
    again INTEGER NOT NULL DEFAULT 0, id INTEGER, time_ms INTEGER, topic TEXT,
    device TEXT, kind TEXT, data TEXT);
CREATE TABLE streams (device TEXT, stream INTEGER, state TEXT NOT NULL,
    PRIMARY KEY (device, stream));
CREATE TABLE closed (device TEXT PRIMARY KEY, counts TEXT NOT NULL);
CREATE TABLE held (device TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX held_of ON held (device);
CREATE TABLE latest (topic TEXT PRIMARY KEY, payload BLOB NOT NULL, time_ms INTEGER NOT NULL);
"""
_LATER = """CREATE TABLE IF NOT EXISTS units
    (device TEXT, channel TEXT, unit TEXT, PRIMARY KEY (device, channel))"""
_COLUMNS = "id, time_ms, topic, device, kind, data"
_CUT = 1000  # messages that make room at a time


class Spool:
    """Opens the spool in a folder, or makes one. Raises Failure if that can't be.

    name: of this spool alone, for idempotency keys. intake: the Intake it was left with.
    lost: {sink: messages deleted before it had them}.
    """

    def __init__(self, folder, limit_bytes=1 << 30):
        self.path = Path(folder) / _FILE
        self.limit_bytes = limit_bytes
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.path.with_name("lock"))
            self._db = sqlite.opened(self.path)
            self._make()
            self.intake = self._load()
        except (OSError, sqlite3.Error) as error:
            raise Failure(f"the spool {self.path} can't be used: {error}") from error
        self._page = self._value("PRAGMA page_size")

    def close(self):
        self._db.close()
        self._lock.close()

    # ---- what it is

    def about(self, name, make):
        """A value kept for good: what `make()` gave the first time it was asked for."""
        with self.transaction():
            self._db.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (name, make()))
        return self._value("SELECT value FROM about WHERE name = ?", name)

    @property
    def bytes_used(self):
        """Of pages that hold something."""
        free = self._value("PRAGMA freelist_count")
        return (self._value("PRAGMA page_count") - free) * self._page

    @property
    def last(self):
        """The id of the newest message ever, 0 if there was none."""
        return self._value("SELECT seq FROM sqlite_sequence WHERE name = 'messages'") or 0

    # ---- writing

    def transaction(self):
        """All of it or nothing, as a context manager."""
        return sqlite.transaction(self._db)

    def store(self, messages, changes):
        """Write messages and what changed with them, inside of a transaction; returns them with
        their ids.
        """
        first = self.last + 1
        stored = [
            Message(first + place, m.time_ms, m.topic, m.device, m.kind, m.data, m.arrival)
            for place, m in enumerate(messages)
        ]
        self._db.executemany(
            f"INSERT INTO messages ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", map(_row, stored)
        )
        self._store_streams(changes.streams)
        for device in changes.held:
            self._db.execute("DELETE FROM held WHERE device = ?", (device,))
            kept = [(device, *message) for message in self.intake.decoder.kept(device)]
            self._db.executemany("INSERT INTO held VALUES (?, ?, ?)", kept)
        latest = [(topic, a.payload, a.time_ms) for topic, a in changes.latest.items()]
        self._db.executemany("INSERT OR REPLACE INTO latest VALUES (?, ?, ?)", latest)
        units = [(*place, unit) for place, unit in changes.units.items()]
        self._db.executemany("INSERT OR REPLACE INTO units VALUES (?, ?, ?)", units)
        return stored

    def _store_streams(self, touched):
        ledger = self.intake.ledger
        states = [
            (device, stream, json.dumps(ledger.streams(device)[stream].dump()))
            for device, stream in touched if stream in ledger.streams(device)
        ]
        self._db.executemany("INSERT INTO streams VALUES (?, ?, ?) ON CONFLICT DO UPDATE "
                             "SET state = excluded.state", states)
        for device in {device for device, _ in touched} & ledger.closed.keys():
            self._store_closed(device, json.dumps(ledger.closed[device]))

    def _store_closed(self, device, counts):
        """The sums of the streams that the ledger has let go, in place of the streams."""
        if self._value("SELECT counts FROM closed WHERE device = ?", device) == counts:
            return
        self._db.execute("INSERT OR REPLACE INTO closed VALUES (?, ?)", (device, counts))
        own = json.dumps([*self.intake.ledger.streams(device)])
        self._db.execute("DELETE FROM streams WHERE device = ? AND stream NOT IN "
                         "(SELECT value FROM json_each(?))", (device, own))

    # ---- sinks

    def register(self, names):
        """These are the sinks: new ones begin with the oldest message, others are forgotten."""
        with self.transaction():
            self._db.execute("DELETE FROM sinks WHERE name NOT IN "
                             "(SELECT value FROM json_each(?))", (json.dumps([*names]),))
            self._db.executemany("INSERT OR IGNORE INTO sinks (name) VALUES (?)",
                                 [(name,) for name in names])

    def place(self, sink):
        """(cursor, sending): the last message it has; the last of a batch that was begun, or 0."""
        query = "SELECT cursor, sending FROM sinks WHERE name = ?"
        return self._db.execute(query, (sink,)).fetchone()

    def advance(self, sink, cursor):
        """It has everything up to `cursor`."""
        self._db.execute("UPDATE sinks SET cursor = max(cursor, ?), sending = 0 WHERE name = ?",
                         (cursor, sink))

    def begin(self, sink, last):
        """A batch that ends with message `last` is on its way to it."""
        self._db.execute("UPDATE sinks SET sending = ? WHERE name = ?", (last, sink))

    @property
    def lost(self):
        """{sink: messages that it never got because the spool was full}."""
        return dict(self._db.execute("SELECT name, lost FROM sinks"))

    def sweep(self):
        """Delete what every sink has, and the oldest if there is too much of the rest."""
        done = self._value("SELECT min(cursor) FROM sinks")
        self._delete(self.last if done is None else done)
        if self.bytes_used > self.limit_bytes and not self._drop_dead():
            oldest = self._value("SELECT min(id) FROM messages")
            if oldest is not None:
                self._drop(oldest + _CUT - 1)

    def _drop_dead(self):
        """Delete the oldest dead letters: were they kept, nothing else would be in the end."""
        last = f"(SELECT max(number) FROM (SELECT number FROM dead ORDER BY number LIMIT {_CUT}))"
        self._db.execute("UPDATE sinks SET lost = lost + (SELECT count(*) FROM dead "
                         f"WHERE sink = name AND number <= {last})")
        return self._db.execute(f"DELETE FROM dead WHERE number <= {last}").rowcount

    def _drop(self, last):
        count = "SELECT count(*) FROM messages WHERE id <= ? AND id > cursor"
        self._db.execute(f"UPDATE sinks SET lost = lost + ({count})", (last,))
        self._delete(last)

    def _delete(self, last):
        self._db.execute("DELETE FROM messages WHERE id <= ?", (last,))

    # ---- what a sink refused

    def set_aside(self, sink, reason, messages):
        """Keep messages that a sink refuses, in its dead-letter list."""
        self._db.executemany(
            f"INSERT INTO dead (sink, reason, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(sink, reason, *_row(message)) for message in messages],
        )

    def replay(self, sink):
        """Have a sink try all its dead letters once more; returns how many there are."""
        return self._db.execute("UPDATE dead SET again = 1 WHERE sink = ?", (sink,)).rowcount

    def bury(self, number, reason):
        """A dead letter was refused once more, or taken: reason None."""
        if reason is None:
            self._db.execute("DELETE FROM dead WHERE number = ?", (number,))
        else:
            self._db.execute("UPDATE dead SET again = 0, reason = ? WHERE number = ?",
                             (reason, number))

    # ---- reading

    def _make(self):
        with self.transaction():
            if not self._value("SELECT count(*) FROM sqlite_master"):
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._db.execute(statement)
                name = f"{random.SystemRandom().getrandbits(48):012x}"
                self._db.executemany("INSERT INTO about VALUES (?, ?)",
                                     [("kind", _KIND), ("name", name)])
        if self._value("SELECT value FROM about WHERE name = 'kind'") != _KIND:
            raise Failure(f"{self.path} is another kind of file; name another folder")
        self._db.execute(_LATER)
        self.name = self._value("SELECT value FROM about WHERE name = 'name'")

    def _load(self):
        streams = self._db.execute("SELECT device, stream, state FROM streams ORDER BY rowid")
        closed = self._db.execute("SELECT device, counts FROM closed")
        ledger = Ledger.load({
            "streams": [(device, stream, json.loads(state)) for device, stream, state in streams],
            "closed": {device: json.loads(counts) for device, counts in closed},
        })
        decoder = Decoder()
        decoder.recall(self._db.execute("SELECT topic, payload FROM held ORDER BY rowid"))
        latest = self._db.execute("SELECT topic, payload, time_ms FROM latest")
        units = {}
        for device, channel, unit in self._db.execute("SELECT device, channel, unit FROM units"):
            units.setdefault(device, {})[channel] = unit
        return Intake(ledger, decoder, {row[0]: Arrival(*row) for row in latest}, units)

    def _value(self, query, *arguments):
        row = self._db.execute(query, arguments).fetchone()
        return row[0] if row else None


class Reader:
    """Reads a spool beside its writer; one thread at a time may use it."""

    def __init__(self, path):
        self._db = sqlite3.connect(
            f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )

    def close(self):
        self._db.close()

    def after(self, cursor, most, last=None):
        """At most `most` Messages behind `cursor`, up to `last`, oldest first."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
            (cursor, last or 1 << 62, most),
        )
        return [Message(*row) for row in rows]

    def dead(self, sink, most=1000, again=0):
        """[(number, reason, Message)] of a sink's dead-letter list, oldest first; again=1: only
        those that are to be tried once more.
        """
        rows = self._db.execute(
            f"SELECT number, reason, {_COLUMNS} FROM dead WHERE sink = ? AND again >= ? "
            "ORDER BY number LIMIT ?", (sink, again, most),
        )
        return [(number, reason, Message(*row)) for number, reason, *row in rows]

    def dead_counts(self):
        """{sink: length of its dead-letter list}."""
        return dict(self._db.execute("SELECT sink, count(*) FROM dead GROUP BY sink"))


def _row(message):
    return (message.id, message.time_ms, message.topic, message.device, message.kind, message.data)


def _locked(path):
    """An open file that is ours until it is closed: one gateway a folder."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise Failure(f"{path.parent} is in use by another gateway") from error
    return file
