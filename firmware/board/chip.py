"""What an ESP32 and an RP2040 have in common as boards: files, clock, the count of boots and the
black box. `esp32.py` and `rp2.py` add what differs.

All state is in the folder `state` of the flash (`files.py`); what changes too often for flash is
kept in memory that outlives a reset, but not a power cut (`retained.py`).
"""

import asyncio
import binascii
import time

import machine
from micropython import const

from . import files
from .retained import Retained

# 2000-01-01 in Unix time: the epoch of the ESP32 port and of others (py/mpconfig.h,
# MICROPY_EPOCH_IS_2000); RP2 counts from 1970. Never assumed, always asked.
_EPOCH_S = 946_684_800 if time.gmtime(0)[0] == 2000 else 0
_SET_MS = 1_704_067_200_000  # 2024: a clock that says less has not been set since power-on
_HEALTHY_MS = const(300_000)  # fed for so long a boot counts as a good one
_FEED_MS = const(1_000)  # firmware/vitals.py feeds so often
_WAIT_MS = const(60_000)


class Board:
    """`reset_cause` and the methods marked so in `firmware/board/__init__.py` are the port's."""

    config_path = "config.json"
    parts = ("board", "time")
    until_drained = False
    problem = None

    def __init__(self):
        self.retained = Retained(self._read_retained(), self._write_retained)
        self.reset_cause = self._reset_cause()
        self._crashed = False
        self._fed_ms = 0  # how long the watchdog has been fed; -1 once that was long enough

    # ---- identity and time

    def unique_id(self):
        return binascii.hexlify(machine.unique_id()).decode()

    def wall_ms(self):
        unix_ms = time.time_ns() // 1_000_000 + _EPOCH_S * 1000
        return unix_ms if unix_ms >= _SET_MS else None

    def set_clock(self, unix_s):
        """Set the RTC; returns by how many seconds it was wrong, or None if it was not set."""
        wrong = None if self.wall_ms() is None else unix_s - _EPOCH_S - int(time.time())
        if wrong != 0:  # the RTC counts whole seconds: setting it for nothing shifts it
            t = time.gmtime(unix_s - _EPOCH_S)
            machine.RTC().datetime((t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0))
        return wrong

    def unix_s(self, port_s):
        """Unix time of seconds that count from the port's epoch."""
        return port_s + _EPOCH_S

    # ---- state

    def load(self, name):
        return files.load(name)

    def save(self, name, data):
        files.save(name, data)

    def path(self, name):
        return files.place(name)

    # ---- the network

    def network(self, config, clock, sampler):
        from .network import Network

        return Network(self, config, clock, sampler)

    def input(self, number):
        """A pin that reads 1 unless something pulls it low."""
        return machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP)

    # ---- life and death

    async def stop_requested(self):
        """Nobody asks: a board is switched off."""
        while True:
            await asyncio.sleep_ms(_WAIT_MS)

    def sleep_ms(self, ms):
        time.sleep_ms(ms)

    def watchdog(self, ms):
        self._feed()
        if self._fed_ms >= 0:
            self._fed_ms += _FEED_MS
            if self._fed_ms >= _HEALTHY_MS:
                self._fed_ms = -1
                self.forget_boots()

    def boot(self):
        from . import safe_mode

        self.problem = safe_mode.begin(self)

    def birth(self):
        from .blackbox import birth

        return birth(self)

    def failed(self, error):
        from .blackbox import put

        self._crashed = True
        put(self, "error", error)

    def reset(self):
        if not self._crashed:
            self.forget_boots()
        self.retained.keep("why", b"r")
        machine.reset()

    def lightsleep(self, ms):
        """Sleep with RAM kept; WiFi does not outlive it."""
        machine.lightsleep(ms)

    def exit(self, status):
        """Leave the board to whoever sits at its REPL: the app has ended, which is no crash."""
        self.forget_boots()
        self.release()

    def forget_boots(self):
        if files.load("boots") not in (None, b"0"):
            files.save("boots", b"0")
