"""Pins of a stand-in board: levels by number, seen and set by tests in `levels`. On MicroPython.

Bus-level semantics of I2C, ADC, 1-Wire belong in `buses`.
"""

levels = {}  # pin number -> 0 or 1; a pin that nobody drives reads its pull
duties = {}  # pin number -> duty_u16 of its PWM


class Pin:
    IN, OUT, OPEN_DRAIN = 1, 3, 7
    PULL_UP, PULL_DOWN = 2, 1
    IRQ_RISING, IRQ_FALLING = 1, 2

    def __init__(self, id, mode=None, pull=None, value=None):
        self.id, self._pull = id, pull
        if value is not None:
            levels[id] = value

    def value(self, level=None):
        if level is None:
            return levels.get(self.id, 1 if self._pull == self.PULL_UP else 0)
        levels[self.id] = level
        return None

    __call__ = value

    def on(self):
        levels[self.id] = 1

    def off(self):
        levels[self.id] = 0


class PWM:
    def __init__(self, pin, freq=5000, duty_u16=0):
        self._pin = pin.id
        duties[self._pin] = duty_u16

    def freq(self, hz=None):
        pass

    def duty_u16(self, duty=None):
        if duty is None:
            return duties[self._pin]
        duties[self._pin] = duty
        return None

    def deinit(self):
        duties.pop(self._pin, None)
