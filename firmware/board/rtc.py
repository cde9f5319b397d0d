"""The real-time clock as a counter: it goes on over a reset, also where nobody has set it, and so
dates what was measured before.
"""

import binascii
import os
import sys
import time


def ticks(board):
    """(run, milliseconds): `run` tells this run of the clock from one before a power cut.
    None where there is no such clock, or it is set: then nothing is to be counted.
    """
    if sys.platform == "esp32":
        return _esp32(board)
    return _linux() if sys.platform == "linux" else None


def _esp32(board):
    """The RTC starts in 2000 after a power cut, and goes on after any other reset."""
    if board.wall_ms() is not None:
        return None
    run = board.retained.get("run")
    if run is None:
        run = binascii.hexlify(os.urandom(4))
        if not board.retained.keep("run", run):
            return None
    return run.decode(), time.time_ns() // 1_000_000


def _linux():
    """The time since the host was started: a SIGKILL does not stop it."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            run = file.read(8)
        with open("/proc/uptime") as file:
            seconds, hundredths = file.read().split()[0].split(".")
    except OSError:
        return None
    return run, int(seconds) * 1000 + int(hundredths) * 10
