#!/usr/bin/env python3
"""Makes the working folder ready: `.venv`, the packages pinned in pyproject.toml, then what
`petrel.setup` adds (MicroPython, umqtt.simple, Mosquitto).

Usage: python3 tools/bootstrap.py [--again] [--need-mosquitto]
Standard library only, and no syntax newer than Python 3.6, so that an old Python gets a sentence
and not a SyntaxError. A stamp in `.venv` remembers what was set up: the second run only reads it.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "petrel-setup.json"
OLDEST_PYTHON = (3, 11)
DEADLINE_S = 1800
COMPILER_MISSING = (
    "command 'gcc' failed: No such file",
    "command 'cc' failed: No such file",
    "Unable to find a compiler",
    "No such file or directory: 'gcc'",
    "No such file or directory: 'cc'",
    "invalid active developer path",
)


class SetupError(Exception):
    """One line for the user: what is wrong, and how to mend it."""


def say(text, end="\n"):
    print("set-up: " + text, end=end, file=sys.stderr, flush=True)


def to_install(debian, mac):
    """The command that brings a missing system package, in the words of this system."""
    if sys.platform == "darwin":
        return mac
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get update && {sudo}apt-get install -y {debian}"


# ---- what is needed before anything can be made


def newer_python():
    """Another Python on PATH that is new enough, or None."""
    for minor in range(19, OLDEST_PYTHON[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.call([found, "-c", "import venv"], stderr=subprocess.DEVNULL) == 0:
            return found
    return None


def check_python(version=sys.version_info):
    """Python 3.11 or newer goes on; an older one hands over to a newer one on PATH."""
    if version >= OLDEST_PYTHON:
        return
    found = newer_python()
    if found:
        os.execv(found, [found, *sys.argv])
    raise SetupError(
        f"this is Python {version[0]}.{version[1]}, Petrel's tools need 3.11 or newer; install "
        "one, and if it is not on PATH type: make PYTHON=/path/of/python3 setup"
    )


def check_venv_module():
    """Debian and Ubuntu ship Python without the part that makes virtual environments."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        command = to_install("python3-venv", "brew install python")
        raise SetupError(f"this Python cannot make a virtual environment; type: {command}")


# ---- the stamp


def digest(paths):
    """Hex digest of the named files' paths and contents."""
    hasher = hashlib.sha256()
    for path in paths:
        hasher.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return hasher.hexdigest()


def wanted():
    """What the stamp must say. A moved folder or another Python needs a new environment, since
    the scripts in it name both by their full paths."""
    pyproject = ROOT / "pyproject.toml"
    sources = sorted((ROOT / "tools" / "petrel" / "setup").glob("*.py"))
    return {
        "environment": f"{ROOT} {sys.version}",
        "packages": digest([pyproject]),
        "setup": digest([pyproject, Path(__file__).resolve(), *sources]),
    }


def stamped():
    """What the stamp says; empty if there is no usable environment."""
    try:
        return json.loads(STAMP.read_text()) if PYTHON.exists() else {}
    except (OSError, ValueError):
        return {}


def remember(stamp):
    """Writes the stamp whole or not at all."""
    fresh = STAMP.with_suffix(".new")
    fresh.write_text(json.dumps(stamp, indent=1))
    fresh.replace(STAMP)


def is_ready(need_mosquitto):
    """True if nothing is left to do."""
    build = ROOT / "build"
    if stamped() != wanted() or not (build / "umqtt" / "1.3.4").is_dir():
        return False
    needs_32bit = os.environ.get("PETREL_REQUIRE_32BIT") == "1"
    if needs_32bit and not (build / "micropython-i386" / "micropython").exists():
        return False
    return not need_mosquitto or find_mosquitto() is not None


def find_mosquitto():
    """The broker's program, by the host tools' own search (that module needs no package)."""
    if str(ROOT / "tools") not in sys.path:
        sys.path.insert(0, str(ROOT / "tools"))
    from petrel.broker import find_mosquitto as find

    return find()


# ---- the work


def run(title, command):
    """Runs one long step: its title, then the seconds it took. Raises SetupError with the last
    words of a command that failed."""
    say(f"{title} ... ", end="")
    began = time.monotonic()
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=str(ROOT),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=DEADLINE_S,
        )
    except subprocess.TimeoutExpired:
        print("failed", file=sys.stderr)
        raise SetupError(f"{title}: no end after {DEADLINE_S} s; again: make setup") from None
    ok = done.returncode == 0
    print(f"{time.monotonic() - began:.1f} s" if ok else "failed", file=sys.stderr)
    if not ok:
        raise SetupError(f"{title}: {explain(done.stdout.decode(errors='replace'))}")


def explain(output):
    """A failed command's output in one line: its own error line, and the mending."""
    if any(mark in output for mark in COMPILER_MISSING):
        command = to_install("build-essential python3-dev", "xcode-select --install")
        return f"a package has to be compiled here and there is no compiler; type: {command}"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines[-1:] or ["no output"]
    return f"{errors[0]} (is the package registry reachable? `pip config list` shows which it is)"


def install(target):
    """The environment and its packages."""
    if stamped().get("environment") != target["environment"]:
        check_venv_module()
        run("virtual environment", [sys.executable, "-m", "venv", "--clear", str(VENV)])
    if stamped().get("packages") != target["packages"]:
        pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"]
        run("packages (at first this takes a minute)", [*pip, "--editable", ".[dev]"])
        # Written before the rest, so that a failure there does not repeat all this.
        remember(dict(target, setup=""))


def lock():
    """Keeps two set-ups of one folder apart; returns the open file that holds the lock."""
    (ROOT / "build").mkdir(exist_ok=True)
    holder = (ROOT / "build" / "setup.lock").open("w")
    deadline = time.monotonic() + DEADLINE_S
    told = False
    while True:
        try:
            fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return holder
        except OSError:
            if time.monotonic() > deadline:
                raise SetupError("another set-up of this folder does not end; end it") from None
        if not told:
            say("waiting for another set-up of this folder")
            told = True
        time.sleep(0.2)


def set_up(again, need_mosquitto):
    """Does whatever is missing; `again` also repeats what could not be had last time."""
    if is_ready(need_mosquitto) and not again:
        return
    with lock():
        if is_ready(need_mosquitto) and not again:
            return
        target = wanted()
        install(target)
        if subprocess.call([str(PYTHON), "-m", "petrel.setup"], cwd=str(ROOT)) != 0:
            raise SetupError("not finished, see above; when that is mended: make setup")
        remember(target)


def main(arguments):
    need_mosquitto = "--need-mosquitto" in arguments
    try:
        check_python()
        set_up("--again" in arguments, need_mosquitto)
        if need_mosquitto and find_mosquitto() is None:
            command = to_install("mosquitto", "brew install mosquitto")
            raise SetupError(f"this needs the broker Mosquitto; type: {command}")
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next run goes on where this one stopped")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
