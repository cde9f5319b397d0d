"""The Unix port of MicroPython that runs the firmware here."""

import shlex

from petrel import runtime
from petrel.setup import SetupError

TITLE = "MicroPython"


def provide():
    try:
        argv = runtime.find_runtime()
        version = runtime.runtime_version(argv)
        runtime.check_version(version, shlex.join(argv))
    except runtime.RuntimeError_ as error:
        raise SetupError(str(error)) from None
    return f"{version[0]}.{version[1]}, {shlex.join(argv)}"
