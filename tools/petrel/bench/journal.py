"""The queue in flash: its wear beside that of other ways, what it holds, how fast it is."""

import json

from petrel import runtime
from petrel.bench.chip import DATA, DEVICE
from petrel.errors import Failure

PROGRAMS = (32, 256)
SIZES = (12, 60, 400)
WAYS = {
    "Always": "always, full", "Acked": "always, acked", "Spill": "spill, full", "Line": "line",
    "BTree": "btree",
}
COUNT = 2000
LIMIT_KB = 256
REACH = {(32, 400): 4, (256, 400): 6, (32, 60): 8}
"""The most bytes programmed per byte of payload that `always` may take."""
LEAST_PAYLOAD = 0.6


def measure(bench):
    figures = {"wear": wear(bench), "queue": queue(bench)}
    return figures


def on_flash(bench, script, argv=None, **more):
    path = f":lib:.frozen:{DEVICE}"
    done = bench.chip(bench.script(script), argv=argv, heap="8M", MICROPYPATH=path, **more)
    return json.loads(done.stdout)


def wear(bench):
    """{way: {"program/size": figures}}, with the journal's figures held against REACH."""
    ways = dict(WAYS)
    if bench.chip("import btree", check=False).returncode:
        ways.pop("BTree")
        print("btree: this port of MicroPython has none")
    table = {way: {} for way in ways}
    print("flash: bytes programmed a byte of payload (blocks erased a thousand records)")
    heads = "".join(f"{name:>19}" for name in ways.values())
    print(f"  program size, record{heads}  payload")
    for program in PROGRAMS:
        for size in SIZES:
            cells = ""
            for way in ways:
                more = {"WAY": way, "PROGRAM": program, "SIZE": size, "COUNT": COUNT}
                found = on_flash(bench, "journal_wear", **{k: str(v) for k, v in more.items()})
                table[way][f"{program}/{size}"] = found
                cells += f"{found['programmed']:12.2f} ({found['erases']:4.0f})"
            share = table["Always"][f"{program}/{size}"]["payload"]
            print(f"  {program:7}, {size:5} B     {cells}  {share:6.0%}", flush=True)
    check(table)
    return table


def check(table):
    """Raises Failure where the journal does not reach what is promised of it."""
    for (program, size), most in REACH.items():
        found = table["Always"][f"{program}/{size}"]
        if found["programmed"] > most or found["payload"] < LEAST_PAYLOAD:
            raise Failure(f"always, {size} bytes at {program}: {found}; promised is {most}")
    for place, line in table["Line"].items():
        for way in ("Always", "Acked", "Spill"):
            if table[way][place]["programmed"] > line["programmed"]:
                raise Failure(f"{way} at {place} wears the flash more than a plain line")


def queue(bench):
    """What a queue in flash holds, how long it takes to open, and its heap."""

    def ask(what, limit_kb, argv=None):
        more = {"RECORDING": str(DATA / "mote_5s.csv"), "LIMIT": str(limit_kb * 1024)}
        return on_flash(bench, "journal_queue", argv, WHAT=what, **more)

    fits = ask("fits", LIMIT_KB)
    print(f"readings of temperature and humidity that fit {LIMIT_KB} KB of flash: as JSON "
          f"{fits['json']:,}, as the device keeps them {fits['records']:,}, in frames of 60 "
          f"{fits['frames']:,}")
    opening = {}
    for limit_kb in (64, LIMIT_KB):
        opening[limit_kb] = times = ask("opening", limit_kb)
        print(f"opening a queue of {limit_kb} KB: {times['empty_us'] / 1000:.1f} ms empty, "
              f"{times['full_us'] / 1000:.1f} ms full of short readings")
    heap = ask("heap", LIMIT_KB, runtime.runtime32())
    print(f"heap of an open queue: {heap['empty']} bytes empty, {heap['full']} with "
          f"{heap['records']:,} readings in it")
    return {"fits": fits, "opening": opening, "heap": heap}
