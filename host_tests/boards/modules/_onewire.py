"""`_onewire`: extmod/modonewire.c."""

from host_tests.boards import onewire, world

crc8 = onewire.crc8


def reset(pin):
    """Takes 960 us; true if anybody pulls the line low when it is let go of."""
    world.sleep(1)
    for device in onewire.devices(pin.id):
        device.reset()
    return bool(onewire.devices(pin.id)) or pin.id in onewire.held_low


def readbit(pin):
    if pin.id in onewire.held_low:
        return 0
    line = 1
    for device in onewire.devices(pin.id):  # each speaks, whatever another has said
        line &= device.say()
    return line


def writebit(pin, value):
    for device in onewire.devices(pin.id):
        device.hear(value & 1)


def readbyte(pin):
    return sum(readbit(pin) << i for i in range(8))


def writebyte(pin, value):
    for i in range(8):
        writebit(pin, value >> i)
