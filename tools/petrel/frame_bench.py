"""How small do frames get? Encodes every series of a file and decodes each frame again.

    python -m petrel.frame_bench SERIES.json [--runtime CMD] [--json]

The first fifth of a series trains the profile, the rest counts, in frames of N readings laid
end to end (at most 100 of them). All-in: header, sequence number, checksum. A frame that does
not decode to what went in ends the run with status 1. With --runtime the frames are encoded by
that `micropython` executable, else by the same files on CPython.
"""
import argparse
import csv
import itertools
import json
import math
import pathlib
import shlex
import subprocess
import sys
import tempfile

from frame.decoder import decode
from frame.encoder import Encoder
from frame.errors import ProtocolError
from frame.profile import Profile
from frame.schema import Channel, Schema
from frame.train import Trainer

LIB = pathlib.Path(__file__).resolve().parents[2] / "lib"
DEADLINE_S = 600
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


def encode_here(schema, size, blob, batches):
    """Yield the frames of each batch (seq, times, rows); several where the clock leaps."""
    encoder = Encoder(schema, size)
    encoder.begin(STREAM)
    encoder.use(blob)
    buffer = bytearray(64 + 64 * size * len(schema.channels))
    for seq, times, rows in batches:
        frames = []
        at = 0
        while at < len(rows):
            encoder.clear()
            first = at
            while at < len(rows) and encoder.add(times[at], rows[at]):
                at += 1
            length = encoder.encode_into(buffer, seq + first)
            frames.append(bytes(buffer[:length]))
        yield frames


def encode_by(runtime):
    """Return a function like encode_here that has the work done by a MicroPython."""
    script = pathlib.Path(__file__).with_name("frame_on_runtime.py")

    def encode(schema, size, blob, batches):
        setup = {"channels": schema.channels, "interval_ms": schema.interval_ms, "size": size,
                 "stream": STREAM, "profile": blob.hex() if blob else None}
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write(json.dumps(setup) + "\n")
            for seq, times, rows in batches:
                file.write(json.dumps({"seq": seq, "times": times, "values": rows}) + "\n")
            file.flush()
            done = subprocess.run([*runtime, str(script), str(LIB), file.name], check=False,
                                  capture_output=True, text=True, timeout=DEADLINE_S)
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise Mismatch(f"{shlex.join(runtime)} does not encode: {lines[-1]}")
        for line in done.stdout.splitlines():
            yield [bytes.fromhex(text) for text in line.split()]

    return encode


def measure(encode, schema, times, rows, size, profile):
    """Mean bytes a reading in frames of `size`; raises Mismatch."""
    batches = [(start + 1, times[start:start + size], rows[start:start + size])
               for start in starts(len(rows), size)]
    profiles = {profile.mark: profile} if profile else {}
    encoded = list(encode(schema, size, profile.blob if profile else None, batches))
    total = 0
    for (seq, batch_times, batch_rows), frames in zip(batches, encoded, strict=True):
        at = 0
        for data in frames:
            try:
                frame = decode(data, profiles)
            except ProtocolError as error:
                raise Mismatch(f"the frame at reading {seq + at}: {error}") from None
            end = at + len(frame.times)
            if (frame.times, frame.values, frame.seq, frame.stream, frame.schema) != (
                    batch_times[at:end], batch_rows[at:end], seq + at, STREAM, schema):
                raise Mismatch(f"the frame at reading {seq + at} decodes to something else")
            at = end
            total += len(data)
        if at != size:
            raise Mismatch(f"the frames at reading {seq} leave readings out")
    return total / (size * len(batches))


def run(steps):
    """Go through a trainer's steps, between which a device does other things."""
    for _ in steps:
        pass


def train(schema, times, rows, size=60, revision=1):
    """Return the Profile that a device would make of these readings."""
    encoder = Encoder(schema, size)
    encoder.begin(STREAM)
    trainer = Trainer(encoder)
    for _ in range(Trainer.PASSES):
        encoder.clear()
        first = 0
        for i in range(len(rows)):
            if not encoder.add(times[i], rows[i]):
                run(trainer.feed(first + 1))
                encoder.clear()
                encoder.add(times[i], rows[i])
                first = i
        run(trainer.feed(first + 1))
        run(trainer.next_pass())
    return Profile(trainer.blob(revision))


def bench(spec, folder, sizes=SIZES, encode=encode_here):
    """Return {N: {"self": bytes a reading, "ref": bytes a reading}} of one series."""
    schema, times, rows = load(spec, folder)
    cut = len(rows) // 5
    profile = train(schema, times[:cut], rows[:cut])
    return {size: {"self": measure(encode, schema, times, rows, size, None),
                   "ref": measure(encode, schema, times, rows, size, profile)}
            for size in sizes if len(starts(len(rows), size))}


def report(series, sizes=SIZES, encode=encode_here):
    """Bench every series of a file in the form of shared/data/series.json."""
    specs = json.loads(series.read_text())
    return {name: bench(spec, series.parent, sizes, encode) for name, spec in specs.items()}


def geomean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", type=pathlib.Path)
    parser.add_argument("--runtime", help="a micropython command that encodes")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    encode = encode_by(shlex.split(args.runtime)) if args.runtime else encode_here
    try:
        result = report(args.series, encode=encode)
    except (Mismatch, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(result))
        return 0
    print(f"{'bytes a reading, SELF / REF':28}" + "".join(f"{f'N={n}':>16}" for n in SIZES))
    for name, by_n in result.items():
        print(f"{name:28}" + "".join(
            f"{v['self']:8.2f} /{v['ref']:6.2f}" for v in by_n.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
