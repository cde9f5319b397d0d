"""PostgreSQL as a child of the tests, on a free port with a data folder of its own."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from host_tests.harness.device import children, until_gone
from petrel.broker import HOST, free_port
from petrel.children import tied_to_parent
from petrel.setup.services import find_postgresql

_START_S = 30
_READY = "database system is ready to accept connections"
_SETTINGS = {  # fsync stays on: a kill of the processes alone would not need it, but a test might
    "listen_addresses": HOST, "unix_socket_directories": "", "max_connections": "30",
    "shared_buffers": "16MB", "autovacuum_naptime": "60", "logging_collector": "off",
    "timezone": "UTC", "log_timezone": "UTC",
}


class PostgreSql:
    """Started at once. It refuses to be root: then it is the user that its package has made."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="petrel-postgresql-"))
        self.port = free_port()
        self.url = f"postgresql://petrel@{HOST}:{self.port}/postgres"
        self.log = self.folder / "postgresql.log"
        self._user = {}
        self._process = None
        try:
            self._make()
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _make(self):
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            self._user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        subprocess.run(
            [Path(str(find_postgresql())).with_name("initdb"), "-D", self.folder / "data", "-A",
             "trust", "-U", "petrel", "-E", "UTF8", "--locale", "C", "--no-sync"],
            check=True, capture_output=True, cwd=self.folder, timeout=60, **self._user,
        )

    def start(self):
        """Again with the same data; returns when clients can connect."""
        self.log.touch()
        heard = self.log.stat().st_size
        command = [str(find_postgresql()), "-D", self.folder / "data", "-p", str(self.port)]
        for name, value in _SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=tied_to_parent(), **self._user,
            )
        ends = time.monotonic() + _START_S
        while _READY not in self.log.read_text(errors="replace")[heard:]:
            if self._process.poll() is not None or time.monotonic() > ends:
                self.kill()
                raise TimeoutError(f"PostgreSQL did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def kill(self):
        """SIGKILL, to it and all it started."""
        pids = [self._process.pid, *children(self._process.pid)]  # each has a session of its own
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(10)
        for pid in pids:
            until_gone(pid)

    def pause(self):
        for pid in (self._process.pid, *children(self._process.pid)):
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in (*children(self._process.pid), self._process.pid):
            os.kill(pid, signal.SIGCONT)

    def close(self):
        if self._process:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
