"""What happens in the air, from a JSON file that a test wrote (PETREL_AIR). On MicroPython.

    {"haste": 10, "points": [{"ssid": ..., "password": ...}, ...],
     "events": [[Unix ms, ssid, {"up": false, "channel": 6, ...}], ...]}

An event with null for the ssid is lwIP's: {"memory": false} and it has none left.

Events go on where they were after a reset, because their times are the host's.
"""

import os

import ujson

from host_tests.boards import air, world


def load():
    path = os.getenv("PETREL_AIR")
    if not path:
        return
    with open(path) as file:
        told = ujson.load(file)
    air.haste = told.get("haste", 1)
    air.points.extend(air.Point(**point) for point in told["points"])
    air.script.extend((at, _change(ssid, what)) for at, ssid, what in told["events"])
    world.unique_id = told.get("id", "petrel").encode()


def _change(ssid, what):
    def change():
        import socket

        changed = [point for point in air.points if point.ssid == ssid] if ssid else [socket]
        for thing in changed:
            for name, value in what.items():
                setattr(thing, name, value)

    return change
