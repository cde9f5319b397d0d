"""Readings into PostgreSQL, a row a channel, in partitions of a month, with hourly and daily sums.

    readings(device, stream, number, channel, time, value, received)
    hourly, daily(device, channel, start, count, least, most, total, mean)
    messages(spool, id, time, topic, data)                what is no reading, as it came

`time` is -infinity while a device's clock is not set. Such readings, and those of months that
can't be (before 2020, or more than a month ahead), lie in the default partition, so that a clock
gone wrong makes no thousand tables.

A batch is one transaction, in which the number of its last message is written too, and a row is
known by device, stream, number, channel and time: each is there once, whatever is killed when, and
also when several gateways write the same. hourly and daily are summed of new rows only. A month
that is too old as a whole is dropped, which takes no time; so retention is by the month.
"""

import asyncio
import contextlib
import datetime
import time

import asyncpg

from petrel.errors import one_line
from petrel.gateway.pace import Refused, Retry
from petrel.gateway.sinks import months
from petrel.gateway.sinks.rows import DAY_S, SUMS, parted, sums_of
from petrel.listen import trust

_UTC = datetime.UTC
_UNDATED = datetime.datetime.min  # which asyncpg writes as -infinity
_LOCK = 0x70657472656C  # of gateways that change the tables
_TIDY_S = 600  # between two looks for what is too old

_TABLES = """
CREATE TABLE IF NOT EXISTS readings (device text, stream bigint, number bigint, channel text,
    time timestamptz, value double precision, received timestamptz NOT NULL,
    PRIMARY KEY (device, stream, number, channel, time)) PARTITION BY RANGE (time);
CREATE INDEX IF NOT EXISTS readings_by_time ON readings (device, channel, time);
CREATE TABLE IF NOT EXISTS readings_other PARTITION OF readings DEFAULT;
CREATE TABLE IF NOT EXISTS messages (spool text, id bigint, time timestamptz, topic text,
    data json, PRIMARY KEY (spool, id));
CREATE INDEX IF NOT EXISTS messages_by_time ON messages (time);
CREATE TABLE IF NOT EXISTS cursors (spool text PRIMARY KEY, last bigint);
""" + "".join(f"""
CREATE TABLE IF NOT EXISTS {name} (device text, channel text, start timestamptz, count bigint,
    least double precision, most double precision, total double precision,
    mean double precision GENERATED ALWAYS AS (total / count) STORED,
    PRIMARY KEY (device, channel, start));
""" for name in SUMS)
_INSERT = """INSERT INTO readings SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[],
    $4::text[], $5::timestamptz[], $6::float8[], $7::timestamptz[]) ON CONFLICT DO NOTHING
    RETURNING device, stream, number, channel"""
_ADD = """INSERT INTO {name} (device, channel, start, count, least, most, total)
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::float8[],
    $6::float8[], $7::float8[]) ON CONFLICT (device, channel, start) DO UPDATE SET
    count = {name}.count + excluded.count, total = {name}.total + excluded.total,
    least = least({name}.least, excluded.least), most = greatest({name}.most, excluded.most)"""
_REST = """INSERT INTO messages SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[],
    $4::text[], $5::json[]) ON CONFLICT DO NOTHING"""
_CURSOR = """INSERT INTO cursors VALUES ($1, $2) ON CONFLICT (spool) DO UPDATE SET
    last = greatest(cursors.last, excluded.last)"""
