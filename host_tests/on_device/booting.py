"""Runs on the device: lives of a stand-in board in virtual time, on a real LittleFS.

A life is boot.py and main.py as they are; what happens to it is told: `crash`, `healthy` ...
"""

import asyncio
import io
import os
import sys

import vfs

from host_tests.boards import air, pins, power, world
from host_tests.faults import flash

from . import server, virtual_time

PLACE = "/flash"
_ROOT = os.getcwd()
_CONFIG = '{"wifi": [{"ssid": "home", "password": "secret"}], "board": {"led": 2, "safe_pin": 9}}'


class _Clock:
    """The world's time is the loop's."""

    @staticmethod
    def now():
        return virtual_time.time.now()

    @staticmethod
    def sleep(ms):
        virtual_time.time.advance(ms)


world.clock = _Clock()


class _Console(io.IOBase):
    """Stands in for stderr."""

    def __init__(self):
        self.text = ""

    def write(self, data):
        self.text += bytes(data).decode() if not isinstance(data, str) else data
        return len(data)


def new_board(port, progsize=32):
    """An empty board: a formatted flash with a config, no access point, power off so far."""
    os.chdir(_ROOT)
    try:
        vfs.umount(PLACE)
    except OSError:
        pass
    world.port = port
    world.battery.clear()
    air.reset()
    pins.levels.clear()
    pins.duties.clear()
    virtual_time.restart()
    device = flash.Recorder(48, progsize)
    vfs.VfsLfs2.mkfs(device, progsize=progsize)
    _mount(device)
    with open("config.json", "w") as file:
        file.write(_CONFIG)
    return device


def _mount(device):
    vfs.mount(vfs.VfsLfs2(device, progsize=device.program), PLACE)
    os.chdir(PLACE)


def forget():
    """No module of the application stays loaded: the next life loads its own."""
    for name in list(sys.modules):
        if name in ("boot", "main") or name.split(".")[0] == "firmware":
            del sys.modules[name]


def life(port, ends, cause="watchdog"):
    """One life: boot.py, and main.py with an app that ends as told. Returns what was seen."""
    if not world.battery:
        world.power_on()
    else:
        world.battery["cause"] = cause
    forget()
    virtual_time.restart(virtual_time.time.now())
    power.on(port)
    console = _Console()
    sys.modules["sys"].stderr = console
    seen = {"held_back": None, "app": False, "reset": None}
    try:
        import boot  # noqa: F401
        from firmware import board, start

        seen["held_back"] = board.this().problem

        def assemble(board):
            seen["app"] = True
            return _App(board, ends)

        start._assemble = assemble
        import main  # noqa: F401
    except world.Reset as reset:
        seen["reset"] = reset.cause
    seen["console"] = console.text
    seen["wifi"] = air.station.carries()
    return seen


class _App:
    reboot = False

    def __init__(self, board, ends):
        self._board, self._ends = board, ends

    async def run(self):
        if self._ends == "crash":
            raise ValueError("as told")
        if self._ends == "reboot":
            self.reboot = True
            return
        for _ in range(int(self._ends)):  # a life of so many seconds, then the watchdog
            self._board.watchdog(8000)
            await asyncio.sleep_ms(1000)
        raise world.Reset("watchdog")


def lives(port, told, points=()):
    """Several lives of a new board, [how it ends, ...]; what was seen of each."""
    new_board(port)
    air.points.extend(air.Point(*point) for point in points)
    seen = [life(port, ends) for ends in told]
    with open("config.json") as file:
        seen.append(file.read() == _CONFIG)
    return seen


def held_low(port):
    """A boot with the safe-mode pin held low."""
    new_board(port)
    pins.levels[9] = 0
    return life(port, "reboot")


def files():
    """What the flash holds of the last board's state."""
    return {name: open("state/" + name).read() for name in os.listdir("state")}


def safe_for_an_hour(port):
    """Safe mode, left alone: the cause of the reset that ends it, and after how many minutes."""
    new_board(port)
    for _ in range(5):
        life(port, "crash")
    life(port, "crash")
    start = world.clock.now()
    try:
        while True:
            virtual_time.time.advance(1000)
            world.now()
    except world.Reset as reset:
        return reset.cause, (world.clock.now() - start) // 60_000


def cut_everywhere(port, progsize, before):
    """Cut the power at every operation of a boot that finds `before` in the counter's file (None:
    no file). Returns the number of cuts, and what the counter was read as after any of them.
    """
    device = new_board(port, progsize)
    power.on(port)
    forget()
    from firmware.board import boots, files

    class Board:
        reset_cause = "power"
        load = staticmethod(files.load)
        save = staticmethod(files.save)

    if before is not None:
        files.save("boots", before.encode())
    image = bytearray(device.image)
    device.log.clear()
    boots.begin(Board())
    log = device.log
    found, cuts = [], 0
    for _, _, left in flash.cuts(image, log):
        os.chdir(_ROOT)
        vfs.umount(PLACE)
        _mount(flash.Recorder(48, progsize, bytearray(left)))
        cuts += 1
        now = files.load("boots")
        now = None if now is None else now.decode()
        if now not in found:
            found.append(now)
        boots.begin(Board())  # and the next boot counts on
        with open("config.json") as file:
            if file.read() != _CONFIG:
                raise ValueError("the config is not what it was")
    return cuts, found


server.serve(globals())
