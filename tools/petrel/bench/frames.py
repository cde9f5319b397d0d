"""How small frames get beside what the data itself holds, and what making one costs."""

import json

from petrel import ROOT, frame_bench, runtime
from petrel.bench import bound
from petrel.bench.chip import DATA
from petrel.bench.memory import mpy_bytes, smallest

SIZES = (10, 60, 240)
FOLDERS = (DATA, ROOT.parent / "shared" / "data")  # the second: series that are not ours to ship
CHANNELS, READINGS = 6, 60
MAKING = ("encoder", "reference", "loops", "_plain", "model", "readings", "schema", "__init__")
LEARNING = ("train", "habits", "least_squares", "describe", "renew")


def measure(bench):
    return {"size": sizes(), "time": times(bench), "mpy": parts(bench), "heap": heap(bench)}


def series():
    """{name: (spec, folder)} of all that are here."""
    found = {}
    for folder in FOLDERS:
        file = folder / "series.json"
        if file.exists():
            for name, spec in json.loads(file.read_text()).items():
                found.setdefault(name, (spec, folder))
    return found


def sizes():
    """Bytes a reading x BOUND, for every series and as geometric means."""
    print("bytes a reading, all in, beside BOUND      " + "".join(
        f"{f'N={size}':>10}" for size in SIZES))
    table, ratios = {}, {}
    for name, (spec, folder) in series().items():
        readings = frame_bench.load(spec, folder)
        bits = bound.bound(*readings)
        least = {size: bound.bytes_a_reading(bits, size) for size in SIZES}
        table[name] = {"bound": least, **frame_bench.bench(spec, folder, SIZES)}
        print(f"  {name:38} {'BOUND':>5}" + "".join(f"{least[size]:10.2f}" for size in SIZES)[2:])
        for mode in ("self", "ref"):
            row = {size: table[name][size][mode] / least[size] for size in SIZES}
            ratios.setdefault(mode, []).append(row)
            print(f"  {'':38} {mode.upper():>5}" + "".join(
                f"{table[name][size][mode]:10.2f}" for size in SIZES)[2:])
    for mode, rows in ratios.items():
        means = {size: frame_bench.geomean(row[size] for row in rows) for size in SIZES}
        table[f"{mode} x BOUND"] = means
        print(f"  {f'{mode.upper()} x BOUND, geometric mean of {len(rows)}':44}" + "".join(
            f"{means[size]:10.3f}" for size in SIZES)[2:])
    return table


def times(bench):
    """Encoding a batch beside json.dumps of the same readings, on the same port."""
    found = series()
    figures = {}
    for name, (spec, folder) in found.items():
        schema, moments, rows = frame_bench.load(spec, folder)
        if len(schema.channels) >= CHANNELS:
            figures[name] = timed(bench, name, schema, moments, rows)
    return figures


def timed(bench, name, schema, moments, rows):
    """The first channels of one series, on every port that is here."""
    schema = schema._replace(channels=schema.channels[:CHANNELS])
    there = [i for i, row in enumerate(rows) if None not in row[:CHANNELS]]
    moments, rows = [moments[i] for i in there], [rows[i][:CHANNELS] for i in there]
    cut = len(rows) // 5
    profile = frame_bench.train(schema, moments[:cut], rows[:cut])
    case = bench.folder / "case.json"
    batch = slice(cut, cut + READINGS)
    case.write_text(json.dumps({
        "channels": schema.channels, "interval_ms": schema.interval_ms,
        "times": moments[batch], "rows": rows[batch], "profile": profile.blob.hex(),
    }))
    print(f"{READINGS} readings of {CHANNELS} channels of {name}, microseconds, `add` included\n"
          "                                     json.dumps          SELF           REF")
    figures = {}
    for words, argv in (("64-bit", runtime.find_runtime()), ("32-bit", runtime.runtime32())):
        if argv is None:
            print(f"  {words}: passed over, there is no such MicroPython here (make setup)")
            continue
        done = bench.chip(bench.script("frame_time"), argv=argv, FRAME_CASE=str(case))
        *figure, loops = done.stdout.split()
        dumps, alone, by_profile = map(int, figure)
        print(f"  {words}, {loops:30} {dumps:10} {alone:6} ({alone / dumps:.1f} x)"
              f" {by_profile:6} ({by_profile / dumps:.1f} x)")
        figures[words] = {"loops": loops, "json_us": dumps, "self": alone / dumps,
                          "ref": by_profile / dumps}
    return figures


def parts(bench):
    """Bytes of .mpy of the library's modules, the loops as bytecode."""
    figures = {}
    for what, names in (("making frames", MAKING), ("learning profiles", LEARNING)):
        found = {name: mpy_bytes(bench, f"frame/{name}") for name in names}
        figures[what] = found
        listed = ", ".join(f"{name} {size}" for name, size in found.items())
        print(f".mpy for {what}: {sum(found.values())} bytes ({listed})")
    return figures


def heap(bench):
    """What the encoder keeps on the 32-bit port, and the smallest heap for the app with frames."""
    argv = runtime.runtime32()
    if argv is None:
        print("heap: passed over, there is no 32-bit MicroPython here (make setup)")
        return None
    kept = int(bench.chip(bench.script("frame_memory"), argv=argv).stdout)
    print(f"an encoder of 8 channels and 60 readings keeps {kept} bytes on the 32-bit port")
    kb = smallest(bench, argv, payload={"format": "frame", "batch": 20})
    print(f"the whole app with frames of 20 readings, connected and publishing, runs in {kb} KB")
    return {"encoder": kept, "smallest_kb": kb}
