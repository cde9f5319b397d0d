"""A pin as an input, and its interrupt."""


def input_pin(entry):
    """The pin `pin` of a config's entry, with the resistor `pull`."""
    from machine import Pin

    pull = {"up": Pin.PULL_UP, "down": Pin.PULL_DOWN, "none": None}[entry["pull"]]
    return Pin(entry["pin"], Pin.IN, pull)


def interrupt(pin, handler, edge):
    """Have `handler(pin)` called at each edge, "falling", "rising" or "both".

    In a hard interrupt where the port has such (ports/rp2/machine_pin.c): it interrupts whatever
    runs, while a soft one waits in a queue of 8.
    """
    from machine import Pin

    trigger = {
        "falling": Pin.IRQ_FALLING,
        "rising": Pin.IRQ_RISING,
        "both": Pin.IRQ_FALLING | Pin.IRQ_RISING,
    }[edge]
    try:
        pin.irq(handler, trigger, hard=True)
    except TypeError:  # ports/esp32/machine_pin.c knows no such argument
        pin.irq(handler, trigger)
