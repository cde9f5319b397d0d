"""`Chip`: functions on MicroPython, called from a test on CPython.

They are in scripts in host_tests/on_device, which end with `server.serve(globals())`; arguments
and results are JSON, bytes travel in hexadecimal. The firmware and the libraries are compiled and
come from an image, as on a board.
"""

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time

import pytest

from petrel import ROOT, runtime

WORDS = pytest.mark.parametrize("words", ["64-bit", "32-bit"])
"""Runs a test on both ports of MicroPython; see `runtime_of`."""


class Raised(Exception):
    """The function raised on the device: `kind` is the exception's name, `text` what it says."""

    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text


def runtime_of(words):
    """The argument list of the port with such words; skips the test where there is none."""
    argv = runtime.find_runtime() if words == "64-bit" else runtime.runtime32()
    if argv is None:
        pytest.skip("set-up found no 32-bit MicroPython for this system")
    return argv


def environment(image, **more):
    """The environment of a chip whose file system is `image`."""
    path = f"{image}:{image}/lib:{ROOT}:.frozen"
    return {**os.environ, "MICROPYPATH": path, **more}


class Chip:
    """A MicroPython process that waits to be asked: chip.call("function", *arguments).

    script: a module of host_tests.on_device. umqtt: version of umqtt.simple, default the newest.
    heap: of the process; 112K is what `petrel run` gives. more: variables of the environment.
    """

    def __init__(self, script, words="64-bit", umqtt=None, heap="1M", **more):
        image = runtime.build("unix", umqtt=umqtt)
        start = ["-X", f"heapsize={heap}", "-c", f"import host_tests.on_device.{script}"]
        self._open = contextlib.ExitStack()
        self._errors = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        self._process = self._open.enter_context(
            subprocess.Popen(
                [*runtime_of(words), *start], cwd=image, env=environment(image, **more), bufsize=0,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            )
        )
        self._rest = b""
        self.busy = False  # it owes an answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._open.close()

    def call(self, name, *arguments, deadline_s=20):
        """What the script's function returns. Raises Raised, or TimeoutError if it hangs."""
        self.ask(name, *arguments)
        return self.answer(deadline_s)

    def ask(self, name, *arguments):
        """Start a function without waiting for it."""
        self.busy = True
        self._process.stdin.write(json.dumps([name, arguments]).encode() + b"\n")

    def answer(self, deadline_s=20):
        """What the function that was asked for last returns; errors as in `call`."""
        answer = self._line(time.monotonic() + deadline_s)
        self.busy = False
        if "raised" in answer:
            raise Raised(*answer["raised"])
        return answer["result"]

    @property
    def pid(self):
        return self._process.pid

    def errors(self):
        """What it has written to stderr so far: the log."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def _line(self, ends):
        while b"\n" not in self._rest:
            left = ends - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise TimeoutError(f"it does not answer; stderr: {self.errors()[-2000:]}")
            data = os.read(self._process.stdout.fileno(), 65536)
            if not data:
                raise RuntimeError(f"the chip ended; stderr: {self.errors()[-2000:]}")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)
