"""Are frames near BOUND for readings of other kinds than those that they were made with?"""

import random

import pytest

from frame.schema import Schema, channel
from petrel import frame_bench
from petrel.bench import bound

COUNT = 3000
START_MS = 1_700_000_000_000


def meter(rng):
    """A power meter every 10 s: a counter of Wh, watts that jump, volts, amperes."""
    rows, energy, level = [], 1_234_567.0, 300
    for _ in range(COUNT):
        if rng.random() < 0.02:
            level = rng.choice((90, 120, 300, 1200, 2300))
        watts = max(0.0, level + rng.gauss(0, level / 100))
        energy += watts / 360
        volts = 230 + rng.gauss(0, 0.6)
        rows.append((round(energy), round(10 * watts), round(10 * volts),
                     round(1000 * watts / volts)))
    channels = (channel("e", "Wh", kind="count"), channel("p", "W", 1), channel("u", "V", 1),
                channel("i", "A", 3))
    return Schema(channels, 10_000), rows


def counters(rng):
    """Events of two kinds, a minute each; one counter is reset now and then."""
    rows, often, seldom = [], 0, 0
    for _ in range(COUNT):
        often = 0 if rng.random() < 0.002 else often + int(rng.expovariate(1 / 3))
        seldom += rng.random() < 0.05
        rows.append((often, seldom))
    return Schema((channel("k", "count", kind="count"), channel("r", "count")), 60_000), rows


def noise(rng):
    """A converter of 12 bits every second: noise upon a walk, and a wave."""
    rows, level = [], 2000.0
    for _ in range(COUNT):
        level += rng.gauss(0, 5)
        rows.append((max(0, min(4095, int(level + rng.gauss(0, 40)))), int(rng.gauss(2048, 300))))
    return Schema((channel("x"), channel("y")), 1000), rows


def air(rng):
    """CO2 that drifts, temperature, dust."""
    rows, co2, people = [], 420.0, 0
    for _ in range(COUNT):
        if rng.random() < 0.01:
            people = rng.choice((0, 0, 1, 2, 4))
        co2 += people * 6 - (co2 - 420) / 100 + rng.gauss(0, 3)
        rows.append((round(co2), round(2100 + 30 * people + rng.gauss(0, 5)),
                     round(rng.expovariate(1 / 8))))
    channels = (channel("c", "ppm"), channel("t", "Cel", 2), channel("d", "ug/m3"))
    return Schema(channels, 30_000), rows


@pytest.mark.parametrize(("series", "ref", "alone"), [
    (meter, 1.12, 1.25), (counters, 1.35, 1.9), (noise, 1.15, 1.4), (air, 1.15, 1.35),
])
def test_near_bound_at_60(series, ref, alone):
    schema, rows = series(random.Random(11))
    times = [START_MS + schema.interval_ms * i for i in range(COUNT)]
    cut = COUNT // 5
    least = bound.bytes_a_reading(bound.bound(schema, times, rows), 60)
    profile = frame_bench.train(schema, times[:cut], rows[:cut])
    measured = [frame_bench.measure(frame_bench.encode_here, schema, times, rows, 60, by) / least
                for by in (profile, None)]
    print(f"{series.__name__}: REF {measured[0]:.3f}, SELF {measured[1]:.3f} x BOUND")
    assert measured[0] <= ref
    assert measured[1] <= alone
