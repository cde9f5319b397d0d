"""A ledger on disk, which neither a SIGKILL nor a second listener can spoil.

The first line of the file is the ledger as it was; each line behind it is one thing that was
entered since, so that keeping a message costs one short write. A line that was cut off is not
counted: whoever waits for `log` to return before it acknowledges the message gets that message
again. When the lines behind the first have outgrown it, a new file takes the old one's place.
"""

import contextlib
import fcntl
import json
import os
import random
from pathlib import Path

from petrel.errors import Failure, explain
from petrel.ledger import Ledger

_KIND = "petrel ledger 1"
_ENTRIES = ("add", "status", "health")  # methods of Ledger
_LEAST_LOG = 1 << 18  # bytes of entries before the file is written anew


class LedgerFile:
    """The `ledger` in a file, which is made if there is none. Enter into the ledger, then `log`.

    client: a name for whoever listens, kept with the ledger.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.ledger = Ledger()
        self.client = f"petrel-ledger-{random.SystemRandom().getrandbits(48):012x}"
        self._file = None
        self._most = 0  # bytes of the file before it is written anew
        try:
            self._file = _locked(self.path)
            content = self._file.read()
            if content:
                self.client, self.ledger = _parsed(content, self.path)
            self._write_anew()
        except OSError as error:
            self.close()
            raise Failure(f"--ledger: {explain(error)}") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._file:
            self._file.close()
            self._file = None

    def log(self, entries):
        """Keep [(method of Ledger, arguments...), ...] that were entered just now."""
        self._file.write(b"".join(_line(entry) for entry in entries))
        self._file.flush()  # what the system has, a killed process cannot lose
        if self._file.tell() > self._most:
            self._write_anew()

    def _write_anew(self):
        """Replace the file by one that begins with the ledger as it is."""
        temporary = self.path.with_name(self.path.name + ".new")
        file = temporary.open("wb+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(_line({"kind": _KIND, "client": self.client, **self.ledger.dump()}))
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(self.path)
        except BaseException:
            file.close()
            raise
        self._file.close()
        self._file = file
        self._most = 2 * file.tell() + _LEAST_LOG


def read(path):
    """The Ledger in a file, which somebody may be writing to."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise Failure(explain(error)) from error
    return _parsed(content, path)[1] if content else Ledger()  # just being made


def _parsed(content, path):
    """(client, Ledger) of a file's bytes."""
    head, *lines = content.split(b"\n")
    try:
        head = json.loads(head)
        if head["kind"] != _KIND:
            raise ValueError("another kind of file")
        ledger = Ledger.load(head)
        for line in lines[:-1]:  # behind the last end of a line is what was cut off
            name, *arguments = json.loads(line)
            getattr(ledger, _ENTRIES[_ENTRIES.index(name)])(*arguments)
        return head["client"], ledger
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Failure(f"{path} is no ledger, or a damaged one; name another file") from error


def _locked(path):
    """The file, opened and held as ours; made if there is none."""
    while True:
        file = path.open("ab+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise Failure(f"--ledger: {path} is in use by another listener") from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                file.seek(0)
                return file
        file.close()  # it was replaced just now


def _line(value):
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
