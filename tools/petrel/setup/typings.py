"""MicroPython's modules as stubs, for the type checker, a port each; in build/typings (Unix),
build/typings-esp32 and build/typings-rp2, because in site-packages they would hide CPython's own
modules, and each other."""

import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from petrel import BUILD, ROOT
from petrel.setup import SetupError

TITLE = "stubs of MicroPython's modules"
_DEADLINE_S = 600


def provide():
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["typings"]
    for pin in pins:
        port = pin.split("-")[1]  # micropython-esp32-stubs==...
        _provide(pin, BUILD / ("typings" if port == "unix" else f"typings-{port}"))
    return ", ".join(pins)


def _provide(pin, folder):
    noted = folder / "petrel-pins.txt"
    if noted.exists() and noted.read_text() == pin:
        return
    with tempfile.TemporaryDirectory(dir=BUILD, prefix=".new-") as new:
        _install(pin, Path(new) / "typings")
        shutil.rmtree(folder, ignore_errors=True)
        (Path(new) / "typings").rename(folder)
    noted.write_text(pin)


def _install(pin, target):
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    command = [*pip, "--no-compile", "--target", str(target), pin]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S)
    except subprocess.TimeoutExpired:
        raise SetupError(f"pip did not end in {_DEADLINE_S} s; again: make setup") from None
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise SetupError(f"pip: {' '.join(errors[-1:]) or 'failed'}; then: make setup")
