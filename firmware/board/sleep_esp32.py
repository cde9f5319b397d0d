"""Deep sleep of an ESP32, and what RP2040 shares of it (`sleep_rp2.py`)."""

import time

import machine

from . import files

_NAME = "nap"


class Sleep:
    def __init__(self, board):
        self.board = board

    def carried(self):
        """What was given to the sleep that has just ended, or None."""
        if self.board.reset_cause != "deepsleep":
            return None
        return self.board.retained.get(_NAME) or files.load(_NAME)

    def awake_ms(self):
        """Both ports count from the start of the chip; only an ESP32's bootloader comes before."""
        return time.ticks_ms()

    def deepsleep(self, ms, carried):
        """Sleep without power for RAM; the next life begins with the cause "deepsleep". What it
        is to find as `carried` goes to flash where the retained memory has not the room.
        """
        retained = self.board.retained
        self.board.forget_boots()
        retained.keep("why", b"s")  # first, as RP2040 has room for little more
        if not retained.keep(_NAME, carried):
            retained.keep(_NAME, None)
            files.save(_NAME, carried)
        self._sleep(ms)

    def _sleep(self, ms):
        machine.deepsleep(ms)  # the radio and the watchdog are off then (ESP-IDF)
