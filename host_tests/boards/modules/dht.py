"""`dht`: `dht_readinto` as micropython-lib's module has it from the port (drivers/dht/dht.c).

`answers` are a sensor's five bytes by pin number.
"""

from errno import ETIMEDOUT

from host_tests.boards import world

answers = {}


def dht_readinto(pin, buf):
    world.sleep(268)  # the line is high for 250 ms, then low for 18
    if answers.get(pin.id) is None:
        raise OSError(ETIMEDOUT)
    world.sleep(5)
    buf[:] = answers[pin.id]