_UNFIT = (asyncpg.DataError, asyncpg.exceptions.DataError, OverflowError, UnicodeError,
          asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class Postgresql:
    """settings: a config_sinks.Postgresql. clock(): Unix seconds."""

    keyed = False
    most = 1000

    def __init__(self, settings, clock=time.time):
        self.name, self.topics = settings.name, settings.topics
        self.retry_max_s = settings.retry_max_s
        self._settings, self._clock = settings, clock
        self._db, self._months, self._tidied = None, set(), 0
        self._tls = trust(settings.ca) if settings.secure else False

    async def open(self, spool_name):
        self._spool = spool_name
        query = "SELECT last FROM cursors WHERE spool = $1"
        return await self._try(lambda: self._db.fetchval(query, spool_name))

    async def deliver(self, messages, key):
        await self._try(lambda: self._write(messages))

    async def close(self):
        if self._db:
            self._db.terminate()  # a polite end could wait for a server that is gone
            self._db = None

    async def _try(self, work):
        """The answer of work(), with a connection; raises Retry or Refused."""
        limit_s = self._settings.timeout_s
        try:
            async with asyncio.timeout(limit_s):
                if self._db is None or self._db.is_closed():
                    await self._connect()
                return await work()
        except _UNFIT as error:
            raise Refused(one_line(error)) from error
        except TimeoutError as error:
            await self.close()
            raise Retry(f"no answer within {limit_s} s") from error
        except _AWAY as error:
            await self.close()
            raise Retry(one_line(error) or type(error).__name__) from error
        except BaseException:
            await self.close()
            raise

    async def _connect(self):
        self._db = await asyncpg.connect(
            self._settings.url, ssl=self._tls, timeout=self._settings.timeout_s,
            server_settings={"application_name": "petrel gateway"},
        )
        self._months = set()
        async with self._changing():
            await self._db.execute(_TABLES)

    @contextlib.asynccontextmanager
    async def _changing(self):
        """A transaction that changes tables, in one gateway at a time."""
        async with self._db.transaction():
            await self._db.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield

    async def _write(self, messages):
        rows, rest = parted(messages)
        now = self._clock()
        await self._make_months(rows, now)
        async with self._db.transaction():
            fresh = await self._insert(rows)
            for name, step_s in SUMS.items():
                await self._add(name, sums_of(fresh, step_s))
            await self._db.execute(_REST, *_columns(
                [(self._spool, m.id, _time(m.time_ms / 1000), _clean(m.topic), m.data)
                 for m in rest], 5))
            await self._db.execute(_CURSOR, self._spool, messages[-1].id)
        if abs(now - self._tidied) >= _TIDY_S:
            self._tidied = now  # first: if it takes too long, the repeated batch goes without
            await self._tidy(now)

    async def _insert(self, rows):
        """Insert rows; returns those that were not there."""
        named = {(_clean(r.device), r.stream, r.number, _clean(r.channel)): r for r in rows}
        found = await self._db.fetch(_INSERT, *_columns(
            [(*name, _time(r.time), r.value, _time(r.received)) for name, r in named.items()], 7))
        return [named[tuple(record)] for record in found]

    async def _add(self, name, sums):
        await self._db.execute(_ADD.format(name=name), *_columns(
            [(_clean(device), _clean(channel), _time(start), *more)
             for device, channel, start, *more in sums], 7))

    # ---- partitions

    async def _make_months(self, rows, now):
        wanted = {months.of(row.time) for row in rows if months.is_likely(row.time, now)}
        for month in sorted(wanted - self._months):
            # Rows that came while it was far ahead may lie in the default partition; then its
            # others go there too.
            with contextlib.suppress(asyncpg.CheckViolationError):
                async with self._changing():
                    await self._db.execute(months.statement(month))
            self._months.add(month)

    async def _tidy(self, now):
        """Drop months, and delete messages and hours, that are too old."""
        days = self._settings.keep_days
        if days:
            oldest = now - days * DAY_S
            async with self._changing():
                names = await self._db.fetch(months.LIST)
                for name in months.too_old([name for name, in names], oldest):
                    await self._db.execute(f"DROP TABLE {name}")
                    self._months.discard(months.month_of(name))
                await self._db.execute("DELETE FROM readings_other WHERE received < $1",
                                       _time(oldest))
                await self._db.execute("DELETE FROM messages WHERE time < $1", _time(oldest))
        if self._settings.keep_hourly_days:
            await self._db.execute("DELETE FROM hourly WHERE start < $1",
                                   _time(now - self._settings.keep_hourly_days * DAY_S))


def _columns(rows, count):
    """Rows as columns, for unnest()."""
    return [list(column) for column in zip(*rows, strict=True)] or [[]] * count


def _time(seconds):
    """Unix seconds, or None, as asyncpg wants them. Raises OverflowError for no date at all."""
    if seconds is None:
        return _UNDATED
    try:
        return datetime.datetime.fromtimestamp(seconds, _UTC)
    except (ValueError, OSError, OverflowError) as error:
        raise OverflowError(f"{seconds} is no date") from error


def _clean(text):
    """Text without what PostgreSQL's has not."""
    return text.replace("\0", "\ufffd")
