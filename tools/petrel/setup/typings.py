"""MicroPython's modules as stubs, for the type checker; in build/typings, because in
site-packages they would hide CPython's own modules."""

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
    folder = BUILD / "typings"
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["typings"]
    noted = folder / "petrel-pins.txt"
    if not noted.exists() or noted.read_text().split() != pins:
        with tempfile.TemporaryDirectory(dir=BUILD, prefix=".new-") as new:
            _install(pins, Path(new) / "typings")
            shutil.rmtree(folder, ignore_errors=True)
            (Path(new) / "typings").rename(folder)
        noted.write_text("\n".join(pins))
    return ", ".join(pins)


def _install(pins, target):
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    command = [*pip, "--no-compile", "--target", str(target), *pins]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S)
    except subprocess.TimeoutExpired:
        raise SetupError(f"pip did not end in {_DEADLINE_S} s; again: make setup") from None
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise SetupError(f"pip: {' '.join(errors[-1:]) or 'failed'}; then: make setup")
