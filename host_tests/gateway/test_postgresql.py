"""HTTP -> gateway -> PostgreSQL: is every reading there once, in the table of its month, and
summed up, whatever becomes of the server?

Each test has a database of its own.
"""

import asyncio
import itertools
import json
import random
import threading
import time
import types

import asyncpg
import pytest

from host_tests.gateway.running import SOON_S, Gateway, wait_for
from host_tests.gateway.test_amqp import post
from petrel.gateway.config_sinks import Postgresql as Settings
from petrel.gateway.message import Message
from petrel.gateway.pace import Refused
from petrel.gateway.sinks import months
from petrel.gateway.sinks.postgresql import Postgresql
from petrel.gateway.sinks.rows import rows_of, sums_of
from petrel.setup.services import find_postgresql

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not find_postgresql(), reason="no postgres; try: make setup-services"),
]
NOW = 1_795_354_689  # 2026-11-22
DAY = 86400
CONFIG = """
[mqtt]
url = ""
[http]
listen = "127.0.0.1:0"
[[postgresql]]
name = "pg"
url = "{url}"
timeout_s = 2
retry_max_s = 1
"""


_names = itertools.count(1)


@pytest.fixture
def base(postgresql):
    """A new database: its url, and all(query)."""
    name = f"base{next(_names)}"
    ask(postgresql.url, f"CREATE DATABASE {name}")
    url = postgresql.url.replace("/postgres", f"/{name}")
    return types.SimpleNamespace(url=url, all=lambda query: ask(url, query))


def ask(url, query):
    async def run():
        db = await asyncpg.connect(url, ssl=False, timeout=SOON_S)
        try:
            return [tuple(row) for row in await db.fetch(query)]
        finally:
            await db.close()

    return asyncio.run(run())


def reading(n, ts, device="shed", received=NOW, **values):
    data = {"s": 7, "n": n, **({} if ts is None else {"ts": ts}), **values}
    return Message(n, received * 1000, f"devices/{device}/data", device, "data", json.dumps(data))


def deliver(base, *batches, now=NOW, spool="f00", **settings):
    """Each batch by itself, to a sink that is opened for them; returns the last number it had."""
    async def run():
        sink = Postgresql(Settings(url=base.url, **settings), clock=lambda: now)
        try:
            last = await sink.open(spool)
            for batch in batches:
                await sink.deliver(batch, "key")
            return last
        finally:
            await sink.close()

    return asyncio.run(run())


def test_each_reading_is_once_in_the_table_of_its_month(base):
    batch = [reading(1, NOW, t=1.5, h=2), reading(2, NOW + 10 * DAY, t=3), reading(3, None, t=4),
             reading(4, NOW + 400 * DAY, t=5), reading(5, 86400, t=6),
             Message(6, NOW * 1000, "sensors/a\0b", "a", "other", '{"a":"\\u0000"}')]
    assert deliver(base, batch) is None
    assert deliver(base, batch, [reading(7, NOW, t=7), *batch]) == 6
    assert deliver(base, batch, spool="f01") is None, "another gateway has its own cursor"
    found = base.all("SELECT tableoid::regclass::text, number, channel, value, "
                     "extract(epoch FROM nullif(time, '-infinity'))::bigint FROM readings "
                     "ORDER BY number, channel")
    assert found == [
        ("readings_2026_11", 1, "h", 2, NOW), ("readings_2026_11", 1, "t", 1.5, NOW),
        ("readings_2026_12", 2, "t", 3, NOW + 10 * DAY), ("readings_other", 3, "t", 4, None),
        ("readings_other", 4, "t", 5, NOW + 400 * DAY), ("readings_other", 5, "t", 6, 86400),
        ("readings_2026_11", 7, "t", 7, NOW)]
    assert base.all("SELECT spool, id, topic, data::text FROM messages ORDER BY 1") == [
        (spool, 6, "sensors/a\ufffdb", '{"a":"\\u0000"}') for spool in ("f00", "f01")]
    later = [reading(8, NOW + 401 * DAY, t=8)]
    deliver(base, later, now=NOW + 400 * DAY)  # in the month of number 4, which is no table
    assert base.all("SELECT count(*) FROM readings_other") == [(4,)]


