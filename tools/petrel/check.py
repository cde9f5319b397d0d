"""`petrel check`: the device's own validator, run on the Unix port.

One set of rules and one wording: what is refused here is refused by the device in the same words.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from petrel import runtime
from petrel.errors import Failure, Misuse, one_line

LIMIT_S = 30
GOOD, BAD = 0, 2  # exit statuses of firmware.config_check


def run_check(file):
    """Print the problems of the config `file`, or that there is none; returns the exit status."""
    path = Path(file).absolute()
    if not path.is_file():
        raise Misuse(f"{file}: no such file")
    refused = verdict(path)
    # MicroPython reads over much that is no JSON. What it reads then is rarely what was meant.
    warning = "" if refused else " (the device reads over it, other programs will not)"
    for line in [*refused, *(place + warning for place in places(path))]:
        print(line, file=sys.stderr)
    if refused:
        return BAD
    print(f"{file}: ok")
    return GOOD


def verdict(path):
    """What the device says about the config at `path`: a line a problem, none for a good one."""
    image = runtime.build("unix")
    command = [*runtime.find_runtime(), "-c", "import firmware.config_check"]
    env = {
        **os.environ, "PETREL_CONFIG": str(path), "MICROPYPATH": ":lib:.frozen",
    }
    try:
        done = subprocess.run(
            command, cwd=image, env=env, stdin=subprocess.DEVNULL, capture_output=True,
            encoding="utf-8", errors="replace", timeout=LIMIT_S, check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failure(f"the validator did not end within {LIMIT_S} s") from error
    except OSError as error:
        raise Failure(f"cannot start the runtime '{command[0]}': {error.strerror}") from error
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode == GOOD and not lines:
        return []
    if done.returncode != BAD or not lines:
        last_words = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise Failure(
            f"the validator ended with status {done.returncode}: {one_line(last_words[0])}"
        )
    return lines


def places(path):
    """Where the config, or the secrets beside it, stop being JSON: a line a file."""
    found = []
    for file in (path, path.with_name("secrets.json")):
        try:
            json.loads(file.read_text("utf-8"))
        except json.JSONDecodeError as error:
            found.append(f"{file.name}: line {error.lineno}, column {error.colno}: {error.msg}")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            found.append(f"{file.name}: line {line}: a byte that is not UTF-8")
        except (OSError, RecursionError):
            pass  # a missing or unreadable file has no place, and the device has named it
    return found
