"""RabbitMQ as a child of the tests, on free ports with a data folder of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from petrel.broker import HOST, free_port
from petrel.children import tied_to_parent
from petrel.setup.services import find_rabbitmq

_START_S = 60  # 4 s on an idle machine
_READY = "Server startup complete"
_COOKIE = "PETREL"


class RabbitMq:
    """Started at once, without plugins."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="petrel-rabbitmq-"))
        self.node = f"petrel{free_port()}@localhost"
        self.port, self.epmd_port = free_port(), free_port()
        self.url = f"amqp://guest:guest@{HOST}:{self.port}/"
        self.log = self.folder / "rabbitmq.log"
        self._write()
        self._process = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _write(self):
        (self.folder / ".erlang.cookie").write_text(_COOKIE)
        (self.folder / ".erlang.cookie").chmod(0o600)
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").write_text(f"""
            listeners.tcp.default = {HOST}:{self.port}
            log.console = true
            log.console.level = info
            disk_free_limit.absolute = 1MB
        """)

    @property
    def env(self):
        return {
            **os.environ, "HOME": str(self.folder), "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_PORT": str(self.port), "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"), "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "ERL_EPMD_PORT": str(self.epmd_port), "ERL_EPMD_ADDRESS": HOST,
            # Two schedulers do not spin while others want the processor.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def start(self):
        """Again with the same data; returns when clients can connect."""
        self._dist_port = free_port()
        self.log.touch()
        heard = self.log.stat().st_size
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(find_rabbitmq())], env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
                preexec_fn=tied_to_parent(),
            )
        ends = time.monotonic() + _START_S
        while _READY not in self.log.read_text(errors="replace")[heard:]:
            if self._process.poll() is not None or time.monotonic() > ends:
                self.kill()
                raise TimeoutError(f"RabbitMQ did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def kill(self):
        """SIGKILL, to it and all it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def close(self):
        if self._process:
            self.kill()
        if shutil.which("epmd"):
            subprocess.run(["epmd", "-port", str(self.epmd_port), "-kill"], capture_output=True,
                           env=self.env, timeout=10)
        shutil.rmtree(self.folder, ignore_errors=True)
