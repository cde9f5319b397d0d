"""Runs on the device: what a program sees of a stand-in board. PETREL_PORT is the board."""

# pyright: reportMissingImports=false

import os

import usocket

from host_tests.boards import air, power, world

PORT = os.getenv("PETREL_PORT")
power.on(PORT)

import json  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import machine  # noqa: E402
import network  # noqa: E402

from . import server  # noqa: E402


def _online():
    """On the air without the waiting."""
    air.reset()
    air.haste = 1_000_000
    air.points.append(air.Point("home"))
    wlan = network.WLAN(network.WLAN.IF_STA)
    wlan.active(True)
    wlan.connect("home", None)
    while not wlan.isconnected():
        pass
    return wlan


def _raised(call, *arguments):
    try:
        call(*arguments)
    except (OSError, ValueError) as error:
        return [type(error).__name__, error.errno or str(error)]
    return None


def clock():
    world.power_on()
    at_power_on = time.gmtime()[:3]
    machine.RTC().datetime((2026, 3, 1, 0, 12, 0, 0, 0))
    return {
        "platform": sys.platform, "epoch": time.gmtime(0)[0], "at_power_on": at_power_on,
        "type": type(time.time()).__name__, "set": time.gmtime()[:5],
        "back": time.gmtime(time.mktime((2026, 2, 28, 23, 59, 58, 0, 0)))[:6],
        "float": json.loads("1764000000.5"),
    }


def watchdogs():
    return [_raised(machine.WDT, 0, ms) for ms in (8388, 8389, 60_000)]


def blocking(port):
    """A time-out on a connection whose peer says nothing, and what setblocking(True) makes of it:
    the ms until a read gives up, None if it never would.
    """
    _online()
    sock = socket.socket()
    sock.settimeout(0.2)
    sock.connect(("127.0.0.1", port))
    start = world.now()
    error = _raised(sock.recv, 1)
    took = world.now() - start
    sock.setblocking(True)
    return error, took, sock._timeout


def datagrams(count, port):
    """Which of so many datagrams a socket still has that nobody has read meanwhile."""
    _online()
    sender = usocket.socket(usocket.AF_INET, usocket.SOCK_DGRAM)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", port))
    sock.setblocking(False)
    for i in range(count):
        sender.sendto(bytes([i]), usocket.getaddrinfo("127.0.0.1", port)[0][-1])
    found = []
    while _raised(lambda: found.append(sock.recvfrom(10)[0][0])) is None:
        pass
    return found


def connecting(port):
    """What a second `connect` says once the first has ended, for a free port and one in use."""
    _online()
    said = []
    for goal in (port, 1):
        sock = socket.socket()
        sock.setblocking(False)
        said.append(_raised(sock.connect, ("127.0.0.1", goal)))
        while not sock.ioctl(3, 4):
            pass
        said.append(_raised(sock.connect, ("127.0.0.1", goal)))
        sock.close()
    air.station.leave()
    said.append(_raised(socket.socket().connect, ("127.0.0.1", port)))
    return said


def sockets():
    """How many sockets there are, and what is said when there is none, or no memory."""
    _online()
    made = []
    while _raised(lambda: made.append(socket.socket())) is None:
        pass
    none_left = _raised(socket.socket)
    for sock in made:
        sock.close()
    socket.memory = False
    no_memory = _raised(socket.socket)
    socket.memory = True
    return len(made), none_left, no_memory


def wlan():
    """A connect during an attempt; the statuses of an attempt after one that failed."""
    air.reset()
    air.haste = 1
    wlan = network.WLAN(network.WLAN.IF_STA)
    idle = wlan.status()
    wlan.active(True)
    wlan.config(**({"reconnects": 0} if PORT == "esp32" else {"pm": wlan.PM_NONE}))
    air.haste = 100
    wlan.connect("home", "x")
    again = _raised(wlan.connect, "home", "x")
    while air.station.look() != air.FAILED:
        pass
    failed = wlan.status()
    air.points.append(air.Point("home", "x"))
    air.haste = 10
    wlan.connect("home", "x")
    meanwhile = wlan.status()
    while not wlan.isconnected():
        pass
    return idle, again, failed, meanwhile, wlan.status()


server.serve(globals())
