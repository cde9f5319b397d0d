"""How small do frames get? Encodes every series of a file and decodes each frame again.

    python -m petrel.frame_bench SERIES.json [--json]

The first fifth of a series trains the profile, the rest counts, in frames of N readings laid
end to end (at most 100 of them). All-in: header, sequence number, checksum. A frame that does
not decode to what went in ends the run with status 1.
"""
import argparse
import csv
import itertools
import json
import math
import pathlib
import sys

from frame.decoder import decode
from frame.encoder import Encoder
from frame.profile import Profile
from frame.schema import Channel, Schema
from frame.train import Trainer

SIZES = (1, 10, 60, 240)
STREAM = 0x5EED1234


class Mismatch(Exception):
    """A frame did not decode to what went in."""


def step_of(spec):
    """A channel's true step as (mantissa, exponent), None where it is 10**-decimals."""
    if "step" not in spec:
        return None
    for exponent in range(16):
        mantissa = spec["step"] * 10 ** exponent
        if abs(mantissa - round(mantissa)) < 1e-9 * mantissa and round(mantissa):
            return (round(mantissa), -exponent)
    raise ValueError(f"step {spec['step']} is no decimal fraction")


def load(spec, folder):
    """Return (Schema, [time in ms], [tuple of int or None]) of one series."""
    with open(folder / spec["file"], newline="") as file:
        rows = list(csv.DictReader(file))
    times = [round(float(row["t"]) * 1000) for row in rows]
    columns = []
    channels = []
    for ch in spec["channels"]:
        step = ch.get("step", 10 ** -ch["decimals"])
        columns.append([None if row[ch["name"]] == "" else round(float(row[ch["name"]]) / step)
                        for row in rows])
        channels.append(Channel(ch["key"], ch["unit"], ch["decimals"], step_of(ch),
                                "count" if ch.get("kind") == "count" else ""))
    gaps = sorted(b - a for a, b in itertools.pairwise(times))
    interval = round(gaps[len(gaps) // 2], -3) or gaps[len(gaps) // 2]
    return Schema(tuple(channels), interval), times, list(zip(*columns, strict=True))


def starts(total, size):
    """Where the measured frames begin (as in bench/bound.py)."""
    places = range(total // 5, total - size, size)
    return places[::max(1, len(places) // 100)]


def frames(encoder, times, rows, seq):
    """Encode readings; yield (frame, number of readings): more than one if the clock leaps."""
    buffer = bytearray(64 + 64 * len(rows) * len(rows[0]))
    at = 0
    while at < len(rows):
        encoder.clear()
        i = at
        while i < len(rows) and encoder.add(times[i], rows[i]):
            i += 1
        size = encoder.encode_into(buffer, seq + at)
        yield bytes(buffer[:size]), at, i
        at = i


def measure(encoder, times, rows, size, profiles):
    """Mean bytes a reading in frames of `size`."""
    total = count = 0
    for start in starts(len(rows), size):
        t, v = times[start:start + size], rows[start:start + size]
        for data, first, end in frames(encoder, t, v, start + 1):
            frame = decode(data, profiles)
            if (frame.times, frame.values, frame.seq, frame.stream) != (
                    t[first:end], v[first:end], start + 1 + first, STREAM):
                raise Mismatch(f"the frame at reading {start + first} decodes to something else")
            total += len(data)
        count += size
    return total / count


def train(schema, times, rows, size=60):
    """Return the Profile that a device would make of these readings."""
    encoder = Encoder(schema, size)
    encoder.begin(STREAM)
    trainer = Trainer(encoder)
    for _ in range(Trainer.PASSES):
        encoder.clear()
        first = 0
        for i in range(len(rows)):
            if not encoder.add(times[i], rows[i]):
                trainer.feed(first + 1)
                encoder.clear()
                encoder.add(times[i], rows[i])
                first = i
        trainer.feed(first + 1)
        trainer.next_pass()
    return Profile(trainer.blob(1))


def bench(spec, folder, sizes=SIZES):
    """Return {N: {"self": bytes a reading, "ref": bytes a reading}} of one series."""
    schema, times, rows = load(spec, folder)
    cut = len(rows) // 5
    profile = train(schema, times[:cut], rows[:cut])
    result = {}
    for size in sizes:
        encoder = Encoder(schema, size)
        encoder.begin(STREAM)
        result[size] = {"self": measure(encoder, times, rows, size, {})}
        if profile:
            encoder.use(profile.blob)
            result[size]["ref"] = measure(encoder, times, rows, size, {profile.mark: profile})
    return result


def report(series, sizes=SIZES):
    """Bench every series of a file in the form of shared/data/series.json."""
    specs = json.loads(series.read_text())
    return {name: bench(spec, series.parent, sizes) for name, spec in specs.items()}


def geomean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    try:
        result = report(args.series)
    except Mismatch as error:
        print(error, file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps({"series": result}))
        return 0
    print(f"{'bytes a reading, SELF / REF':28}" + "".join(f"{f'N={n}':>16}" for n in SIZES))
    for name, by_n in result.items():
        print(f"{name:28}" + "".join(
            f"{v['self']:8.2f} /{v.get('ref', 0):6.2f}" for v in by_n.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
