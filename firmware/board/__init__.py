"""The board: everything that differs between an ESP32, an RP2040 and the Unix port, behind one
small interface.

config_path                    where its config is
reset_cause                    "power", "watchdog", "software" or "deepsleep"
unique_id() -> str             the same for the life of the board
wall_ms() -> int or None       Unix time in ms whatever the port's epoch; None if unset
network(config, clock, sampler)  what cares for the network (below), or None: the host does
watchdog(ms)                   arm or feed: without another call within `ms` the board is reset
load(name) -> bytes or None    small state that survives a reset and a power cut
save(name, data)               replaces it as a whole
await stop_requested()         returns when the device is asked to stop politely
until_drained                  end once all sensors have ended and everything is delivered
sleep_ms(ms)                   doing nothing at all for so long
reset()                        does not return
exit(status)                   the application has ended; does not return on the Unix port
"""

import sys


def this():
    """Return the board that we run on, importing only its module."""
    name = {"linux": "unix", "darwin": "unix"}.get(sys.platform, sys.platform)
    return __import__("firmware.board." + name, None, None, ("Board",)).Board()
