"""The one way out for an error: a single line on stderr and an exit status, never a traceback.

| status | means |
|---|---|
| 0 | done |
| 1 | a failure: something outside the command did not work |
| 2 | bad usage, or a config that the device refuses |
"""

import contextlib
import os
import sys
import traceback


class Failure(Exception):
    """Something did not work; the message is one line that says what, and how to mend it."""

    status = 1


class Misuse(Failure):
    """The command line or the config is wrong."""

    status = 2


def one_line(text):
    """`text` (anything that has a str) with every run of white space made a single blank."""
    return " ".join(str(text).split())


def complain(program, text):
    """Say one line on stderr in the name of `program`; a closed stderr is nobody's fault."""
    with contextlib.suppress(OSError):
        print(f"{program}: {one_line(text)}", file=sys.stderr, flush=True)


def report(program, error):
    """Print `error` as one line and return the exit status that belongs to it.

    An error nobody foresaw is a defect of ours; its traceback is shown to those who ask for it.
    """
    status = getattr(error, "status", 1)
    if isinstance(error, Failure) or getattr(error, "foreseen", False):
        complain(program, error)
    elif isinstance(error, OSError):
        complain(program, explain(error))
    else:
        if os.environ.get("PETREL_TRACEBACK"):
            traceback.print_exception(error)
        kind = type(error).__name__
        complain(program, f"internal error, {kind}: {error}; PETREL_TRACEBACK=1 shows where")
    return status


def explain(error):
    """The reason of an OSError in words: what the system says, and about which file."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason
