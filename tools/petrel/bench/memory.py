"""Heap on the 32-bit Unix port: what each module takes, and the smallest heap that will do."""

import re

from petrel import runtime

MODULES = """
    ticks firmware firmware.log firmware.forget firmware.start firmware.board
    firmware.board.unix backoff rate ring scaled wake firmware.clock firmware.vitals
    firmware.identity firmware.reading firmware.links firmware.outbox firmware.payloads
    firmware.payloads.json firmware.sensors firmware.sensors.replay firmware.sampler
    firmware.health firmware.commands firmware.uplink firmware.app firmware.assemble tcp
    umqtt.simple umqtt_engine firmware.links.umqtt
"""
"""In an order in which each finds what it imports."""

SPARE_NAMES = 650
ROWS = 300
SMALLEST, LARGEST = 48, 160


def measure(bench):
    argv = runtime.runtime32()
    if argv is None:
        print("memory: passed over, there is no 32-bit MicroPython here (make setup)")
        return None
    figures = {"modules": modules(bench, argv), "smallest_kb": smallest(bench, argv)}
    print(f"  the whole app, connected and publishing, runs in {figures['smallest_kb']} KB")
    return figures


def modules(bench, argv):
    more = {"MODULES": MODULES, "SPARE_NAMES": str(SPARE_NAMES)}
    done = bench.chip(bench.script("modules"), argv=argv, **more)
    table = {name: int(size) for name, size in re.findall(r"^([\w.]+) (\d+)$", done.stdout, re.M)}
    print("heap on the 32-bit port, bytes          .mpy    heap")
    for name, size in sorted(table.items(), key=lambda entry: -entry[1]):
        print(f"  {name:36} {mpy_bytes(bench, name):6}  {size:6}")
    print(f"  {'sum':36} {sum(mpy_bytes(bench, name) for name in table):6}"
          f"  {sum(table.values()):6}")
    return table


def mpy_bytes(bench, name):
    place = name.replace(".", "/")
    for file in (f"{place}.mpy", f"{place}/__init__.mpy", f"lib/{place}.mpy"):
        if (bench.image / file).exists():
            return (bench.image / file).stat().st_size
    return 0


def smallest(bench, argv, **sections):
    """The smallest heap in KB that delivers every row of a recording, found by halving.

    sections: of the config.
    """
    low, high = SMALLEST, LARGEST
    while high - low > 1:
        middle = (low + high) // 2
        if delivers(bench, argv, middle, **sections):
            high = middle
        else:
            low = middle
    return high


def delivers(bench, argv, heap_kb, **sections):
    sections = {"queue": {"durability": "ram"}, **sections}
    config = bench.config("memory", ROWS, sensor={"speed": 100}, **sections)
    done = bench.chip(
        "import boot; import main", config, argv, f"{heap_kb}k", check=False,
        PETREL_UNTIL_DRAINED="1",
    )
    return done.returncode == 0 and f"sampled {ROWS} acked {ROWS} dropped 0" in done.stderr
