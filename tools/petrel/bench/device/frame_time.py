"""Prints microseconds, each the best of many: json.dumps of 60 readings, the same as a frame that
describes itself, and by a profile; then which loops ran. FRAME_CASE: a file of readings.
"""

import gc
import json
import os
import sys
import time

from frame.encoder import Encoder
from frame.schema import Schema, channel

with open(os.getenv("FRAME_CASE")) as file:
    case = json.load(file)
channels = [
    channel(key, unit, decimals, tuple(step) if step else None, kind)
    for key, unit, decimals, step, kind in case["channels"]
]
times, rows = case["times"], [tuple(row) for row in case["rows"]]
objects = []
for time_ms, row in zip(times, rows):
    reading = {"ts": time_ms // 1000}
    for ch, value in zip(channels, row):
        reading[ch.key] = value / 10**ch.decimals if ch.decimals else value
    objects.append(reading)
encoder = Encoder(Schema(tuple(channels), case["interval_ms"]), len(rows))
out = bytearray(4000)


def framed(profile):
    encoder.use(profile)
    start = time.ticks_us()
    encoder.clear()
    for i in range(len(rows)):
        encoder.add(times[i], rows[i])
    encoder.encode_into(out, 1)
    return time.ticks_diff(time.ticks_us(), start)


def dumped():
    start = time.ticks_us()
    json.dumps(objects)
    return time.ticks_diff(time.ticks_us(), start)


best = [1 << 29] * 3
profile = bytes.fromhex(case["profile"])
for _ in range(40):
    gc.collect()
    for i, us in enumerate((dumped(), framed(None), framed(profile))):
        best[i] = min(best[i], us)
print(*best, "viper" if "frame._fast" in sys.modules else "plain")
