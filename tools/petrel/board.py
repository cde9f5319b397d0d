"""The board around the chip: power, reset line and hardware watchdog, played by this process.

The Unix port of MicroPython is the chip. Two wires lead to it, its stdin and its stdout:

    chip -> board   `wdt MS`  arms or feeds the watchdog: no such line within the next MS
                              milliseconds, and the chip is killed and started again
                    `slp MS`  the power of the RAM goes, for MS milliseconds
                    any other line is the program's own and goes on to our stdout
    board -> chip   `stop`    please stop politely
                    EOF       the power is gone

What the chip's exit status asks for:

    0  it ended: so do we             3  reset me: it is started again at once, cause `software`
    2  config refused: we end with 2  4  asleep: started again after `slp MS`, cause `deepsleep`
                                      anything else is a crash: we end with 1

               start             exit 3, watchdog (too often in a row: 1)
    off ------------------> running ------------------> running
                               | SIGTERM, SIGINT, SIGHUP
                               v
                            stopping --- exit 0 or 3 ---> off (0)
                               | 15 s, watchdog, a second signal: the power is cut
                               v
                              off (1)

The watchdog is as blind as the real one: a chip that is paused (SIGSTOP) is reset when its time
is over. Only a pause of the board itself is forgiven: what waits in the pipe is read before the
watchdog is judged, and after an overslept deadline the chip gets a whole period more.
"""

import collections
import contextlib
import dataclasses
import os
import re
import select
import signal
import subprocess
import sys
import time

from petrel.children import tied_to_parent
from petrel.errors import Failure, Misuse, complain

PROGRAM = "petrel run"
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
FEED = re.compile(rb"wdt (\d{1,9})")
SLEEP = re.compile(rb"slp (\d{1,10})")
ENDED, REFUSED, RESET, ASLEEP = 0, 2, 3, 4  # exit statuses of the chip
OVERSLEPT_S = 0.5  # a deadline missed by more: this process did not run


@dataclasses.dataclass(frozen=True)
class Limits:
    """How long the board waits, in seconds, and how often it starts a chip that cannot live."""

    stop_s: float = 15
    restarts: int = 5
    window_s: float = 60
    life_s: float = 10


class Watchdog:
    """A hardware watchdog. Times are seconds of `time.monotonic`, periods milliseconds."""

    def __init__(self):
        self.period_ms = None  # None until the chip arms it; nothing disarms it but a reset
        self.deadline = None

    def feed(self, period_ms, now):
        self.period_ms = period_ms
        self.deadline = now + period_ms / 1000

    def forgive(self, now):
        """Start the period again without being fed."""
        if self.period_ms is not None:
            self.feed(self.period_ms, now)


class CrashLoop:
    """Counts restarts, so that a device that cannot live does not restart for ever."""

    def __init__(self, limits):
        self.limits = limits
        self.restarts = collections.deque()

    def restart(self, born, now):
        """A chip started at `born` needs a restart; raise Failure if it is one too many."""
        if now - born >= self.limits.life_s:
            self.restarts.clear()
        self.restarts.append(now)
        while now - self.restarts[0] > self.limits.window_s:
            self.restarts.popleft()
        if len(self.restarts) > self.limits.restarts:
            raise Failure(
                f"the device wanted {len(self.restarts)} restarts within "
                f"{self.limits.window_s:g} s and never lived {self.limits.life_s:g} s: given up; "
                "its last lines above say why"
            )


