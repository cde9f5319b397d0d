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
LAUNCHER_32 = ROOT / "build" / "micropython-i386" / "micropython"
OLDEST_PYTHON = (3, 11)
PIP_DEADLINE_S = 1800
LOCK_DEADLINE_S = 1800
COMPILER_MISSING = ("error: command 'gcc' failed: No such file", "error: command 'cc' failed: No",
                    "Unable to find a compiler", "No such file or directory: 'gcc'",
                    "No such file or directory: 'cc'", "invalid active developer path")


class SetupError(Exception):
    """One line for the user: what is wrong, and how to mend it."""


def say(text, end="\n"):
    print("set-up: " + text, end=end, file=sys.stderr, flush=True)


def to_install(debian, mac):
    """The command that brings a missing system package, in the words of this system."""
    if sys.platform == "darwin":
        return mac
    sudo = "" if os.geteuid() == 0 else "sudo "
    if shutil.which("apt-get"):
        return "{0}apt-get update && {0}apt-get install -y {1}".format(sudo, debian)
    return "your package manager, for what Debian calls " + debian


def newer_python():
    """Another Python on PATH that is new enough, or None."""
    for minor in range(19, OLDEST_PYTHON[1] - 1, -1):
        found = shutil.which("python3.%d" % minor)
        if found and subprocess.call([found, "-c", "import venv"], stderr=subprocess.DEVNULL) == 0:
            return found
    return None


def check_python():
    """Python 3.11 or newer goes on; an older one hands over to a newer one on PATH."""
    if sys.version_info >= OLDEST_PYTHON:
        return
    found = newer_python()
    if found:
        os.execv(found, [found] + sys.argv)
    have = "%d.%d" % sys.version_info[:2]
    raise SetupError("this is Python %s, Petrel's tools need 3.11 or newer; install one and "
                     "type: make PYTHON=python3.11 setup" % have)


def check_venv_module():
    """Debian and Ubuntu ship Python without the part that makes virtual environments."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        with_minor = "python3-venv python3.%d-venv" % sys.version_info[1]
        raise SetupError("this Python cannot make a virtual environment; type: "
                         + to_install(with_minor, "brew install python"))


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
        "environment": "%s %s" % (ROOT, sys.version),
        "packages": digest([pyproject]),
        "setup": digest([pyproject, Path(__file__).resolve()] + sources),
    }


def stamped():
    """What the stamp says; empty if there is no usable environment."""
    try:
        return json.loads(STAMP.read_text()) if PYTHON.exists() else {}
    except (OSError, ValueError):
        return {}


def is_ready(need_mosquitto):
    """True if nothing is left to do."""
    if stamped() != wanted() or not (ROOT / "build" / "umqtt" / "1.3.4").is_dir():
        return False
    if os.environ.get("PETREL_REQUIRE_32BIT") == "1" and not LAUNCHER_32.exists():
        return False
    return not need_mosquitto or find_mosquitto() is not None


def find_mosquitto():
    """The broker's program, by the host tools' own search (that module needs no package)."""
    sys.path.insert(0, str(ROOT / "tools"))
    from petrel.broker import find_mosquitto as find
    return find()


def run(title, command, deadline_s=PIP_DEADLINE_S):
    """Runs one long step: its title, then the seconds it took. Raises SetupError with the last
    words of a command that failed."""
    say(title + " ... ", end="")
    began = time.monotonic()
    try:
        done = subprocess.run(command, cwd=str(ROOT), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=deadline_s)
    except subprocess.TimeoutExpired:
        print("", file=sys.stderr)
        raise SetupError("%s took longer than %d s; try again: make setup" % (title, deadline_s))
    print("%.1f s" % (time.monotonic() - began), file=sys.stderr)
    if done.returncode != 0:
        raise SetupError(explain(title, done.stdout.decode(errors="replace")))


def explain(title, output):
    """A failed command's output in one line: its own error line, and the mending."""
    if any(mark in output for mark in COMPILER_MISSING):
        return "a package must be compiled here and there is no compiler; type: " + to_install(
            "build-essential python3-dev", "xcode-select --install")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines[-1:] or ["no output"]
    return "%s failed: %s (is the package registry reachable? `%s -m pip config list` shows " \
           "which one is used)" % (title, errors[0], PYTHON)


def install(target):
    """The environment and its packages."""
    have = stamped()
    if have.get("environment") != target["environment"]:
        check_venv_module()
        run("virtual environment .venv",
            [sys.executable, "-m", "venv", "--clear", str(VENV)])
    if have.get("packages") != target["packages"] or "environment" not in stamped():
        run("packages of pyproject.toml (the first time takes a minute)",
            [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check",
             "--editable", ".[dev]"])
        # Written before the rest, so that a failure there does not repeat all this.
        remember(dict(target, setup=""))


def remember(stamp):
    """Writes the stamp whole or not at all."""
    fresh = STAMP.with_suffix(".new")
    fresh.write_text(json.dumps(stamp, indent=1))
    fresh.replace(STAMP)


def lock():
    """Keeps two set-ups of one folder apart; returns the open file that holds the lock."""
    (ROOT / "build").mkdir(exist_ok=True)
    holder = (ROOT / "build" / "setup.lock").open("w")
    deadline = time.monotonic() + LOCK_DEADLINE_S
    told = False
    while True:
        try:
            fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return holder
        except OSError:
            if time.monotonic() > deadline:
                raise SetupError("another set-up of this folder has not ended in %d s; end it "
                                 "and try again" % LOCK_DEADLINE_S)
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
            raise SetupError("not finished, see above; when it is mended, type: make setup")
        remember(target)


def main(arguments):
    try:
        check_python()
        set_up("--again" in arguments, "--need-mosquitto" in arguments)
        if "--need-mosquitto" in arguments and find_mosquitto() is None:
            raise SetupError("the tests need Mosquitto; type: "
                             + to_install("mosquitto", "brew install mosquitto"))
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next run goes on where this one stopped")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
