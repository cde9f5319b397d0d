"""Turns the Unix port into a board. On MicroPython, before anything else is imported."""

import sys

from host_tests.boards import air, world

_SHADOWED = (
    "machine", "network", "time", "socket", "json", "ntptime", "esp32", "rp2",
)


class _Sys:
    """The module `sys`, with the board's own `platform`."""


def on(port, folder=None):
    """`port` is "esp32" or "rp2". `folder`: of these files, if it can't be told from their name.
    Again in the same process it is the next life, with whatever `world.battery` holds.

    The modules are put before everything else on the path; those that asyncio or another frozen
    module has taken already stay what they are there.
    """
    world.port = port
    world.timers.clear()
    world.watchdog = None
    air.station = air.Station()
    if not world.battery:
        world.environment()
    if world.clock is world.real_time:
        __import__("asyncio.core")  # with the tick counter that its queue reads in C
    place = folder or __file__.rsplit("/", 1)[0] + "/modules"
    if place not in sys.path:
        sys.path.insert(0, place)
    for name in _SHADOWED:
        sys.modules.pop(name, None)
    _board_sys(port)
    # Not to be shadowed by a file: py/moderrno.c.
    sys.modules.pop("errno", None)
    sys.modules["errno"] = __import__("board_errno")


def _board_sys(port):
    board = _Sys()
    for name in dir(sys):
        if not name.startswith("__"):
            setattr(board, name, getattr(sys, name))
    board.platform = port
    sys.modules["sys"] = board