class Chip:
    """One life of the chip: a process, and the two wires to it."""

    def __init__(self, argv, folder, env):
        try:
            self.process = subprocess.Popen(
                argv, cwd=folder, env=env, bufsize=0, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, start_new_session=True, preexec_fn=tied_to_parent(),
            )
        except OSError as error:
            raise Misuse(f"cannot start the runtime '{argv[0]}': {error.strerror}") from error
        self.born = time.monotonic()
        self.fd = self.process.stdout.fileno()
        self.silent = False  # it closed its stdout
        self._rest = b""
        os.set_blocking(self.fd, False)

    def lines(self):
        """The lines that are there now, without their ends; does not wait.

        One read takes all that a pipe holds. There is no second one, so that a chip that never
        stops printing cannot keep the board from its signals.
        """
        if not self.silent:
            try:
                data = os.read(self.fd, 65536)
            except BlockingIOError:
                return
            self.silent = not data
            *lines, self._rest = (self._rest + data).split(b"\n")
            if self._rest and (self.silent or len(self._rest) > 65536):
                lines, self._rest = [*lines, self._rest], b""
            yield from lines

    def ask_to_stop(self):
        with contextlib.suppress(OSError):  # it may just have ended
            self.process.stdin.write(b"stop\n")

    def cut_power(self):
        """Kill it, and whatever it started, and wait until it is gone."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Signals:
    """Counts stop signals, and wakes `wait` up on them and on the end of a child."""

    def __init__(self):
        self.stops = 0
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def __enter__(self):
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup, or a shell's `&`
                signal.signal(number, self._count)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(self, *_):
        signal.set_wakeup_fd(-1)

    def _count(self, *_):
        self.stops += 1

    def wait(self, fd, timeout_s):
        """Wait for `fd` (None: no file) to be readable, a signal, or the timeout in seconds."""
        files = [self._reader] if fd is None else [self._reader, fd]
        select.select(files, [], [], timeout_s)
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)


class Board:
    """Runs `argv` in `folder` with the environment `env` until it is over."""

    def __init__(self, argv, folder, env, limits=None):
        self.argv, self.folder, self.env = argv, folder, env
        self.limits = limits or Limits()
        self.stopping_until = None  # set by the first stop signal, never cleared
        self.chip = None
        self.watchdog = None
        self.sleep_s = 0.0
        self.signals = Signals()

    def run(self):
        """Power on; return the exit status of `petrel run` once all is over."""
        loop = CrashLoop(self.limits)
        cause, status = "power", 1
        with self.signals:
            while cause:
                self.chip = Chip(self.argv, self.folder, {**self.env, "PETREL_RESET_CAUSE": cause})
                try:
                    cause, status = self._life()
                finally:
                    self.chip.cut_power()
                if cause == "deepsleep" and not self._sleep():
                    return 0
                if cause and cause != "deepsleep":
                    loop.restart(self.chip.born, time.monotonic())
        return status

    def _life(self):
        """One life of the chip: (cause of the next start or None, exit status)."""
        self.watchdog = Watchdog()
        if self.stopping_until is not None:
            self.chip.ask_to_stop()
        while True:
            self._listen()
            status = self.chip.process.poll()
            if status is not None:
                self._hear()  # its last words
                self._hear()  # and the line that it left without an end
                return self._ended(status)
            if self.signals.stops > 1:
                complain(PROGRAM, "asked to stop a second time: power cut")
                return None, 1
            now = time.monotonic()
            if self.signals.stops and self.stopping_until is None:
                self.stopping_until = now + self.limits.stop_s
                self.chip.ask_to_stop()
            if self.stopping_until is not None and now >= self.stopping_until:
                complain(PROGRAM, f"the device did not stop within {self.limits.stop_s:g} s: "
                         "power cut")
                return None, 1
            if self.watchdog.deadline is not None and now >= self.watchdog.deadline:
                return self._bitten()

    def _listen(self):
        """Wait for the chip, a signal or the next deadline, and hear what the chip said."""
        deadlines = [self.watchdog.deadline, self.stopping_until]
        next_deadline = min((d for d in deadlines if d is not None), default=None)
        timeout = None if next_deadline is None else max(0, next_deadline - time.monotonic())
        self.signals.wait(None if self.chip.silent else self.chip.fd, timeout)
        now = time.monotonic()
        if next_deadline is not None and now - next_deadline > OVERSLEPT_S:
            self.watchdog.forgive(now)
        self._hear()

    def _hear(self):
        for line in self.chip.lines():
            feed, sleep = FEED.fullmatch(line), SLEEP.fullmatch(line)
            if feed:
                self.watchdog.feed(int(feed[1]), time.monotonic())
            elif sleep:
                self.sleep_s = int(sleep[1]) / 1000
            else:
                with contextlib.suppress(OSError):  # nobody reads it: not the device's trouble
                    os.write(sys.stdout.fileno(), line + b"\n")

    def _sleep(self):
        """Wait for the time to wake up; False if somebody wants us to stop before."""
        until = time.monotonic() + self.sleep_s
        while not self.signals.stops and time.monotonic() < until:
            self.signals.wait(None, until - time.monotonic())
        return not self.signals.stops

    def _bitten(self):
        period = f"watchdog: not fed for {self.watchdog.period_ms} ms"
        if self.stopping_until is not None:
            complain(PROGRAM, f"{period} while stopping: power cut")
            return None, 1
        complain(PROGRAM, f"{period}: the device is reset")
        return "watchdog", 1

    def _ended(self, status):
        """What the end of the chip with `status` leads to, in the form of `_life`."""
        if status == RESET and self.stopping_until is None:
            return "software", 1
        if status == ASLEEP:
            return "deepsleep", 0
        if status in (ENDED, REFUSED, RESET):
            return None, REFUSED if status == REFUSED else 0
        if status < 0:
            complain(PROGRAM, f"the device was killed by {signal.Signals(-status).name}")
        else:
            complain(PROGRAM, f"the device crashed with status {status}")
        return None, 1
