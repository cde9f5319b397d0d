"""The world around a stand-in board: time, power, and what outlives a reset. On MicroPython.

`clock` is where all time comes from: an object with `now()` in ms and `sleep(ms)`. Tests with a
time of their own replace it before `power.on`. `timers` run whenever somebody looks at the time,
as an interrupt would.

`battery` is what the hardware keeps through a reset, but not without power: {"memory" bytes of
RTC memory, "scratch" {register: value}, "clock" ms between the board's wall clock and `now`,
"cause" of the reset}. With `keep_in` it is written through to that file.
"""

import os
import sys

import uio
import ujson
import utime

port = ""  # "esp32" or "rp2"
timers = []
battery = {}
keep_in = None
unique_id = b"\x24\x0a\xc4\x00\x00\x01"
supervised = False  # a supervisor listens on stdout: petrel.board
watchdog = None  # [period ms, fed at ms] once armed
EPOCH_MS = {"esp32": 946_684_800_000, "rp2": 0}  # Unix ms of the port's epoch
# What the wall clock says after power-on: ESP32 its epoch, the Pico SDK's rtc_init 2021.
POWER_ON_MS = {"esp32": 946_684_800_000, "rp2": 1_609_459_200_000}


class Reset(BaseException):
    """The chip is reset or asleep; no `except Exception` catches it. `cause` as in `battery`."""

    def __init__(self, cause, ms=0):
        super().__init__(cause)
        self.cause = cause
        self.ms = ms


class _Monotonic:
    def now(self):
        return utime.time_ns() // 1_000_000

    def sleep(self, ms):
        utime.sleep_ms(ms)


real_time = clock = _Monotonic()


def now():
    """Milliseconds; runs the timers that are due."""
    at = clock.now()
    for timer in timers:
        timer.look(at)
    return at


def sleep(ms):
    """Block for so long, as a call into C does: timers still run."""
    end = now() + ms
    while True:
        left = end - now()
        if left <= 0:
            return
        clock.sleep(min(left, 200))


def wall_ms():
    """Unix ms as the board's own clock has it."""
    return now() + battery["clock"]


def set_wall_ms(unix_ms):
    battery["clock"] = unix_ms - now()
    keep()


def power_on():
    """Forget what only a battery would have kept."""
    battery.clear()
    ahead = POWER_ON_MS[port] - clock.now()
    battery.update(memory="", scratch={}, clock=ahead, cause="power")
    keep()


def keep():
    if keep_in:
        with uio.open(keep_in, "w") as file:
            ujson.dump(battery, file)


def restore():
    """Take up what the last life left in `keep_in`; after a power cut there is none."""
    try:
        with uio.open(keep_in) as file:
            battery.update(ujson.load(file))
    except (OSError, TypeError, ValueError):
        power_on()


def reset(cause, ms=0):
    """Reset the chip, after `ms` asleep."""
    battery["cause"] = cause
    if port == "rp2":  # ports/rp2/main.c starts the clock anew, whatever the reset
        battery["clock"] = POWER_ON_MS[port] - clock.now() - ms
    keep()
    if not supervised:
        raise Reset(cause, ms)
    if cause == "deepsleep":
        print("slp", ms)
        sys.exit(4)
    clock.sleep(ms)
    sys.exit(3)


def feed(period_ms):
    global watchdog
    watchdog = [period_ms, clock.now()]
    if supervised:
        print("wdt", period_ms)


def bitten():
    """Has the watchdog bitten? For tests with a time of their own; elsewhere the supervisor."""
    return watchdog is not None and clock.now() - watchdog[1] > watchdog[0]


def environment():
    """What the supervisor says: why we start, and where the battery is kept."""
    global keep_in, supervised
    supervised = bool(os.getenv("PETREL_SUPERVISED"))
    keep_in = os.getenv("PETREL_BATTERY")
    told = os.getenv("PETREL_RESET_CAUSE") or "power"
    if told == "power" or not keep_in:
        power_on()
    else:
        restore()
        if told == "watchdog":
            battery["cause"] = told