def test_hours_and_days_are_the_sums_of_their_readings(base):
    messages = [reading(n, NOW - n * 997, "ab"[n % 2], t=n % 7, h=n / 4) for n in range(1, 300)]
    deliver(base, messages[:200], messages[150:], messages[:10])
    rows = [row for message in messages for row in rows_of(message)]
    for name, step_s in (("hourly", 3600), ("daily", DAY)):
        found = base.all("SELECT device, channel, extract(epoch FROM start)::bigint, count, "
                         f"least, most, total FROM {name} ORDER BY 1, 2, 3")
        assert found == sums_of(rows, step_s)
    assert base.all("SELECT count(*) FROM daily WHERE mean <> total / count") == [(0,)]


def test_months_that_are_too_old_are_dropped(base):
    old = NOW - 70 * DAY  # in September
    deliver(base, [reading(1, old, t=1), reading(2, None, received=old, t=2),
                   Message(3, old * 1000, "a", "a", "other", "1")], now=old)
    settings = {"keep_days": 60, "keep_hourly_days": 60}
    deliver(base, [reading(4, NOW - 39 * DAY, t=4)], now=NOW - 9 * DAY, **settings)
    assert base.all("SELECT number FROM readings ORDER BY 1") == [(1,), (4,)]
    deliver(base, [reading(5, NOW, t=5)], now=NOW + 20 * DAY, **settings)
    assert base.all("SELECT number FROM readings ORDER BY 1") == [(4,), (5,)]
    assert base.all("SELECT * FROM messages") == []
    assert base.all("SELECT sum(count)::int FROM daily") == [(3,)], "days stay"
    assert base.all("SELECT sum(count)::int FROM hourly") == [(2,)]
    assert base.all(months.LIST + " ORDER BY 1") == [
        ("readings_2026_10",), ("readings_2026_11",), ("readings_other",)]


def test_what_no_database_takes_is_refused(base):
    with pytest.raises(Refused, match="is no date"):
        deliver(base, [reading(1, 1e300, t=1)])
    with pytest.raises(Refused, match="index row"):
        deliver(base, [reading(1, NOW, **{random.Random(1).randbytes(4000).hex(): 1})])
    with pytest.raises(Refused, match="json"):
        deliver(base, [Message(1, 0, "a", "a", "other", "no JSON")])


@pytest.fixture
def gateway(tmp_path, evidence, base):
    running = Gateway(tmp_path, CONFIG.format(url=base.url))
    evidence("log of the gateway", lambda: "\n".join(running.logs()))
    yield running
    running.kill()


def wait_readings(base, gateway, count):
    query = "SELECT number, value FROM readings ORDER BY number"
    wanted = [(n, n) for n in range(1, count + 1)]
    wait_for(lambda: base.all(query) == wanted, SOON_S,
             lambda: f"{base.all(query)[-3:]}; {gateway.logs()[-4:]}")


def test_the_server_is_killed_and_freezes_and_others_do_not_wait(gateway, base, postgresql):
    sender = threading.Thread(target=lambda: post(gateway, range(1, 201)))
    sender.start()
    gateway.wait_rows(50)
    postgresql.kill()
    try:
        sender.join(SOON_S)
        assert not sender.is_alive(), "devices are held up"
        gateway.wait_rows(200)
        gateway.wait_log("pg: .*; next try in", SOON_S)
        gateway.kill()
        gateway.start()
    finally:
        postgresql.start()  # other tests have the same one
    wait_readings(base, gateway, 200)
    mark = gateway.mark()
    postgresql.pause()
    try:
        post(gateway, range(201, 211))
        gateway.wait_log("pg: no answer within 2 s; next try in", SOON_S, mark)
    finally:
        postgresql.resume()
    wait_readings(base, gateway, 210)
    assert gateway.stop() == 0


def test_the_gateway_is_killed_at_random(gateway, base, seed):
    for n in range(4):
        post(gateway, range(1 + 25 * n, 26 + 25 * n))
        time.sleep(0.05 * (seed >> n & 1))
        gateway.kill()
        gateway.start()
    wait_readings(base, gateway, 100)
