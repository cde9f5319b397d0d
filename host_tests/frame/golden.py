"""The golden frames: what was sent once must be readable for ever.

`golden/v1.jsonl` holds a frame a line: what it was made of, its bytes, and for a REF frame the
profile's. It is only ever added to; `python -m host_tests.frame.golden` writes it for a new
version of the format, and refuses to overwrite one that is there.
"""

import json
import sys
from pathlib import Path

from frame.schema import Channel, Schema

FOLDER = Path(__file__).parent / "golden"


def schema_of(case):
    channels = tuple(Channel(key, unit, decimals, tuple(step) if step else None, kind)
                     for key, unit, decimals, step, kind in case["channels"])
    return Schema(channels, case["interval_ms"])


def cases():
    """Yield every golden frame as a dict."""
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            yield json.loads(line)


def make():
    """Yield new cases: SELF and REF frames of all kinds of readings."""
    from host_tests.frame.samples import encode, random_readings, train

    for number in range(100):
        schema, times, rows = random_readings(5000 + number)
        if len(schema.channels) > 8:
            schema = Schema(schema.channels[:3], schema.interval_ms)
            rows = [row[:3] for row in rows]
        if len(rows) > 12 and number % 4:
            times, rows = times[:12], rows[:12]
        blob = train(schema, times, rows)
        for profile in (None, blob):
            seq = 1 + number * 977 % 100000
            data, first, end = encode(schema, times, rows, seq, profile)[0]
            yield {"frame": data.hex(), "profile": profile.hex() if profile else None,
                   "seq": seq + first, "interval_ms": schema.interval_ms,
                   "channels": schema.channels, "times": times[first:end],
                   "values": rows[first:end]}


def main():
    target = FOLDER / "v1.jsonl"
    if target.exists():
        print(f"{target} is there and stays as it is", file=sys.stderr)
        return 1
    target.write_text("".join(json.dumps(case, separators=(",", ":")) + "\n" for case in make()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
