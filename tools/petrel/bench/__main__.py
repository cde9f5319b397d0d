"""Runs the measurements, all or those named: `python -m petrel.bench throughput memory`."""

import argparse
import importlib
import json
import sys
import time

from petrel import BUILD
from petrel.bench.chip import Bench
from petrel.errors import report

MEASUREMENTS = ("throughput", "mqtt", "memory", "latency", "journal", "drain", "frames", "coap",
                "gateway", "microcoapy")


def main():
    parser = argparse.ArgumentParser(prog="petrel.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASUREMENTS))
    names = parser.parse_args().names or MEASUREMENTS
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"no measurement {unknown[0]}; there is {', '.join(MEASUREMENTS)}")
    file = BUILD / "bench.json"
    figures = json.loads(file.read_text()) if file.exists() else {}
    try:
        with Bench() as bench:
            for name in names:
                start = time.monotonic()
                module = importlib.import_module(f"petrel.bench.{name}")
                figures[name] = module.measure(bench)
                print(f"({name}: {time.monotonic() - start:.0f} s)\n", flush=True)
    except Exception as error:
        return report("petrel.bench", error)
    file.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"figures: {file.relative_to(BUILD.parent)}")
    return 0


sys.exit(main())
