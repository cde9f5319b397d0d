"""firmware/payloads/json.py: is every message JSON, exact, and never above its limit?"""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tests.on_cpython import load

json_payload = load("payloads.json")
Channel = load("sensors").Channel

INT32 = st.integers(-(2**31), 2**31 - 1)
# As firmware/config_limits.py allows them: 1 to 16 bytes, no control character, no " and no \.
KEY = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters='"\\'),
    min_size=1, max_size=16,
).filter(lambda key: len(key.encode()) <= 16)
KEYS = st.lists(KEY, min_size=1, max_size=4, unique=True).filter(
    lambda keys: not {"s", "n", "ts", "up"} & set(keys)
)


def encode(channels, rows, limit, stream=2**31 - 1):
    """The rows (number, due, values) as messages of at most `limit` bytes; none may be refused."""
    encoder = json_payload.Encoder(channels, stream)
    buffer, messages = bytearray(b"\xee" * (limit + 1)), []
    encoder.begin(buffer, limit)
    for row in rows:
        if not encoder.add(*row):
            messages.append(taken(encoder, buffer))
            encoder.begin(buffer, limit)
            assert encoder.add(*row), "one reading alone must fit"
    return [*messages, taken(encoder, buffer)]


def taken(encoder, buffer):
    start, end = encoder.finish()
    return bytes(buffer[start:end])


def decode(message):
    content = json.loads(message, parse_float=Decimal)
    return content if isinstance(content, list) else [content]


@given(data=st.data(), keys=KEYS, spare=st.integers(0, 400))
def test_messages_hold_every_reading_exactly(data, keys, spare):
    channels = [Channel(key, None, data.draw(st.integers(0, 9))) for key in keys]
    values = st.lists(st.none() | INT32, min_size=len(keys), max_size=len(keys))
    time = st.tuples(st.integers(0, 10**14 - 1), st.none())
    uptime = st.tuples(st.none(), st.integers(0, 2**41))
    rows = data.draw(st.lists(st.tuples(INT32.map(abs), time | uptime, values), min_size=1))
    limit = json_payload.most_bytes(channels) + spare
    messages = encode(channels, rows, limit)
    assert all(len(message) <= limit for message in messages)
    sent = [reading for message in messages for reading in decode(message)]
    assert sent == [as_sent(channels, *row) for row in rows]


def as_sent(channels, number, due, values):
    unix_ms, uptime_ms = due
    sent = {"s": 2**31 - 1, "n": number}
    if unix_ms is None:
        sent["up"] = uptime_ms // 1000
    else:
        sent["ts"] = unix_ms // 1000
    for channel, value in zip(channels, values, strict=True):
        if value is not None:
            sent[channel.key] = Decimal(value).scaleb(-channel.decimals)
    return sent


@pytest.mark.parametrize("decimals", range(10))
def test_the_longest_reading_is_as_long_as_most_bytes_says(decimals):
    """The config is refused where this does not fit a message, so it must be enough, and tight."""
    channels = [Channel("ätherdruck_hPa"[:14], "hPa", decimals), Channel("b", None, decimals)]
    due = (99_999_999_999_999, None)
    longest = max(
        len(encode(channels, [(2**31, due, [value, value])], 1000, stream=2**31)[0])
        for value in (-(2**31), -(2**31) + 1, -1, 2**31 - 1)
    )
    most = json_payload.most_bytes(channels)
    assert most - 2 * len(channels) <= longest <= most


def test_numbers_are_written_as_short_as_they_can_be():
    rows = [(12, (1_732_265_000_999, None), [2550, 60, None])]
    channels = [Channel("t", "Cel", 2), Channel("h", "%RH", 0), Channel("p", "hPa", 1)]
    (message,) = encode(channels, rows, 200, stream=2_983_471)
    assert message == b'{"s":2983471,"n":12,"ts":1732265000,"t":25.5,"h":60}'


def test_a_full_message_is_not_spoilt_by_what_does_not_fit():
    channels = [Channel("t", None, 0)]
    encoder, buffer = json_payload.Encoder(channels, 1), bytearray(80 + 1)
    encoder.begin(buffer, 80)
    row = (1, (1_000_000, None), [5])
    assert encoder.add(*row)
    assert encoder.add(*row)
    assert not encoder.add(*row)
    assert not encoder.add(*row)
    assert decode(taken(encoder, buffer)) == [as_sent(channels, *row) | {"s": 1}] * 2


@pytest.mark.parametrize("short", [0, 1])
def test_the_limit_is_exact(short):
    """Two readings fit when they, the comma and the brackets do, and not with one byte less."""
    channels = [Channel("t", None, 0)]
    row = (1, (1_000_000, None), [5])
    alone = len(encode(channels, [row], 100)[0])
    messages = encode(channels, [row, row], 2 * alone + 3 - short)
    assert len(messages) == 1 + short
