"""`machine` of both ports: ports/esp32/modmachine.c, machine_wdt.c, machine_rtc.c; ports/rp2 the
same names. What one port lacks is taken away at the end of the file.
"""

from host_tests.boards import world
from host_tests.boards.buses import *  # noqa: F403
from host_tests.boards.pins import *  # noqa: F403

_CAUSES = {
    # MP_PWRON_RESET, ... in ports/esp32/modmachine.c; machine.reset() is a HARD_RESET there.
    "esp32": {"power": 1, "software": 2, "watchdog": 3, "deepsleep": 4},
    # ports/rp2/modmachine.c: reset() and the end of deepsleep() are the watchdog's doing.
    "rp2": {"power": 1, "software": 3, "watchdog": 3, "deepsleep": 3},
}
# The watchdog's registers in the RP2040's data sheet, section 4.7.6.
_CTRL, _SCRATCH = 0x40058000, 0x4005800C
_ENABLE = 1 << 30
_RTC_BYTES = 2048  # MICROPY_HW_RTC_USER_MEM_MAX

PWRON_RESET = 1
WDT_RESET = 3
HARD_RESET, DEEPSLEEP_RESET, SOFT_RESET = 2, 4, 5


def reset_cause():
    return _CAUSES[world.port][world.battery["cause"]]


def unique_id():
    return world.unique_id


def reset():
    world.reset("software")


def deepsleep(ms=0):
    if world.port == "esp32":  # MACHINE_WAKE_DEEPSLEEP
        world.reset("deepsleep", ms)
    lightsleep(ms)  # ports/rp2/modmachine.c: mp_machine_deepsleep
    world.reset("software")


def lightsleep(ms=0):
    """On an RP2 any interrupt ends it, and the watchdog goes on counting
    (ports/rp2/modmachine.c: mp_machine_lightsleep).
    """
    if world.port == "rp2":
        due = [timer._due for timer in world.timers if timer._due is not None]
        ms = min([ms] + [max(1, at - world.clock.now()) for at in due])
        if world.watchdog:
            period, fed = world.watchdog
            left = period - (world.clock.now() - fed)
            if ms > left:
                world.clock.sleep(left)
                world.reset("watchdog")
    world.sleep(ms)


def idle():
    world.sleep(1)


def freq(hz=None):
    return 160_000_000


class WDT:
    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError("WDT(%d) doesn't exist" % id)
        if world.port == "rp2" and timeout > 8388:  # WDT_TIMEOUT_MAX
            raise ValueError("timeout exceeds 8388")
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        self._timeout = timeout
        world.feed(timeout)

    def feed(self):
        world.feed(self._timeout)


class Timer:
    """Callbacks come when somebody looks at the time (`world.now`)."""

    ONE_SHOT, PERIODIC = 0, 1

    def __init__(self, id=-1, **options):
        self._due = None
        if options:
            self.init(**options)

    def init(self, mode=PERIODIC, period=-1, callback=None, freq=None, hard=False):
        self._mode, self._callback = mode, callback
        self._period = period if freq is None else int(1000 / freq)
        self._due = world.clock.now() + self._period
        if self not in world.timers:
            world.timers.append(self)

    def deinit(self):
        if self in world.timers:
            world.timers.remove(self)
        self._due = None

    def look(self, now):
        while self._due is not None and now >= self._due:
            self._due = self._due + self._period if self._mode == self.PERIODIC else None
            self._callback(self)


class RTC:
    def datetime(self, when=None):
        import utime

        if when is None:
            t = utime.gmtime(world.wall_ms() // 1000)
            micros = world.wall_ms() % 1000 * 1000 if world.port == "esp32" else 0
            return (t[0], t[1], t[2], t[6], t[3], t[4], t[5], micros)
        from time import _unix

        year, month, day, _, hour, minute, second, micros = when
        unix_ms = _unix((year, month, day, hour, minute, second)) * 1000
        if world.port == "esp32":
            unix_ms += micros // 1000
        world.set_wall_ms(unix_ms)
        return None

    def memory(self, data=None):
        from binascii import hexlify, unhexlify

        if data is None:
            return unhexlify(world.battery["memory"])
        if len(data) > _RTC_BYTES:
            raise ValueError("buffer too long")
        world.battery["memory"] = hexlify(data).decode()
        world.keep()
        return None


class _Scratch:
    """Words that outlive a reset: `base` is the address, or index, of the first."""

    itemsize = 4

    def __init__(self, base, step, count):
        self._base, self._step, self._count = base, step, count

    def __len__(self):
        return self._count

    def _index(self, at):
        index = (at - self._base) // self._step
        if not 0 <= index < self._count:
            raise IndexError("not a scratch register of the watchdog")
        return str(index)

    def __getitem__(self, at):
        if at == _CTRL:
            return _ENABLE if world.watchdog else 0
        return world.battery["scratch"].get(self._index(at), 0)

    def __setitem__(self, at, value):
        world.battery["scratch"][self._index(at)] = value & 0xFFFFFFFF
        world.keep()


mem32 = _Scratch(_SCRATCH, 4, 4)

if world.port == "rp2":
    # extmod/machine_mem.c, new in 1.29: ports/rp2/machine_mem_backup.c
    _REGION = _Scratch(0, 1, 4)

    def mem_backup(region=0):
        return _REGION

    del HARD_RESET, DEEPSLEEP_RESET, SOFT_RESET
    del RTC.memory
