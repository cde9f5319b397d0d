"""`time` as on the boards: extmod/modtime.c, ports/esp32/modtime.c, ports/rp2/modtime.c.

`time()` is an int and counts from the port's epoch. The tick counter counts from the start of the
chip, and wraps at 2^30 where words are short. asyncio keeps the Unix port's own (`power.on`), as
its queue reads that in C. With a clock of a test's own it says what that says.
"""

import sys

import utime
from utime import ticks_add, ticks_diff

from host_tests.boards import world

__all__ = ("ticks_add", "ticks_diff")


def _epoch_s():
    return world.EPOCH_MS[world.port] // 1000


def time():
    return world.wall_ms() // 1000 - _epoch_s()


def time_ns():
    return (world.wall_ms() - world.EPOCH_MS[world.port]) * 1_000_000


def gmtime(seconds=None):
    return utime.gmtime((time() if seconds is None else seconds) + _epoch_s())


localtime = gmtime


def mktime(when):
    return _unix(when) - _epoch_s()


def _unix(when):
    """Days of the civil calendar, counted from 1970."""
    year, month, day, hour, minute, second = when[:6]
    year -= month <= 2
    month = (month + 9) % 12
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 1
    return (days - 719468) * 86400 + hour * 3600 + minute * 60 + second


_TICKS = 0x3FFFFFFF if sys.maxsize == 0x7FFFFFFF else 0x3FFFFFFFFFFFFFFF
_START = utime.ticks_ms()


def ticks_ms():
    now = world.now()
    if world.clock is not world.real_time:
        return now & _TICKS
    return ticks_diff(utime.ticks_ms(), _START) & _TICKS


def ticks_us():
    return world.now() * 1000 & _TICKS


ticks_cpu = ticks_us


def sleep_ms(ms):
    world.sleep(ms)


def sleep(seconds):
    world.sleep(int(seconds * 1000))


def sleep_us(us):
    world.sleep(us // 1000)
