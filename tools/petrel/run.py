"""`petrel run`: one virtual device, with a folder for its flash."""

import contextlib
import fcntl
import os
import re
import shlex
from pathlib import Path

from petrel import runtime
from petrel.board import Board
from petrel.errors import Failure, Misuse, explain


def run_device(
    config, state, command=None, heap=None, until_drained=False, source=False, umqtt=None
):
    """The firmware on the Unix port, in the foreground; returns the exit status.

    config: path of config.json. state: folder that stands for the flash, made if missing.
    command: another runtime, as a shell would write it. heap: bytes, with K or M behind; None for
    what a board with 112K has, on a runtime of whatever word size.
    umqtt: the version of umqtt.simple to put on the board, None for the newest at hand.
    """
    config, state = Path(config).absolute(), Path(state).absolute()
    if not config.is_file():
        raise Misuse(f"--config: {config}: no such file")
    if heap and not re.fullmatch(r"\d+[kKmM]?", heap):
        raise Misuse(f"--heap: '{heap}' is no size; write it like 112K or 1M")
    if umqtt is not None and umqtt not in runtime.umqtt_folders():
        there = ", ".join(runtime.umqtt_folders()) or "none"
        raise Misuse(f"--umqtt: no version {umqtt} here; there is {there}")
    argv = split(command) if command else runtime.find_runtime()
    with flash(state):
        image = runtime.build("unix", umqtt=umqtt, source=source)
        env = {
            **os.environ, "PETREL_CONFIG": str(config), "PETREL_STATE": str(state),
            "PETREL_SUPERVISED": "1", "MICROPYPATH": ":lib:.frozen",
        }
        env.pop("PETREL_UNTIL_DRAINED", None)
        if until_drained:
            env["PETREL_UNTIL_DRAINED"] = "1"
        heap = heap or default_heap(argv, source)
        start = [*argv, "-X", f"heapsize={heap}", "-c", "import boot; import main"]
        return Board(start, image, env).run()


def default_heap(argv, source):
    """112K, as an ESP32 has; twice as much where words are twice as long; plenty to compile in."""
    if source:
        return "2M"
    try:
        return "224K" if runtime.word_bits(argv) == 64 else "112K"
    except runtime.RuntimeError_ as error:
        raise Misuse(f"--runtime: {error}") from error


def split(command):
    """The argument list of a command written as for a shell."""
    try:
        return shlex.split(command)
    except ValueError as error:
        raise Misuse(f"--runtime: {command}: {error}") from error


@contextlib.contextmanager
def flash(folder):
    """Hold `folder` as the flash of one device: a second one writing to it would ruin it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise Misuse(f"--state: {explain(error)}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Failure(f"--state: {folder} is in use by another device") from error
    finally:
        os.close(handle)
