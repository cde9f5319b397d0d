"""Pins of a stand-in board: levels by number, seen and set by tests in `levels`. On MicroPython.

`drive` changes a level as the outside does, with the interrupt that follows. Interrupts are those
of ports/esp32/machine_pin.c (soft ones, through the scheduler, whose queue may be full) and
ports/rp2/machine_pin.c (hard ones too, in which nothing can be allocated).
"""

import micropython

from host_tests.boards import world

levels = {}  # pin number -> 0 or 1; a pin that nobody drives reads its pull
duties = {}  # pin number -> duty_u16 of its PWM
wires = {}  # pin number -> what is at its end: drive(number, level), level(number) -> level
lost = []  # numbers of the pins whose soft interrupts found the queue full
_handlers = {}  # pin number -> (pin, handler, trigger, hard)
_pulls = {}


def drive(number, level):
    """The outside pulls a pin to a level; `None` lets go of it."""
    before = _level(number)
    if level is None:
        levels.pop(number, None)
    else:
        levels[number] = level
    after = _level(number)
    if before == after or number not in _handlers:
        return
    pin, handler, trigger, hard = _handlers[number]
    if not trigger & (Pin.IRQ_RISING if after else Pin.IRQ_FALLING):
        return
    if hard:
        micropython.heap_lock()
        try:
            handler(pin)
        finally:
            micropython.heap_unlock()
        return
    try:
        micropython.schedule(handler, pin)
    except RuntimeError:  # mp_sched_schedule() says false, and the interrupt goes unnoticed
        lost.append(number)


def _level(number):
    if number in wires:
        return wires[number].level(number)
    return levels.get(number, 1 if _pulls.get(number) == Pin.PULL_UP else 0)


class Pin:
    IN, OUT, OPEN_DRAIN = 1, 3, 7
    PULL_UP, PULL_DOWN = 2, 1
    IRQ_RISING, IRQ_FALLING = 1, 2

    def __init__(self, id, mode=None, pull=None, value=None):
        self.id = id
        if mode is not None or value is not None:
            self.init(mode, pull, value)

    def init(self, mode=None, pull=None, value=None):
        _pulls[self.id] = pull
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return _level(self.id)
        if self.id in wires:
            wires[self.id].drive(self.id, level)
        else:
            levels[self.id] = level
        return None

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=3, **more):
        hard = more.pop("hard", False) if world.port == "rp2" else False
        if more:
            raise TypeError("extra keyword arguments given")
        if handler is None:
            _handlers.pop(self.id, None)
        else:
            _handlers[self.id] = (self, handler, trigger, hard)


class HardwareCounter:
    """`machine.Counter` of ports/esp32/modules/machine.py, which a test puts there."""

    RISING, FALLING = 1, 2

    def __init__(self, unit, pin, edge=RISING):
        self.unit, self._edge = unit, edge
        self.counted = 0

    def value(self):
        return self.counted


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
