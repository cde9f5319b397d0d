"""Sensor drivers, one a file, named in a config by the file's name.

A driver is a class `Sensor`, made with (its entry in the config, the board):

    channels               list of Channel, in the order of its values
    begin() -> ms          start a conversion; how long to wait before `read`
    read(values, first)    put a scaled integer, or None, for each channel into values[first:];
                           return the Unix time in ms that the source itself gives the reading, or
                           None for the device's clock

`read` raises OSError or ValueError when the sensor can't be read, and Ended when it will never
give another reading. Neither waits, nor allocates more than it must, and the constructor does not
touch what may be away. Beside the class the module has `rules()`: the rules of the driver's own
keys and of its channels' (`firmware/config_rules.py`), and `check(entry)`, which fills in what
rules can't know and yields (path, what was found, what is allowed) for what they can't say.

A sensor whose `edges` is true also gives readings outside the schedule (`firmware/edges.py`):

    edge(values, first)    as `read`, for the next edge; returns how many ms ago it was, or None if
                           there is none

Modules whose names begin with `_` are what drivers share. docs/drivers.md walks through a new one.
"""


class Ended(Exception):
    """The source has no more readings."""


class Channel:
    """`step` is the sensor's true step as (mantissa, exponent) or None, `kind` None or "count":
    values are then 32 bits without a sign.
    """

    step = kind = None  # in the class: most channels have none, and a board little memory

    def __init__(self, key, unit, decimals, step=None, kind=None):
        self.key = key
        self.unit = unit
        self.decimals = decimals
        if step:
            self.step = step
        if kind:
            self.kind = kind


def module(driver):
    """The module of a driver; ImportError if there is none."""
    return __import__("firmware.sensors." + driver, None, None, ("Sensor",))


def channels(options):
    """The channels of a config entry, in the order of their keys (a JSON object has none on
    MicroPython).
    """
    return [
        Channel(key, o["unit"], o["decimals"], o["step"], o["kind"])
        for key, o in sorted(options.items())
    ]
