"""A stand-in board on a desk: a pseudo-terminal for its USB, a file for its flash.

    mpremote -- terminal `port` --[ cable: a thread ]-- terminal of the chip -- MicroPython
"""

import contextlib
import fcntl
import os
import pty
import select
import subprocess
import termios
import threading
import time
import tty

from host_tests.chip import runtime_of
from petrel import ROOT

_PROMPT = "Type \"help()\" for more information."
_INTERRUPT = b"\x03"
_AFTER_INTERRUPT_S = 0.3  # the Unix port's terminal forgets what comes while it changes its mode


class Board:
    """`port` is where it is plugged in; `cut` is a loss of power, after which it starts again.

    flash_kb: of its file system. platform: "esp32" or "rp2". version: the MicroPython that it
    claims to be, "1.24.1". air: file for host_tests/boards/script.py. rom_kb: of its ROMFS
    partition, 0 for none. `heard` is all that its console has said.
    """

    def __init__(self, folder, flash_kb=1024, platform="esp32", version=None, air=None, rom_kb=0):
        flash = folder / "flash.bin"
        flash.write_bytes(b"\xff" * (flash_kb << 10))
        self._errors = (folder / "board.log").open("ab")
        self._environment = {
            **os.environ, "PETREL_PORT": platform, "PETREL_FLASH": str(flash),
            "PETREL_BATTERY": "/host" + str(folder / "battery.json"),
            "MICROPYPATH": f"{ROOT}:.frozen", "PETREL_FORMAT": "1", "PETREL_RESET_CAUSE": "power",
        }
        if rom_kb:
            (folder / "rom.bin").write_bytes(b"\xff" * (rom_kb << 10))
            self._environment["PETREL_ROM"] = str(folder / "rom.bin")
        if air:
            self._environment["PETREL_AIR"] = str(air)
        if version:
            self._environment["PETREL_VERSION"] = version
        self._cable, self._plug = pty.openpty()
        self._chip, self._socket = pty.openpty()
        tty.setraw(self._plug)
        self.port = os.ttyname(self._plug)
        self.heard = b""
        self._wanted = True
        self._process = None
        self._start()
        works = (self._carry, self._care)
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in self._threads:
            thread.start()
        self.wait_for(_PROMPT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._wanted = False
        self._process.kill()
        for thread in self._threads:
            thread.join(10)
        for handle in (self._cable, self._plug, self._chip, self._socket):
            os.close(handle)
        self._errors.close()

    def cut(self):
        """Pull the plug and put it in again."""
        before = self._process
        self._environment["PETREL_RESET_CAUSE"] = "power"
        before.kill()
        while self._process is before:
            time.sleep(0.01)

    def wait_for(self, text, deadline_s=20, after=0):
        """Until the console has said it."""
        end = time.monotonic() + deadline_s
        while text.encode() not in self.heard[after:]:
            said = self.heard[-2000:].decode(errors="replace")
            assert time.monotonic() < end, f"no {text!r} in {said}"
            time.sleep(0.02)

    def _start(self):
        tty.setraw(self._socket)  # as the last process may not have left it
        settings = termios.tcgetattr(self._socket)
        settings[3] |= termios.ISIG
        termios.tcsetattr(self._socket, termios.TCSANOW, settings)
        argv = [*runtime_of("64-bit"), "-X", "heapsize=2M", "-i"]
        self._process = subprocess.Popen(
            [*argv, "-c", "import host_tests.boards.terminal"], env=self._environment,
            stdin=self._socket, stdout=self._socket, stderr=self._socket, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def _care(self):
        """A process that ends is a reset, or was cut."""
        while self._wanted:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
                if not self._wanted:
                    break
                self._environment.pop("PETREL_FORMAT", None)
                self._start()
                self._environment["PETREL_RESET_CAUSE"] = "software"

    def _carry(self):
        while self._wanted:
            ready, _, _ = select.select([self._cable, self._chip], [], [], 0.05)
            for end in ready:
                with contextlib.suppress(OSError):
                    data = os.read(end, 4096)
                    if end == self._chip:
                        self.heard += data
                        os.write(self._cable, data)
                    else:
                        self._to_chip(data)

    def _to_chip(self, data):
        before, interrupt, after = data.partition(_INTERRUPT)
        os.write(self._chip, before + interrupt)
        if interrupt:
            time.sleep(_AFTER_INTERRUPT_S)
            if after:
                self._to_chip(after)
