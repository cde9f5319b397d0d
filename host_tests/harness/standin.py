"""A stand-in board (host_tests/boards) as a process, like `petrel run`:

    python -m host_tests.harness.standin esp32 --config FILE --state DIR [--air FILE]

DIR is the board's whole flash, in which config.json is put; the supervisor is the one that
`petrel run` has, so the watchdog, SIGTERM and a power cut are the same.
"""

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path

from petrel import ROOT, runtime
from petrel.board import Board

_START = (
    "from host_tests.boards import power, script; power.on('{}'); script.load(); "
    "import boot; import main"
)


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
    return Board(start, flash, env).run()


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
