"""Puts together what a device that sleeps needs to take a reading, and no more: neither network
nor outbox. Forgotten once that is done.
"""

import sys

from micropython import const

from .assemble import begin, interval_ms
from .log import uptime
from .nap import unpack
from .sleeping import Sleeper
from .waking import WakingSampler

_WATCHDOG_MS = const(8_000)  # RP2040 can wait for 8,388 ms at most


def wake(board, config):
    """Take the reading that is due. Returns a Sleeper if it is to be delivered, None if the
    config asks for sensors that are not there; otherwise the board sleeps again.
    """
    board.watchdog(_WATCHDOG_MS)
    power = _power(board)
    interval = min([interval_ms(entry) for entry in config["sensors"]])
    nap = unpack(power.carried())
    if nap.stream:
        uptime.now()
        counted = nap.wake_ms + power.awake_ms()
        uptime.elapsed = nap.follow(counted, board.wall_ms(), interval)
    parts = begin(board, config, nap)
    if parts is None:
        return None
    sensors, _, clock, vitals, identity, _ = parts
    clock.offset = nap.offset
    nap.stream, nap.before = identity.stream, identity.before
    sleeper = Sleeper(power, config, nap, parts, interval)
    sampler = sleeper.sampler = WakingSampler(sleeper, clock, vitals)
    for sensor, entry in zip(sensors, config["sensors"]):
        every_ms = int(entry["every_s"] * 1000 + 0.5)
        sampler.add(sensor, entry["driver"], every_ms, entry.get("speed", 1))
    # A reading that should have been taken an interval ago is left out.
    sampler.start(max(nap.next_ms, clock.now() - interval + 1))
    sleeper.wake()
    return sleeper


def _power(board):
    port = "unix" if sys.platform in ("linux", "darwin") else sys.platform
    return __import__("firmware.board.sleep_" + port, None, None, ("Sleep",)).Sleep(board)
