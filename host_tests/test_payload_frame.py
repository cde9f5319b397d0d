"""firmware/payloads/frame.py: do readings come out of the device's frames as they went in?"""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tests.on_cpython import load
from petrel.readings import Undecodable, decode

frame_payload = load("payloads.frame")
Channel = load("sensors").Channel

CHANNELS = [Channel("t", "Cel", 2), Channel("h", None, 0), Channel("ß", "km/h", 9)]
STREAM, START_MS = 2**31 - 1, 1_732_265_000_250
INT32 = st.integers(-(2**31), 2**31 - 1)
ROW = st.lists(st.none() | INT32, min_size=3, max_size=3)


def encode(rows, limit=1024, batch=60, channels=CHANNELS):
    """The rows (number, due, values) as frames of at most `limit` bytes."""
    encoder = frame_payload.Encoder(channels, STREAM, "d1", 10_000, batch)
    buffer, messages, at = bytearray(limit + 1), [], 0
    while at < len(rows):
        encoder.begin(buffer, limit)
        for row in rows[at:]:
            if not encoder.add(*row):
                break
        start, end = encoder.finish()
        assert 0 < end - start <= limit
        assert encoder.count > 0, "one reading alone must fit"
        messages.append(bytes(buffer[start:end]))
        at += encoder.count
    return messages


def read(messages):
    return [reading for message in messages for reading in decode("devices/d1/data", message)]


@given(rows=st.lists(ROW, min_size=1, max_size=70), limit=st.sampled_from([200, 1024]))
def test_whatever_is_written_is_read(rows, limit):
    rows = [(n, (START_MS + 10_000 * n, None), values) for n, values in enumerate(rows, 1)]
    found = read(encode(rows, limit))
    assert [(r.stream, r.seq) for r in found] == [(STREAM, row[0]) for row in rows]
    for reading, (number, _, values) in zip(found, rows, strict=True):
        assert reading.ts == (START_MS + 10_000 * number) / 1000
        assert reading.values == {
            c.key: float(Decimal(v).scaleb(-c.decimals))
            for c, v in zip(CHANNELS, values, strict=True) if v is not None
        }


STEPPED = [
    Channel("t", "Cel", 2, (625, -4)), Channel("n", "count", 0, None, "count"),
    Channel("x", None, 3, (5, 0)), Channel("y", None, 1, (1, -1), "count"),
]


@given(rows=st.lists(st.tuples(
    st.integers(-(2**24), 2**24), st.integers(0, 2**32 - 1), st.integers(-(10**5), 10**5),
    st.none() | st.integers(0, 2**32 - 1),
), min_size=1, max_size=40))
def test_true_steps_and_counts_are_read_as_they_were_taken(rows):
    """A sensor of 1/16 degree whose driver gives two decimals, ties rounded away from zero."""
    taken = []
    for n, (t, counted, x, y) in enumerate(rows, 1):
        hundredths = (Decimal(t) * 625 / 100).quantize(Decimal(1), "ROUND_HALF_UP")
        taken.append((n, (START_MS + 10_000 * n, None), [int(hundredths), counted, 5000 * x, y]))
    want = [{c.key: float(Decimal(v).scaleb(-c.decimals))
             for c, v in zip(STEPPED, values, strict=True) if v is not None}
            for _, _, values in taken]
    found = read(encode([(n, due, list(values)) for n, due, values in taken], channels=STEPPED))
    assert [reading.values for reading in found] == want


def test_a_true_step_makes_frames_smaller():
    values = [(i * i) % 23 for i in range(60)]
    sizes = []
    for step in (None, (625, -4)):
        rows = [(n, (START_MS + 10_000 * n, None), [(v * 25 + 2) // 4])
                for n, v in enumerate(values, 1)]
        sizes.append(len(encode(rows, channels=[Channel("t", "Cel", 2, step)])[0]))
    assert sizes[1] < sizes[0] - 15


@pytest.mark.parametrize("value", [2**31 - 1, -(2**31)])
def test_a_frame_of_one_reading_is_never_longer_than_stated(value):
    (message,) = encode([(2**30 - 1, (99_999_999_999_999, None), [value] * 3)], batch=1)
    assert len(message) <= frame_payload.most_bytes(CHANNELS)


def test_a_gap_in_the_numbers_and_a_clock_that_is_set_close_the_frame():
    rows = [(1, (None, 5000), [1, 2, 3]), (2, (START_MS, None), [1, 2, 3]),
            (4, (START_MS, None), [1, 2, 3])]
    frames = encode(rows)
    assert len(frames) == 3
    assert [r.ts for r in read(frames)] == [None, START_MS / 1000, START_MS / 1000]


def test_a_damaged_frame_is_refused_in_words():
    (message,) = encode([(1, (START_MS, None), [1, 2, 3])])
    with pytest.raises(Undecodable, match="checksum"):
        decode("devices/d1/data", message[:-1] + bytes([message[-1] ^ 1]))
    with pytest.raises(Undecodable, match="profile"):
        decode("devices/d1/data", bytes([0xF0 | message[0] & 15]) + message[1:])
