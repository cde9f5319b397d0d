"""What the gateway and its page are tested with: found, else installed by `make setup-services`.

Debian's packages start their services at once and at every boot. Petrel starts servers of its own
instead, on free ports with their own folders, so none may be left running: policy-rc.d holds them
back while packages are unpacked, and what was installed is disabled.
"""

import dataclasses
import os
import shutil
import subprocess
import sys
import typing
from pathlib import Path

from petrel.setup import libcoap, mosquitto

_DEADLINE_S = 1500
_SCRIPT = """set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap "rm -f $policy" EXIT
    printf '#!/bin/sh\\nexit 101\\n' > $policy
    chmod 755 $policy
fi
apt="apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"
$apt update
$apt install --no-install-recommends {packages}
for unit in {units}; do
    if command -v systemctl; then systemctl disable --quiet "$unit" || true; fi
done
"""


@dataclasses.dataclass(frozen=True)
class Service:
    """title: for people. find() -> its program's path, or None. debian, homebrew: its package.
    units: which systemd would start.
    """

    title: str
    find: typing.Callable
    debian: str
    homebrew: str
    units: tuple = ()


def find_rabbitmq():
    """The path of the program rabbitmq-server that runs in the foreground, or None. (What Debian
    has on PATH changes to a user of its own.)
    """
    debian = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return str(debian) if debian.exists() else shutil.which("rabbitmq-server")


def find_postgresql():
    """The path of the program `postgres`, of the newest version, or None."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    return str(newest) if newest else shutil.which("postgres")


def find_chromium():
    """The path of Chromium, or None."""
    return shutil.which("chromium")


def find_tshark():
    """The path of tshark, or None."""
    return shutil.which("tshark")


SERVICES = (
    Service("Mosquitto", mosquitto.find_mosquitto, "mosquitto", "mosquitto", ("mosquitto",)),
    Service("libcoap", libcoap.find, "libcoap3-bin", "libcoap"),
    Service("RabbitMQ", find_rabbitmq, "rabbitmq-server", "rabbitmq",
            ("rabbitmq-server", "epmd.socket", "epmd.service")),
    Service("PostgreSQL", find_postgresql, "postgresql", "postgresql@17", ("postgresql",)),
    Service("Chromium", find_chromium, "chromium", "--cask chromium"),
    Service("tshark", find_tshark, "tshark", "wireshark"),
)


def provide(services=SERVICES, installed=None):
    """Installs what is missing where that asks nothing; returns the services still missing.

    installed(command) -> its return code and last words; runs the system's installer.
    """
    missing = [service for service in services if service.find() is None]
    command = _installer(missing)
    if missing and command:
        code, words = (installed or _run)(command)
        if code:
            say(f"{command[0]}: {words}")
    return [service for service in missing if service.find() is None]


def to_type(missing):
    """The line with which a person installs services here."""
    if sys.platform == "darwin":
        return " && ".join(f"brew install {service.homebrew}" for service in missing)
    packages = " ".join(service.debian for service in missing)
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get update && {sudo}apt-get install -y {packages}"


def _installer(missing):
    """The command that installs without asking; None where there is none."""
    rights = mosquitto.rights() if shutil.which("apt-get") else None
    if rights is None:
        return None
    script = _SCRIPT.format(
        packages=" ".join(service.debian for service in missing),
        units=" ".join(unit for service in missing for unit in service.units),
    )
    return [*rights, "sh", "-c", script]


def _run(command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=_DEADLINE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, f"{type(error).__name__}"
    lines = [line for line in done.stdout.splitlines() if line.strip()] or ["no output"]
    errors = [line for line in lines if line.startswith("E: ")]
    return done.returncode, (errors or lines)[-1].strip()


def say(text):
    print(f"set-up: {text}", file=sys.stderr, flush=True)


def main():
    missing = provide()
    for service in SERVICES:
        if service not in missing:
            say(f"{service.title}: {service.find()}")
    if missing:
        names = ", ".join(service.title for service in missing)
        say(f"not here: {names}; the tests that need them are skipped; type: {to_type(missing)}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
