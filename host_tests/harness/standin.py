"""A stand-in board (host_tests/boards) as a process, like `petrel run`:

    python -m host_tests.harness.standin esp32 --config FILE --state DIR [--air FILE]

DIR is the board's whole flash, in which config.json is put; the supervisor is the one that
`petrel run` has, so the watchdog, SIGTERM and a power cut are the same.
"""

import argparse
import json
import os
import shlex
import shutil
import sys
from pathlib import Path

from petrel import ROOT, runtime
from petrel.board import Board, Limits

_START = (
    "from host_tests.boards import power, script; power.on('{}'); script.load(); "
    "import boot; import main"
)
_LIMITS = Limits(restarts=10_000)  # an RP2's deep sleep ends with a reset like any other


def command(port, folder, air):
    """What runs such a board instead of `petrel run`; its config and flash are in `folder`, and
    `air` (see boards/script.py) is written there. A Pico W has words as short as its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    argv = [
        sys.executable, "-m", "host_tests.harness.standin", port, "--air", change(folder, air),
        "--config", folder / "config.json", "--state", folder / "board",
    ]
    short = runtime.runtime32() if port == "rp2" else None
    return [*argv, "--runtime", shlex.join(short)] if short else argv


def change(folder, air):
    """From the next life on there is this air about the board; returns the file that tells."""
    file = folder / "air.json"
    new = file.with_suffix(".new")
    new.write_text(json.dumps(air))
    new.replace(file)
    return file


def main():
    options = parser().parse_args()
    flash = Path(options.state).absolute()
    flash.mkdir(parents=True, exist_ok=True)
    shutil.copy(options.config, flash / "config.json")
    argv = shlex.split(options.runtime) if options.runtime else runtime.find_runtime()
    image = runtime.build("unix")
    env = {
        **os.environ, "PETREL_SUPERVISED": "1", "PETREL_AIR": options.air or "",
        "PETREL_BATTERY": str(flash / "battery.json"),
        "MICROPYPATH": f"{image}:{image}/lib:{ROOT}:.frozen",
    }
    start = [*argv, "-X", f"heapsize={options.heap}", "-c", _START.format(options.port)]
    return Board(start, flash, env, _LIMITS).run()


def parser():
    options = argparse.ArgumentParser()
    options.add_argument("port", choices=("esp32", "rp2"))
    options.add_argument("--config", required=True)
    options.add_argument("--state", required=True)
    options.add_argument("--air")
    options.add_argument("--runtime")
    options.add_argument("--heap", default="2M")
    return options


if __name__ == "__main__":
    sys.exit(main())
