"""A virtual device as a process: `petrel run` with its config and flash in a test's folder.

`petrel run` is the board; the chip is its child. Both can be paused, and a SIGKILL is a power cut.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from host_tests.harness import data
from petrel.children import tied_to_parent

PETREL = Path(sys.executable).parent / "petrel"  # of the virtual environment that runs the tests

_POLL_S = 0.02
_GONE_S = 5  # a killed process is gone long before
_STOP_S = 20  # `petrel run` gives the chip 15 s


class Device:
    """Starts at once, unless `start` is False.

    folder: gets config.json, the replayed files and the flash, which outlives a restart by
    start(). config: a dictionary (see harness.config), or text to be written as it is. flags: of
    `petrel run`, such as "--until-drained". command: what to run instead of `petrel run`.
    env: more environment.
    """

    def __init__(
        self, folder, config, name="device", flags=(), command=None, env=None, start=True
    ):
        self.name, self.folder = name, Path(folder) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config_file, self.state = self.folder / "config.json", self.folder / "flash"
        self.configure(config)
        command = command or [PETREL, "run", "--config", self.config_file, "--state", self.state]
        self._command = [str(part) for part in (*command, *flags)]
        self._env = {**os.environ, **(env or {})}
        self._process, self._reader = None, None
        self._lines, self._heard = [], threading.Condition()
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def configure(self, config):
        """Writes config.json for the next start(), and the recorded files that it names."""
        if isinstance(config, str):
            self.config_file.write_text(config, encoding="utf-8")
            return
        self.config_file.write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
        for sensor in config.get("sensors", ()):
            file = self.folder / sensor.get("file", "")
            if not file.exists() and (data.DATA / file.name).is_file():
                shutil.copy(data.DATA / file.name, file)

    # ---- power

    def start(self):
        """Power on, again with the same flash after an end; the log goes on."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        self._process = subprocess.Popen(
            self._command,
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=tied_to_parent(),
        )
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stderr,), name=f"{self.name} log", daemon=True
        )
        self._reader.start()
        return self

    def stop(self, deadline_s=_STOP_S):
        """A polite stop (SIGTERM); returns the exit status."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        return self.wait_exit(deadline_s)

    def kill(self):
        """A power cut (SIGKILL); returns once the chip is gone too and the flash is at rest."""
        if self._process is None:
            return
        chip = self.chip_pid
        if self.running:
            self._process.kill()
        self._process.wait(_GONE_S)
        with contextlib.suppress(ProcessLookupError):  # a paused chip would not notice its end
            os.kill(chip, signal.SIGCONT) if chip else None
        until_gone(chip)
        self._reader.join(_GONE_S)

    def pause(self):
        """Stops time for board and chip (SIGSTOP); the board first, or its watchdog would bite."""
        for pid in (self.pid, self.chip_pid):
            _signal(pid, signal.SIGSTOP)

    def resume(self):
        """Ends pause(); the chip first, or the board would find it silent."""
        for pid in (self.chip_pid, self.pid):
            _signal(pid, signal.SIGCONT)

    def wait_exit(self, deadline_s):
        """The exit status once it has ended by itself; TimeoutError if it does not."""
        try:
            status = self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"{self.name} did not end within {deadline_s} s; {self._tail()}"
            ) from None
        self._reader.join(_GONE_S)
        return status

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self):
        """Of the board, None while it is off."""
        return self._process.pid if self.running else None

    @property
    def chip_pid(self):
        """Of the MicroPython process, None while there is none."""
        return next(iter(children(self.pid)), None) if self.running else None

    # ---- log

    def logs(self):
        """The lines on its stderr so far, without their ends, over all its lives."""
        return [line for _, line in self.timed_logs()]

    def timed_logs(self):
        """The lines as (monotonic time of arrival in seconds, line)."""
        with self._heard:
            return list(self._lines)

    def mark(self):
        """The place in the log where it ends now, for wait_log(after=...)."""
        return len(self.timed_logs())

    def wait_log(self, pattern, deadline_s, after=0):
        """The match of `pattern` in the first log line that has one, from line `after` on.

        Fails at once when the device has ended without saying it.
        """
        ends, seen = time.monotonic() + deadline_s, after
        while True:
            over = not self._reader.is_alive()  # asked first: what it left is read below
            lines = self.logs()
            for line in lines[seen:]:
                match = re.search(pattern, line)
                if match:
                    return match
            seen = max(seen, len(lines))
            left = ends - time.monotonic()
            if over or left <= 0:
                why = "ended without" if over else f"did not log within {deadline_s} s"
                raise TimeoutError(f"{self.name} {why} {pattern!r}; {self._tail()}")
            with self._heard:
                if len(self._lines) == seen:
                    self._heard.wait(min(left, _POLL_S * 5))

    def _tail(self):
        return "its last lines:\n  " + "\n  ".join(self.logs()[-10:] or ["(none)"])

    def _read(self, stream):
        with stream:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip("\r\n")
                with self._heard:
                    self._lines.append((time.monotonic(), line))
                    self._heard.notify_all()
        with self._heard:
            self._heard.notify_all()


def children(pid):
    """The process ids of `pid`'s children."""
    with contextlib.suppress(OSError):  # Linux knows; a small one has no pgrep
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    found = subprocess.run(
        ["pgrep", "-P", str(pid)], capture_output=True, text=True, timeout=_GONE_S, check=False
    )
    return [int(child) for child in found.stdout.split()]


def _signal(pid, number):
    if pid is None:
        raise RuntimeError("there is no such process to pause or resume")
    os.kill(pid, number)


def alive(pid):
    """Is the process there, and no zombie that nobody has buried yet?"""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # gone between the two lines, or a system without /proc
        return not Path("/proc/self").exists()


def until_gone(pid):
    """Waits for the end of a process that is no child of ours."""
    ends = time.monotonic() + _GONE_S
    while pid is not None and alive(pid):
        if time.monotonic() > ends:
            raise TimeoutError(f"process {pid} outlived its board's power cut by {_GONE_S} s")
        time.sleep(_POLL_S)
