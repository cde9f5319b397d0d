"""The Raspberry Pi Pico W (RP2040 with a CYW43439) as a board (MicroPython 1.25 and newer)."""

# pyright: reportAttributeAccessIssue=true

import sys

import machine
import network
from micropython import const

from . import chip

_WATCHDOG_MS = const(8_388)  # the most: WDT_TIMEOUT_MAX in ports/rp2/machine_wdt.c
_PATIENCE = const(60)  # seconds; a name server that is away blocks `getaddrinfo` for many
_FOR_EVER = const(-1)
# The watchdog's registers: CTRL, and four scratch words that the Pico SDK does not use, the same
# that `machine.mem_backup` gives since 1.29 (ports/rp2/machine_mem_backup.c). Data sheets of
# RP2040, section 4.7.6, and RP2350, section 12.9.7.
_CTRL = 0x400D8000 if "RP2350" in sys.implementation._machine else 0x40058000
_SCRATCH = _CTRL + 0x0C
_ENABLED = const(1 << 30)
_SCRATCH_WORDS = const(4)


class Board(chip.Board):
    """The watchdog is fed by a timer, as long as the application has been heard of within the last
    minute: a call into lwIP may block for longer than the hardware can wait.
    """

    _wdt = None
    _left = 0  # seconds that the timer goes on feeding

    def _reset_cause(self):
        """Every reset but power-on is the watchdog's here (ports/rp2/modmachine.c); one that we
        wanted has left word.
        """
        if machine.reset_cause() == machine.PWRON_RESET:
            return "power"
        why = self.retained.get("why") or b""
        self.retained.keep("why", None)
        return {b"r": "software", b"s": "deepsleep"}.get(why, "watchdog")

    def _read_retained(self):
        raw = bytearray()
        for i in range(_SCRATCH_WORDS):
            raw.extend((machine.mem32[_SCRATCH + 4 * i] & 0xFFFFFFFF).to_bytes(4, "little"))
        return raw

    def _write_retained(self, data):
        if len(data) > 4 * _SCRATCH_WORDS:
            return False
        data = data + bytes(4 * _SCRATCH_WORDS - len(data))
        for i in range(_SCRATCH_WORDS):
            machine.mem32[_SCRATCH + 4 * i] = int.from_bytes(data[4 * i : 4 * i + 4], "little")
        return True

    def _feed(self):
        self._left = _PATIENCE
        if self._wdt is None:
            self._arm()

    def _arm(self):
        self._wdt = machine.WDT(timeout=_WATCHDOG_MS)
        options = {"mode": machine.Timer.PERIODIC, "period": 1000, "callback": self._on_timer}
        self._timer = machine.Timer(-1)
        try:
            self._timer.init(hard=True, **options)
        except TypeError:  # before 1.26: as a scheduled callback, which waits in lwIP run too
            self._timer.init(**options)

    def _on_timer(self, timer):
        if self._left:
            self._left -= 1
            self._wdt.feed()

    def release(self):
        """A watchdog that was armed, in this life or before a soft reset, is fed for ever."""
        if self._wdt or machine.mem32[_CTRL] & _ENABLED:
            self._feed()
            self._left = _FOR_EVER

    def feed_alone(self):
        """Feed the watchdog, if it is armed, once and no more: the timer's interrupts end a sleep.
        """
        if self._wdt:
            self._timer.deinit()
            self._wdt.feed()

    def after(self, ms, callback):
        """Call `callback(timer)` once, whatever else goes on."""
        machine.Timer(-1).init(mode=machine.Timer.ONE_SHOT, period=ms, callback=callback)

    # ---- WiFi, for wifi.py

    def wlan(self, country):
        if country:
            network.country(country)
        wlan = network.WLAN(network.WLAN.IF_STA)
        wlan.active(True)
        return wlan

    def wifi_state(self, wlan):
        """(is it still trying, status, why not) of extmod/network_cyw43.c.

        A network that is gone looks like one that is being joined.
        """
        status = wlan.status()
        return status in (1, 2), status, _WORDS.get(status)


# CYW43_LINK_... in cyw43.h
_WORDS = {
    0: "turned away; is the password right?",
    1: "no answer",
    2: "no address (DHCP does not answer)",
    -1: "the access point turns us away",
    -2: "no such network here",
    -3: "wrong password",
}
