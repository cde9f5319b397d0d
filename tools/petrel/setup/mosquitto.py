"""Mosquitto: found, else installed with the system's package manager if that asks nothing.

Petrel never uses the machine's service. Should the package start one, it is left alone.
"""

import os
import shutil
import subprocess

from petrel.broker import find_mosquitto, how_to_install
from petrel.setup import PassedOver

TITLE = "Mosquitto"
_DEADLINE_S = 600


def provide():
    if find_mosquitto() is None:
        for command in installers():
            if not succeeds(command):
                break
    found = find_mosquitto()
    if found is None:
        raise PassedOver(
            "not installed, the demo will use the pure-Python broker amqtt; "
            f"for the tests type: {how_to_install()}"
        )
    return str(found)


def installers(debian="mosquitto", homebrew="mosquitto"):
    """The commands to run in turn; none if installing would need a password."""
    if shutil.which("brew"):
        return [["brew", "install", homebrew]]
    may = rights() if shutil.which("apt-get") else None
    if may is None:
        return []
    return [
        [*may, "apt-get", "update"],
        [*may, "apt-get", "install", "-y", "--no-install-recommends", debian],
    ]


def rights():
    """What to put before a command that only root may run; None if that asks for a password."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    return sudo if shutil.which("sudo") and succeeds([*sudo, "true"]) else None


def succeeds(command):
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "NONINTERACTIVE": "1"}
    try:
        done = subprocess.run(
            command, env=quiet, stdin=subprocess.DEVNULL, capture_output=True, timeout=_DEADLINE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
