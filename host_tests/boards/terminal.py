"""A stand-in board with a flash and a console, as one finds it on a desk. On MicroPython, by

    micropython -i -c "import host_tests.boards.terminal"

PETREL_PORT is the board, PETREL_FLASH the file that is its flash (LittleFS, mounted at the root),
PETREL_ROM one for a ROMFS partition, PETREL_AIR the air around it (`script`), PETREL_VERSION a
MicroPython version that it should claim. The host's files are under /host. Then boot.py and
main.py run, and whatever becomes of them, the REPL follows (shared/runtime/pyexec.c); a reset ends
the process, and whoever started it starts it again.
"""

import os
import sys

import uos
import vfs

from host_tests.boards import power, script, world

_BLOCK = 4096


class _Flash:
    """A NOR flash in a file: what is written is there at once."""

    def __init__(self, path):
        self._file = open(path, "r+b")
        self._file.seek(0, 2)
        self._blocks = self._file.tell() // _BLOCK

    def readblocks(self, block, buf, offset=0):
        self._file.seek(block * _BLOCK + offset)
        self._file.readinto(buf)

    def writeblocks(self, block, buf, offset=0):
        self._file.seek(block * _BLOCK + offset)
        self._file.write(buf)

    def ioctl(self, command, argument):
        return {4: self._blocks, 5: _BLOCK}.get(command, 0)


class _Vfs:
    """`vfs` with one ROMFS partition (extmod/vfs.c, docs/reference/romfs.rst)."""

    def __init__(self, partition):
        for name in dir(vfs):
            if not name.startswith("__"):
                setattr(self, name, getattr(vfs, name))
        self._partition = partition

    def rom_ioctl(self, command, *arguments):
        return {1: 1, 2: self._partition}[command]


def _mount_rom(path):
    """As the port does at its start: nothing, where there is no image."""
    with open(path, "rb") as file:
        image = file.read()
    sys.modules["vfs"] = _Vfs(_Flash(path))
    if image[:3] == b"\xd2\xcd\x31":
        vfs.mount(vfs.VfsRom(image), "/rom")
        sys.path.extend(["/rom", "/rom/lib"])


def _reset(cause, ms=0):
    world.battery["cause"] = cause
    world.keep()
    sys.exit(3)


def _run(name):
    """As the port does with its two files: an exception is shown, and no more."""
    try:
        with open(name) as file:
            source = file.read()
    except OSError:
        return
    try:
        exec(compile(source, name, "exec"), {"__name__": "__main__"})
    except (SystemExit, world.Reset):
        raise
    except BaseException as error:
        sys.print_exception(error)


def _claim(version):
    """Say that this is another MicroPython."""

    class Implementation:
        name = "micropython"
        _machine = "Generic stand-in with " + world.port
        _mpy = sys.implementation._mpy

        def __getitem__(self, index):
            return (self.name, version)[index]

    Implementation.version = version
    sys.modules["sys"].implementation = Implementation()


script.load()
for name in ("air", "buses", "i2c", "onewire", "pins"):  # while their files are where they were
    __import__("host_tests.boards." + name)
here = "/host" + os.getenv("MICROPYPATH").split(":")[0] + "/host_tests/boards"
port = os.getenv("PETREL_PORT")
flash = _Flash(os.getenv("PETREL_FLASH"))
if os.getenv("PETREL_FORMAT"):
    vfs.VfsLfs2.mkfs(flash)
vfs.umount("/")
vfs.mount(vfs.VfsPosix("/"), "/host")
vfs.mount(vfs.VfsLfs2(flash), "/")
uos.chdir("/")
sys.path[:] = ["", ".frozen", "/lib", here.rsplit("/", 2)[0]]  # `power.on` adds the modules
if os.getenv("PETREL_ROM"):
    _mount_rom("/host" + os.getenv("PETREL_ROM"))
world.reset = _reset
power.on(port, here + "/modules")
if os.getenv("PETREL_VERSION"):
    _claim(tuple(int(part) for part in os.getenv("PETREL_VERSION").split(".")))
_run("boot.py")
_run("main.py")
