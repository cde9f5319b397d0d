"""Calls a function of a script of this folder on MicroPython, with the libraries compiled."""

import json
import subprocess

from host_tests.chip import environment, runtime_of
from petrel import runtime


def call(
    script, function, *arguments, words="64-bit", heap="16M", deadline_s=110, aloud=False,
    **options,
):
    """What host_tests.journal.{script}.{function} returns, by way of JSON. `aloud`: its stderr is
    ours.
    """
    image = runtime.build("unix")
    code = (
        f"import json, sys; from host_tests.journal import {script}\n"
        "a, k = json.loads(sys.stdin.read())\n"
        f"print(json.dumps({script}.{function}(*a, **k)))"
    )
    done = subprocess.run(
        [*runtime_of(words), "-X", f"heapsize={heap}", "-c", code], cwd=image,
        env=environment(image), input=json.dumps([arguments, options]), stdout=subprocess.PIPE,
        stderr=None if aloud else subprocess.PIPE, text=True, timeout=deadline_s, check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] if aloud else done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])
