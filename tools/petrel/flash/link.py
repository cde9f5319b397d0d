"""A board at a serial port, through mpremote's own transport: what it is, its files, its console.

    absent --connect--> raw REPL <--interrupt/restart--> running --close--> absent
"""

import contextlib
import dataclasses
import io
import re
import struct
import subprocess
import sys
import time

import serial
import serial.tools.list_ports
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from petrel import runtime
from petrel.errors import Failure, Misuse, one_line

PLATFORMS = {"esp32": "an ESP32", "rp2": "an RP2040 or RP2350"}
_BACK_S = 20  # how long a board may take to come back after a reset, on USB of its own
_CHUNK = 1024
_ATTEMPTS = 3
_READ_S = 3  # within an exchange; without it mpremote waits for ever for a board that went away
_GONE = (TransportError, struct.error, serial.SerialException)  # struct: half of an answer

_ASK = """
import sys, os
i = sys.implementation
s = os.statvfs('')
m = getattr(i, '_mpy', 0)
p = sys.path[:]
sys.path[:] = ['.frozen']
for n in ('umqtt', 'umqtt.simple'):  # the one that runs may be ours
    sys.modules.pop(n, None)
try:
    import umqtt.simple
    f = True
except ImportError:
    f = False
sys.path[:] = p
try:
    import vfs
    r = hasattr(vfs, 'rom_ioctl') and vfs.rom_ioctl(1)
except (ImportError, OSError, TypeError):
    r = 0
print(repr((sys.platform, i[1][:3], m, getattr(i, '_machine', '?'), s[0], s[3], f, r or 0)))
"""
_RELEASE = """
try:
    from firmware import board
    board.this().release()
except Exception:
    pass
"""


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a board says of itself."""

    platform: str
    version: tuple
    mpy: tuple  # (version, of machine code), or (0, 0)
    architecture: str | None
    machine: str
    block_bytes: int
    free_bytes: int
    has_umqtt: bool
    rom_partitions: int

    @property
    def version_text(self):
        return ".".join(map(str, self.version))


def find_port():
    """The one serial port that a board is at. Raises Misuse if there is none, or several."""
    ports = [p for p in serial.tools.list_ports.comports() if p.vid is not None]
    if not ports:
        raise Misuse(
            "no board found: connect it by USB with a cable that carries data, or name its port "
            "with --port; an ESP32 without MicroPython needs that first (see the README)"
        )
    if len(ports) > 1:
        names = ", ".join(f"{p.device} ({p.description})" for p in sorted(ports))
        raise Misuse(f"several ports found, choose one with --port: {names}")
    return ports[0].device


class Link:
    """Raises Failure in words; every wait has an end."""

    def __init__(self, port):
        self.port = port
        self._transport = None
        self._open()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._transport is not None:
            try:
                if self._transport.in_raw_repl:
                    self._transport.exit_raw_repl()
                self._transport.close()
            except OSError:
                pass
            self._transport = None

    def _open(self):
        try:
            self._transport = SerialTransport(self.port, baudrate=115200, timeout=_READ_S)
        except TransportError as error:
            raise Failure(
                f"{one_line(error)}; is it connected, and no other program using it?"
            ) from error

    # ---- the raw REPL

    def interrupt(self):
        """Stop what runs, and let no watchdog bite meanwhile. An interrupt may hit where it is
        swallowed, in a callback for instance, so there are several.
        """
        for left in reversed(range(_ATTEMPTS)):
            try:
                with contextlib.redirect_stdout(io.StringIO()):  # mpremote prints what it hears
                    self._transport.enter_raw_repl(soft_reset=False, timeout_overall=_READ_S)
                break
            except (*_GONE, OSError) as error:
                if not left:
                    raise Failure(
                        f"{self.port} does not answer as MicroPython; press the board's reset "
                        "button and try again, or put MicroPython on it first (see the README)"
                    ) from error
        self.run(_RELEASE)

    def run(self, code):
        """What code prints on the board."""
        try:
            return self._transport.exec(code).decode(errors="replace")
        except TransportExecError as error:
            last = error.error_output.strip().splitlines()[-1:]
            raise Failure(f"the board says: {one_line(last[0] if last else 'nothing')}") from error
        except (*_GONE, OSError) as error:
            raise Failure(f"the board went away: {one_line(error)}") from error

    def facts(self):
        answer = self.run(_ASK).strip().splitlines()[-1:]
        try:
            import ast

            platform, version, mpy, machine, block, free, umqtt, rom = ast.literal_eval(answer[0])
        except (IndexError, ValueError, SyntaxError) as error:
            raise Failure(f"{self.port} does not answer as MicroPython: {answer}") from error
        from petrel.flash.image import ARCHITECTURES

        index = mpy >> 10 & 15
        return Facts(
            platform, tuple(version), (mpy & 0xFF, mpy >> 8 & 3),
            ARCHITECTURES[index] if index < len(ARCHITECTURES) else None,
            machine, block, free * block, umqtt, rom,
        )

    # ---- files

    def list(self, folder=""):
        """The names in a folder; none if there is no such folder."""
        return self._file(lambda: [f.name for f in self._transport.fs_listdir(folder)], default=[])

    def is_folder(self, place):
        return self._file(lambda: self._transport.fs_isdir(place))

    def read(self, place):
        """A file's bytes, or None."""
        read = self._transport.fs_readfile
        return self._file(lambda: bytes(read(place, chunk_size=_CHUNK)), default=None)

    def write(self, place, data):
        self._file(lambda: self._transport.fs_writefile(place, data, chunk_size=_CHUNK))

    def make_folder(self, place):
        self._file(lambda: self._transport.fs_mkdir(place))

    def sha256(self, place):
        return self._file(lambda: self._transport.fs_hashfile(place, "sha256"))

    def _file(self, action, default=...):
        try:
            return action()
        except FileNotFoundError:
            if default is not ...:
                return default
            raise
        except TransportExecError as error:
            raise Failure(f"the board says: {one_line(error.error_output)}") from error
        except _GONE as error:
            raise Failure(f"the board went away: {one_line(error)}") from error
        except OSError as error:
            raise Failure(f"the board's flash: {error.strerror or error}") from error

    def deploy_romfs(self, folder):
        """An image of a folder into the first ROMFS partition, by mpremote's own command."""
        self.close()
        command = [sys.executable, "-m", "mpremote", "connect", self.port, "resume"]
        done = subprocess.run(
            [*command, "romfs", "--no-mpy", "deploy", folder],
            capture_output=True, text=True, check=False,
        )
        if done.returncode != 0 or "deployed" not in done.stdout:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise Failure(f"mpremote romfs: {one_line(said[0] if said else 'failed')}")
        self._open()
        self.interrupt()

    # ---- running

    def restart(self):
        """Reset the board; USB of its own goes away and comes back."""
        try:
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
            self._transport.in_raw_repl = False
        except (*_GONE, OSError):
            pass
        end = time.monotonic() + _BACK_S
        time.sleep(0.5)
        while True:
            try:
                self._waiting()  # raises when the port has gone
                return
            except (OSError, serial.SerialException):
                self.close()
            try:
                self._open()
                return
            except Failure:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def lines(self, deadline_s=None):
        """What the console says, line by line, until nothing has come for `deadline_s` in all;
        None: for ever.
        """
        end = None if deadline_s is None else time.monotonic() + deadline_s
        rest = b""
        while end is None or time.monotonic() < end:
            try:
                data = self._transport.serial.read(self._waiting())
            except (OSError, serial.SerialException) as error:
                raise Failure(f"the board went away: {one_line(error)}") from error
            if not data:
                time.sleep(0.02)
                continue
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield re.sub(r"[\x00-\x08\x0b-\x1f]", "", line.decode(errors="replace")).rstrip()

    def _waiting(self):
        """How many bytes can be read."""
        port: serial.Serial = self._transport.serial  # pyright: ignore[reportAssignmentType]
        return port.in_waiting


def check(facts):
    """Raises Failure unless Petrel runs on such a board."""
    if facts.platform not in PLATFORMS:
        known = " and ".join(PLATFORMS.values())
        raise Failure(f"that is {facts.machine} ({facts.platform}); Petrel runs on {known}")
    if facts.version[:2] < runtime.OLDEST:
        oldest = ".".join(map(str, runtime.OLDEST))
        raise Failure(
            f"the board has MicroPython {facts.version_text}, {oldest} is needed; "
            "micropython.org/download has a newer one"
        )
