"""The Unix port as a board. `petrel run` plays the hardware around it: power, reset line and
watchdog.

stdout and stdin are wires to it: we write `wdt MS` to arm or feed the watchdog, it writes `stop`,
and the end of stdin is the end of the power. Without `petrel run` there are no such wires, and no
watchdog. The environment names the config (PETREL_CONFIG), the folder that stands for the flash
(PETREL_STATE) and the rest (see `Board`).
"""

import asyncio
import binascii
import os
import sys
import time
from asyncio import core

from micropython import const

_STATUS_RESET = const(3)


class Board:
    parts = ()
    problem = None

    def __init__(self):
        self.config_path = os.getenv("PETREL_CONFIG") or "config.json"
        self.reset_cause = os.getenv("PETREL_RESET_CAUSE") or "power"
        self.until_drained = bool(os.getenv("PETREL_UNTIL_DRAINED"))
        self._state = os.getenv("PETREL_STATE") or "."
        self._watchdog_ms = int(os.getenv("PETREL_WATCHDOG_MS") or 60_000)
        self._wired = bool(os.getenv("PETREL_SUPERVISED"))

    def boot(self):
        """`petrel run` looks after a device that can't live."""

    def birth(self):
        return {} if self.load("error") is None else _error().birth(self)

    def unique_id(self):
        """A random id, made when the state folder is first used."""
        unique = self.load("unique_id")
        if unique is None:
            unique = binascii.hexlify(os.urandom(6))
            self.save("unique_id", unique)
        return unique.decode()

    def wall_ms(self):
        """`time.time` is a float here; the integer clock counts from 1970."""
        return time.time_ns() // 1_000_000

    def network(self, config, clock, sampler):
        """The host's network is up, or the link finds out."""

    def watchdog(self, ms):
        """Longer than on a board: `getaddrinfo` blocks for half a minute where a name server is
        away, which is no reason for a reset.
        """
        if self._wired:
            print("wdt", self._watchdog_ms)

    def load(self, name):
        try:
            with open(self.path(name), "rb") as file:
                return file.read()
        except OSError:
            return None

    def save(self, name, data):
        """A rename replaces the old state at one moment."""
        path = self.path(name)
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.rename(path + ".new", path)

    async def stop_requested(self):
        while True:
            line = await self._wire_in()
            if not line:
                sys.exit(1)  # the power is gone: not another word to anyone
            if line.strip() == b"stop":
                return

    # async
    def _wire_in(self):
        """A line from `petrel run`; without it there never is one. (The loop's public way to wait
        for a file, asyncio.StreamReader, takes a kilobyte.)
        """
        while not self._wired:
            yield from asyncio.sleep_ms(60_000)
        yield core._io_queue.queue_read(sys.stdin)
        return sys.stdin.buffer.readline()

    def sleep_ms(self, ms):
        time.sleep_ms(ms)

    def failed(self, error):
        try:
            _error().put(self, "error", error)
        except MemoryError:
            pass  # the reset must come

    def reset(self):
        self.exit(_STATUS_RESET)

    def exit(self, status):
        sys.exit(status)

    def path(self, name):
        return self._state + "/" + name


def _error():
    """Needed after a crash only, so its name is not to be in memory without one."""
    return __import__("firmware.board.blackbox", None, None, ("birth",))
