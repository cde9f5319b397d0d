"""`esp32`: ports/esp32/modesp32.c."""

from host_tests.boards import world


def raw_temperature():
    """In degrees Fahrenheit."""
    return 128


def mcu_temperature():
    """In degrees Celsius, on the newer chips."""
    return world.battery.get("celsius", 41)


def wake_on_ext0(pin=None, level=0):
    pass


def wake_on_ext1(pins=None, level=0):
    pass
