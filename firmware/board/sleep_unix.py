"""Deep sleep on the Unix port: the chip ends, and `petrel run` starts it again."""

import sys
import time

from micropython import const

_STATUS_ASLEEP = const(4)


class Sleep:
    def __init__(self, board):
        self._board = board
        self._start = time.ticks_ms()

    def carried(self):
        return self._board.load("nap") if self._board.reset_cause == "deepsleep" else None

    def awake_ms(self):
        return time.ticks_diff(time.ticks_ms(), self._start)

    def deepsleep(self, ms, carried):
        self._board.save("nap", carried)
        print("slp", ms)
        sys.exit(_STATUS_ASLEEP)
