"""Readings to pack: random ones of every kind, and the recorded series that are at hand."""

import random
from pathlib import Path

from frame.decoder import decode
from frame.encoder import Encoder
from frame.profile import Profile
from frame.schema import Schema, channel
from petrel import frame_bench
from petrel.bench import frames

ROOT = Path(__file__).resolve().parents[2]
STREAM = frame_bench.STREAM
UNITS = ("Cel", "%RH", "hPa", "degF", "", "count", "zorkmid", "µm")


def kept_series():
    """{name: (spec, folder)} of the recorded series that are here."""
    return frames.series()


def random_schema(rng, width=None):
    channels = []
    for i in range(width or rng.choice((1, 2, 3, 6, 8, 32))):
        channels.append(channel(
            rng.choice(("t", "h", "p", "x", "Key_9", "é")) + ("" if i == 0 else str(i)),
            rng.choice(UNITS), rng.randint(0, 9),
            rng.choice((None, None, (625, -4), (1, 0))), rng.choice(("", "", "count"))))
    return Schema(tuple(channels), rng.choice((0, 1, 500, 1000, 10000, 600000, 86400000)))


def random_column(rng, kind, count):
    """One channel's values: constant, drifting, jumping, wrapping, at the ends, or missing."""
    low, high = (0, 2**32 - 1) if kind == "count" else (-2**31, 2**31 - 1)
    style = rng.choice(("constant", "walk", "noise", "ends", "counter", "lattice", "rare"))
    scale = rng.choice((1, 3, 50, 4000, 10**6, 2**28))
    value = rng.choice((0, 2550, high - 5, low + 5, rng.randint(low, high)))
    step = rng.choice((1, 5, 18, 100))
    values = []
    for _ in range(count):
        if style == "walk":
            value += rng.randint(-scale, scale)
        elif style == "noise":
            value = rng.randint(-scale, scale)
        elif style == "ends":
            value = rng.choice((low, high, 0, 2**27, 2**27 - 1, 2**30, 2**30 - 1))
        elif style == "counter":
            value = 0 if rng.random() < 0.02 else value + rng.randint(0, scale)
            value = low + (value - low) % (high - low + 1)
        elif style == "lattice":
            value += step * rng.randint(-3, 3)
        elif style == "rare" and rng.random() < 0.1:
            value += rng.randint(-scale, scale)
        value = max(low, min(high, value))
        values.append(value)
    gone = rng.choice((0, 0, 0, 0.1, 0.9, 1))
    return [None if rng.random() < gone else value for value in values]


def random_times(rng, interval, count):
    """Times that keep the interval, jitter, jump back, repeat, or skip a night."""
    style = rng.choice(("exact", "jitter", "wild", "ms"))
    now = rng.choice((0, 5, 1732265000000, 2**32 * 1000, 2**48 - 10**9))
    times = []
    for _ in range(count):
        times.append(now)
        now += interval
        if style == "jitter":
            now += 1000 * rng.randint(-2, 2)
        elif style == "wild":
            now += rng.choice((0, 0, -3600000, 3600000, 30000000, -interval))
        elif style == "ms":
            now += rng.randint(-30, 30)
        now = max(0, min(now, 2**48 - 1))
    return times


def random_readings(seed):
    """Return (schema, times, rows) of a case; the same for the same seed everywhere."""
    rng = random.Random(seed)
    schema = random_schema(rng)
    count = rng.choice((1, 2, 3, 10, 60, 61))
    times = random_times(rng, schema.interval_ms, count)
    columns = [random_column(rng, ch.kind, count) for ch in schema.channels]
    return schema, times, list(zip(*columns, strict=True))


def encode(schema, times, rows, seq=1, blob=None, stream=STREAM, batch=None):
    """Encode readings; returns [(frame, first, end)], more than one where the clock leaps."""
    encoder = Encoder(schema, batch or len(rows))
    encoder.begin(stream)
    encoder.use(blob)
    buffer = bytearray(600 + len(rows) * len(schema.channels) * 12)
    frames = []
    first = 0
    while first < len(rows):
        end = first
        while end < len(rows) and encoder.add(times[end], rows[end]):
            end += 1
        assert end > first
        size = encoder.encode_into(buffer, seq + first)
        assert size
        frames.append((bytes(buffer[:size]), first, end))
        encoder.clear()
        first = end
    return frames


def train(schema, times, rows):
    """Return the blob of a profile trained on readings."""
    return frame_bench.train(schema, times, rows).blob


def check(schema, times, rows, seq=1, blob=None, batch=None):
    """Assert that readings survive; returns their size in bytes."""
    profiles = {}
    if blob:
        profile = Profile(blob)
        profiles[profile.mark] = profile
    total = 0
    for data, first, end in encode(schema, times, rows, seq, blob, batch=batch):
        frame = decode(data, profiles)
        assert frame.schema == schema
        assert (frame.stream, frame.seq) == (STREAM, seq + first)
        assert frame.times == times[first:end]
        assert frame.values == rows[first:end]
        total += len(data)
    return total
