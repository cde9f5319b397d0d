"""The spool: is what it was given there after any end, and is it bounded as it says?"""

import json
import sqlite3

import pytest

from host_tests.gateway.test_intake import DATA, READING
from host_tests.test_profiles import blob, framed  # noqa: F401
from petrel import ledger as ledgers
from petrel.errors import Failure
from petrel.gateway.message import Arrival
from petrel.gateway.spool import Reader, Spool
from petrel.ledger import Ledger


def arrive(spool, *payloads, topic=DATA):
    """Store one arrival each, in one transaction; returns the Messages."""
    messages = []
    for payload in payloads:
        payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        messages += spool.intake.take(Arrival(topic, payload, 1000))
    with spool.transaction():
        return spool.store(messages, spool.intake.taken_changes())


def numbered(first, last, stream=7):
    return [{**READING, "s": stream, "n": n} for n in range(first, last + 1)]


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path)
    yield spool
    spool.close()


def reopened(spool, **options):
    spool.close()
    return Spool(spool.path.parent, **options)


def test_messages_and_what_was_learnt_from_them_outlive_it(spool, blob):  # noqa: F811
    stored = arrive(spool, *numbered(1, 3))
    arrive(spool, {"status": "online", "s": 8}, topic="devices/shed/status")
    arrive(spool, framed(blob, 101, 103), topic="devices/barn/data")
    again = reopened(spool)
    try:
        assert Reader(again.path).after(0, 10)[:3] == stored
        assert [message.id for message in stored] == [1, 2, 3]
        assert again.name == spool.name
        assert [*again.intake.ledger.lines()] == [*spool.intake.ledger.lines()]
        assert arrive(again, *numbered(2, 3)) == []
        retained = Arrival("devices/shed/status", b'{"status": "online", "s": 8}', 1, True)
        assert again.intake.take(retained) == []
        (message,) = arrive(again, blob, topic="devices/barn/profile")
        assert len(json.loads(message.data)) == 3
        later = reopened(again)
        assert len(arrive(later, framed(blob, 104, 105), topic="devices/barn/data")) == 1
        assert arrive(later, blob, topic="devices/barn/profile") == []
        later.close()
    finally:
        again.close()


def test_a_group_is_there_whole_or_not_at_all(spool):
    messages = spool.intake.take(Arrival(DATA, json.dumps(READING).encode(), 1000))
    changes = spool.intake.taken_changes()
    with pytest.raises(ZeroDivisionError), spool.transaction():
        spool.store(messages, changes)
        raise ZeroDivisionError
    assert Reader(spool.path).after(0, 10) == []
    with spool.transaction():
        assert spool.store(messages, changes)[0].id == 1
    assert len(Reader(spool.path).after(0, 10)) == 1


def test_streams_that_the_ledger_lets_go_keep_their_sums(spool, monkeypatch):
    monkeypatch.setattr(ledgers, "MOST_STREAMS", 3)
    plain = Ledger()
    for stream in range(1, 9):
        arrive(spool, *numbered(1, 2, stream), *numbered(4, 4, stream))
        for number in (1, 2, 4):
            plain.add("shed", stream, number)
    again = reopened(spool)
    assert [*again.intake.ledger.lines()] == [*plain.lines()]
    again.close()


def test_what_every_sink_has_is_deleted(spool):
    spool.register(["a", "b"])
    arrive(spool, *numbered(1, 4))
    for a, b, left in ((2, 1, [2, 3, 4]), (4, 3, [4]), (4, 4, [])):
        with spool.transaction():
            spool.advance("a", a)
            spool.advance("b", b)
            spool.sweep()
        assert [message.id for message in Reader(spool.path).after(0, 10)] == left
    assert arrive(spool, *numbered(5, 5))[0].id == 5, "an id names one message for ever"


def test_sinks_come_and_go(spool):
    spool.register(["a", "b"])
    arrive(spool, *numbered(1, 2))
    with spool.transaction():
        spool.advance("a", 2)
        spool.begin("b", 1)
    again = reopened(spool)
    again.register(["b", "c"])
    assert (again.place("b"), again.place("c"), again.place("a")) == ((0, 1), (0, 0), None)
    again.close()


def test_without_a_sink_nothing_is_kept(spool):
    arrive(spool, *numbered(1, 3))
    with spool.transaction():
        spool.sweep()
    assert Reader(spool.path).after(0, 10) == []


def test_when_it_is_full_the_oldest_go_and_are_counted_for_who_lacked_them(tmp_path):
    spool = Spool(tmp_path, limit_bytes=300_000)
    spool.register(["quick", "slow"])
    for first in range(1, 6001, 500):
        arrive(spool, *numbered(first, first + 499))
        with spool.transaction():
            spool.advance("quick", spool.last)
            spool.sweep()
    left = [message.id for message in Reader(spool.path).after(0, 10_000)]
    assert left == list(range(left[0], 6001)) and left[0] > 1
    assert spool.lost == {"quick": 0, "slow": left[0] - 1}
    assert spool.bytes_used < 500_000
    spool.close()


def test_when_it_is_full_dead_letters_go_first(tmp_path):
    spool = Spool(tmp_path, limit_bytes=300_000)
    spool.register(["hook", "slow"])
    for first in range(1, 6001, 500):
        stored = arrive(spool, *numbered(first, first + 499))
        with spool.transaction():
            spool.set_aside("hook", "status 401", stored)
            spool.advance("hook", spool.last)
            spool.advance("slow", max(0, spool.last - 500))
            spool.sweep()
    reader = Reader(spool.path)
    assert [message.id for message in reader.after(0, 10_000)] == list(range(5501, 6001))
    left = [message.id for _, _, message in reader.dead("hook", 10_000)]
    assert left == list(range(left[0], 6001)) and left[0] > 1
    assert spool.lost == {"hook": left[0] - 1, "slow": 0}
    assert spool.bytes_used < 500_000
    spool.close()


def test_dead_letters_are_kept_replayed_and_buried(spool):
    stored = arrive(spool, *numbered(1, 2))
    with spool.transaction():
        spool.set_aside("hook", "status 400", stored)
    reader = Reader(spool.path)
    assert [(why, m) for _, why, m in reader.dead("hook")] == [("status 400", m) for m in stored]
    assert (reader.dead("hook", again=1), reader.dead_counts()) == ([], {"hook": 2})
    with spool.transaction():
        assert spool.replay("hook") == 2
    (one, *_), (two, *_) = reader.dead("hook", again=1)
    with spool.transaction():
        spool.bury(one, None)
        spool.bury(two, "status 413")
    assert [(why, m) for _, why, m in reader.dead("hook")] == [("status 413", stored[1])]
    assert reader.dead("hook", again=1) == []


def test_one_gateway_a_folder(spool):
    with pytest.raises(Failure, match="in use by another gateway"):
        Spool(spool.path.parent)


def test_another_file_is_left_alone(tmp_path):
    db = sqlite3.connect(tmp_path / "spool.db")
    db.execute("CREATE TABLE about (name TEXT, value TEXT)")
    db.close()
    with pytest.raises(Failure, match="another kind of file"):
        Spool(tmp_path)
    (tmp_path / "spool.db").write_text("no database at all, but long enough to be read as one")
    with pytest.raises(Failure, match="can't be used"):
        Spool(tmp_path)
