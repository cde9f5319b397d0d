"""Made-up readings that behave like real ones: no figure of the codec was chosen on them."""

import math
import random

from frame.schema import Schema, channel


def readings(count, seed=1):
    """A weather station every ten minutes: (schema, times, rows)."""
    rng = random.Random(seed)
    schema = Schema((
        channel("t", "Cel", 2, (625, -4)), channel("h", "%RH"), channel("p", "hPa", 2),
        channel("w", "km/h", 1), channel("d", "deg"), channel("b", "V", 1)), 600000)
    times = []
    rows = []
    now = 1700000000000
    drift = gust = 0.0
    direction = 180.0
    pressure = 1013.0
    for i in range(count):
        day = math.sin(2 * math.pi * i / 144)
        drift = 0.97 * drift + rng.gauss(0, 0.15)
        gust = 0.8 * gust + rng.gauss(0, 2)
        pressure += rng.gauss(0, 0.12)
        direction = (direction + rng.gauss(0, 15)) % 360
        temperature = 14 + 6 * day + drift
        times.append(now + 1000 * rng.randint(-2, 2))
        rows.append((round(temperature * 16), round(60 - 15 * day + rng.gauss(0, 1.2)),
                     round(100 * pressure), round(10 * max(0, 8 + gust)),
                     10 * round(direction / 10), round(124 + 4 * day + rng.gauss(0, .3))))
        now += 600000
    return schema, times, rows
