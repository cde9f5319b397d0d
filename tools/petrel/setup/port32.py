"""The 32-bit Unix port: its words are as long as a microcontroller's, so that its heap is, too.

Debian builds MicroPython for i386. The package and the libraries it needs are unpacked into
build/micropython-i386 and started through their own loader; the system stays as it is. Preferred
is the stable suite: its 1.25 is the oldest release the firmware has to run on, and it does not
change from one day to the next.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from petrel import BUILD, runtime
from petrel.setup import PassedOver, SetupError, apt

TITLE = "32-bit MicroPython"
FOLDER = BUILD / "micropython-i386"
SUITES = {"debian": ("trixie", "sid"), "ubuntu": ("{codename}", "devel")}

LAUNCHER = """#!/bin/sh
root="${0%/*}/root/usr"
exec "$root/lib/ld-linux.so.2" --library-path "$root/lib/i386-linux-gnu" \\
    "$root/bin/micropython" "$@"
"""


def provide():
    distribution, codename = apt.system()
    try:
        if not (FOLDER / "micropython").exists():
            _make(distribution, codename)
        version = runtime.runtime_version([str(FOLDER / "micropython")])
    except (PassedOver, runtime.RuntimeError_) as reason:
        if _is_required(distribution):
            raise SetupError(str(reason)) from None
        raise PassedOver(f"{reason}; the memory tests are left out") from None
    return f"{version[0]}.{version[1]}, {FOLDER.relative_to(BUILD.parent)}"


def _is_required(distribution):
    """A build server must not lose these tests without a word; elsewhere they are an extra."""
    told = os.environ.get("PETREL_REQUIRE_32BIT") == "1"
    return told or (os.environ.get("CI") == "true" and distribution == "debian")


def _make(distribution, codename):
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        raise PassedOver("it runs on Linux on x86-64 only")
    if distribution not in SUITES or not shutil.which("dpkg"):
        raise PassedOver("there is a package of it in Debian only")
    source = apt.main_source(codename)
    if source is None:
        raise PassedOver("no usable entry in the sources of /etc/apt")
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix=".new-") as new:
        packages = _download(
            source, [s.format(codename=codename) for s in SUITES[distribution]], Path(new)
        )
        _unpack(packages, Path(new) / "made")
        shutil.rmtree(FOLDER, ignore_errors=True)
        (Path(new) / "made").rename(FOLDER)


def _download(source, suites, new):
    reason = None
    for suite in suites:
        try:
            return apt.download(
                "micropython", source=source, suite=suite, architecture="i386", folder=new / suite
            )
        except apt.AptError as error:
            reason = error
    raise PassedOver(f"no i386 package in the suites {' and '.join(suites)} ({reason})")


def _unpack(packages, folder):
    folder.mkdir()
    for package in packages:
        done = subprocess.run(
            ["dpkg", "-x", str(package), str(folder / "root")],
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode != 0:
            raise PassedOver(f"dpkg: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    launcher = folder / "micropython"
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)
