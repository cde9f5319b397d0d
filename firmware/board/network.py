"""What an ESP32's or a Pico W's application needs beside its links: WiFi, the time, the status LED
and the black box, kept going side by side with the application.

    link -- up() ---------> WiFi is there, and the time if it can be had
         -- told(how) ----> LED, black box
    run(), twice a second -> a lost access point is noticed and joined again, the time is asked for
                             when it is due
"""

# pyright: reportAttributeAccessIssue=true

import asyncio

from micropython import const

from ..log import log
from . import blackbox
from .ntp import Ntp
from .wifi import WiFi

_BEAT_MS = const(500)
_LOOK_MS = const(50)
_PATIENCE_MS = const(10_000)  # for a gap in the schedule
_NTP_MS = const(1_200)  # what asking for the time blocks
_NOTE_MS = const(60_000)


class Network:
    """Made by `board.network()`."""

    def __init__(self, board, config, clock, sampler):
        self._board = board
        self._clock = clock
        self._sampler = sampler
        self._stage = ""
        self._failures = 0
        self._untold = True  # the black box has not been delivered yet
        self._was_up = False
        hardware, time = config["board"], config["time"]
        self.wifi = WiFi(board, config["wifi"], hardware["country"], self._quiet)
        self.ntp = Ntp(board, clock, time["servers"], int(time["resync_s"] * 1000))
        sensors = config["sensors"]
        self._every_ms = min(int(s["every_s"] * 1000) // s.get("speed", 1) for s in sensors)
        self.led = None
        if hardware["led"] is not None:
            from .led import Led

            self.led = Led(hardware["led"], hardware["led_inverted"])

    # ---- for the link

    async def up(self):
        """Return once WiFi is there; OSError with the reasons if it can't be had now."""
        await self.wifi.up()
        self._was_up = True
        if self._board.wall_ms() is None and self.ntp.is_due():
            self.ntp.ask()  # a certificate's dates are judged by the RTC, not by what a nap kept

    def told(self, how):
        """A connection is "connecting", "online", or has failed at the stage `how`."""
        if how == "online":
            self._failures, self._stage = 0, ""
            if self._untold:
                self._untold = False
                blackbox.clear(self._board)
        elif how != "connecting":
            self._failures, self._stage = self._failures + 1, how
        if self.led:
            self.led.show(how == "online", self._failures)
        self._note()

    # ---- side by side with it

    async def run(self):
        noted_ms = 0
        while True:
            await asyncio.sleep_ms(_BEAT_MS)
            if self.led:
                self.led.tick()
            if self._was_up and not self.wifi.is_up():
                await self._lost()
            elif self._was_up and self.ntp.is_due():
                self.ntp.postpone()  # nobody else shall ask meanwhile
                await self._quiet(_NTP_MS)
                self.ntp.ask()
            if self._clock.now() - noted_ms >= _NOTE_MS:
                noted_ms = self._clock.now()
                self._note()

    async def _lost(self):
        """Join again at once: a connection outlives a short absence. After that it is the
        uplink's to try.
        """
        self._was_up = False
        _, self.wifi.status, why = self._board.wifi_state(self.wifi.wlan)
        log("wifi", "lost: %s" % why)
        try:
            await self.wifi.up()
            self._was_up = True
        except OSError as error:
            log("wifi", str(error))

    async def _quiet(self, ms):
        """Wait for a gap of `ms` in the sampling schedule, but not for ever."""
        if self._every_ms > ms:
            for _ in range(_PATIENCE_MS // _LOOK_MS):
                due = self._sampler.next_due()
                gap = due is None or due - self._clock.now() >= ms
                if gap and not self._sampler.converting:
                    return
                await asyncio.sleep_ms(_LOOK_MS)

    def _note(self):
        up_s = self._clock.now() // 1000
        blackbox.note(self._board, self.wifi.status, self._stage, self._failures, up_s)

    def health(self):
        """What health adds: {"rssi" dBm, "joins" of an access point, "drift_s" of the clock in
        "drift_over_s"}.
        """
        told = {"joins": self.wifi.joins}
        try:
            told["rssi"] = self.wifi.wlan.status("rssi")
        except (OSError, AttributeError):
            pass  # not connected
        if self.ntp.drift_s is not None:
            told["drift_s"] = self.ntp.drift_s
            told["drift_over_s"] = self.ntp.drift_over_s
        return told
