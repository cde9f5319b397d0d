"""Deep sleep of a Pico W, which is a light sleep and a reset (ports/rp2/modmachine.c): RAM keeps
its power, and the clock begins anew in 2021 (ports/rp2/main.c).
"""

# pyright: reportAttributeAccessIssue=true

import time

import machine
import network
from micropython import const

from . import sleep_esp32

_NAP_MS = const(8_000)  # less than the watchdog waits


class Sleep(sleep_esp32.Sleep):
    def _sleep(self, ms):
        """Once armed the watchdog counts in a light sleep too, on an RP2350 always and on an
        RP2040 in some versions, so it is fed in between. And any interrupt ends that sleep.
        """
        network.WLAN(network.WLAN.IF_STA).deinit()  # the radio has a power supply of its own
        end = time.ticks_add(time.ticks_ms(), ms)
        while True:
            left = time.ticks_diff(end, time.ticks_ms())
            if left <= 0:
                break
            self.board.feed_alone()
            machine.lightsleep(min(left, _NAP_MS))
        machine.reset()
