"""The ESP32 as a board (MicroPython 1.25 and newer, all chips of the family)."""

# pyright: reportAttributeAccessIssue=true

import machine
import network
from micropython import const

from . import chip

_PATIENCE_MS = const(60_000)  # a name server that is away blocks `getaddrinfo` for half a minute
_PERSON_MS = const(3_600_000)  # while somebody is at the REPL


class Board(chip.Board):
    _wdt = None

    def _reset_cause(self):
        """ports/esp32/modmachine.c; a panic and `machine.reset` are one there."""
        cause = machine.reset_cause()
        if cause == machine.WDT_RESET:
            return "watchdog"
        if cause == machine.DEEPSLEEP_RESET:
            return "deepsleep"
        return "power" if cause == machine.PWRON_RESET else "software"

    def _read_retained(self):
        return machine.RTC().memory()

    def _write_retained(self, data):
        try:
            machine.RTC().memory(data)  # MICROPY_HW_RTC_USER_MEM_MAX: 2048 bytes
            return True
        except ValueError:
            return False

    def _feed(self):
        if self._wdt is None:
            self._wdt = machine.WDT(timeout=_PATIENCE_MS)
        self._wdt.feed()

    def release(self):
        """A watchdog that was armed, perhaps before a soft reset, can only be given more time
        (ports/esp32/machine_wdt.c: esp_task_wdt_reconfigure).
        """
        if self._wdt or machine.reset_cause() == machine.SOFT_RESET:
            machine.WDT(timeout=_PERSON_MS)
            self._wdt = None

    def after(self, ms, callback):
        """Call `callback(timer)` once, whatever else goes on."""
        machine.Timer(0).init(mode=machine.Timer.ONE_SHOT, period=ms, callback=callback)

    # ---- WiFi, for wifi.py

    def wlan(self, country):
        if country:
            network.country(country)
        wlan = network.WLAN(network.WLAN.IF_STA)
        wlan.active(True)
        wlan.config(reconnects=0)  # by itself it would try one access point for ever
        return wlan

    def wifi_state(self, wlan):
        """(is it still trying, status, why not) of ports/esp32/network_wlan.c.

        After a failure `status` goes on telling it until there is an address again.
        """
        status = wlan.status()
        if status == network.STAT_CONNECTING:
            return True, status, _joined(wlan) and "no address (DHCP does not answer)"
        return False, status, _WORDS.get(status) or "refused, reason %d of the ESP-IDF" % status


def _joined(wlan):
    """Is it only the address that is missing?"""
    try:
        return wlan.status("rssi") < 0
    except OSError:
        return False


# wifi_err_reason_t of the ESP-IDF, and STAT_IDLE
_WORDS = {
    15: "wrong password, or too weak a signal",
    200: "the signal is gone",
    201: "no such network here",
    202: "wrong password",
    203: "the access point turns us away",
    204: "wrong password, or too weak a signal",
    205: "wrong password",
    210: "no such network with a security that we know",
    211: "the network's security is too old",
    212: "too weak a signal",
    1000: "disconnected",
}
