"""How sinks are given messages: batches that shrink and grow, delays, and what an answer means."""

import email.utils
import json

import httpx
import pytest

from petrel.gateway.message import Message, envelope
from petrel.gateway.pace import Pace, Refused, Retry
from petrel.gateway.sinks.webhook import judge, retry_after

NOW = 1_795_354_689


def deliver(pace, count, bad):
    """Give messages 1 to `count` to a peer that refuses the `bad`; returns (attempts, aside)."""
    cursor, attempts, aside = 1, 0, []
    while cursor <= count:
        batch = range(cursor, min(count, cursor + pace.size - 1) + 1)
        attempts += 1
        if bad.isdisjoint(batch):
            pace.delivered()
        elif pace.refused(len(batch)):
            continue
        else:
            aside.extend(batch)
        cursor = batch[-1] + 1
    return attempts, aside


@pytest.mark.parametrize("bad", [
    set(), {3, 4, 90}, set(range(1, 101)), *({n} for n in range(1, 101)),
], ids=str)
def test_one_bad_message_takes_no_other_with_it(bad):
    attempts, aside = deliver(Pace(64), 100, bad)
    assert set(aside) == bad
    assert attempts <= 2 + 4 * 6 * len(bad), "64 is halved 6 times"


def test_delays_grow_with_jitter_up_to_the_most():
    pace = Pace(1, first_s=0.5, max_s=4)
    for most in (1, 2, 4, 4, 4):
        assert 0.5 <= pace.failed() <= most
    assert pace.failures == 5
    pace.delivered()
    assert pace.failed() <= 1


def test_a_peer_that_asks_for_time_gets_it_within_reason():
    assert Pace(1).failed(after_s=30) == 30
    assert Pace(1, max_s=4).failed(after_s=86400) == 40
    assert Pace(1).failed(after_s=0) >= 0.5


@pytest.mark.parametrize("text, seconds", [
    (None, None), ("7", 7), (" 120 ", 120), ("soon", None), ("-3", None),
    (email.utils.formatdate(NOW + 90, usegmt=True), 90),
    (email.utils.formatdate(NOW - 90, usegmt=True), 0),
])
def test_retry_after(text, seconds):
    assert retry_after(text, NOW) == seconds


@pytest.mark.parametrize("status, error", [
    (200, None), (202, None), (204, None), (400, Refused), (401, Refused), (404, Refused),
    (413, Refused), (422, Refused), (408, Retry), (425, Retry), (429, Retry), (301, Retry),
    (500, Retry), (503, Retry),
])
def test_what_an_answer_means(status, error):
    if error is None:
        return judge(status, httpx.Headers(), NOW)
    with pytest.raises(error, match=str(status) if status != 301 else "redirects to /there") as e:
        judge(status, httpx.Headers({"Location": "/there", "Retry-After": "9"}), NOW)
    if status in (429, 503):
        assert e.value.after_s == 9


def test_the_body_of_a_message():
    message = Message(12, 1_795_354_689_123, "devices/a\"b/data", "a\"b", "data", '{"t":25.50}')
    assert '"data":{"t":25.50}' in envelope(message, "f00")
    assert json.loads(envelope(message, "f00")) == {
        "id": "f00-12", "topic": "devices/a\"b/data", "data": {"t": 25.5},
        "timestamp": "2026-11-22T13:38:09.123Z",
    }
