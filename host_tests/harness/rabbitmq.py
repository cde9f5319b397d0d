"""RabbitMQ as a child of the tests, on free ports with a data folder of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from petrel.broker import HOST, free_port
from petrel.children import tied_to_parent
from petrel.setup.services import find_rabbitmq

_START_S = 60  # 4 s on an idle machine
_READY = "Server startup complete"
_COOKIE = "PETREL"  # of nodes that may talk to each other


class RabbitMq:
    """Started at once. mqtt: with its MQTT plugin on `mqtt_port`. node: its name, another for each
    of a cluster; epmd_port: of the cluster. config: lines of rabbitmq.conf.
    """

    def __init__(self, mqtt=False, node="petrel", epmd_port=None, config=""):
        self.folder = Path(tempfile.mkdtemp(prefix="petrel-rabbitmq-"))
        self.node = f"{node}{free_port()}@localhost"
        self.port, self.mqtt_port = free_port(), free_port()
        self.epmd_port = epmd_port or free_port()
        self._own_epmd = epmd_port is None
        self.url = f"amqp://guest:guest@{HOST}:{self.port}/"
        self.log = self.folder / "rabbitmq.log"
        self._write(mqtt, config)
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

    def _write(self, mqtt, config):
        (self.folder / ".erlang.cookie").write_text(_COOKIE)
        (self.folder / ".erlang.cookie").chmod(0o600)
        (self.folder / "plugins").write_text("[rabbitmq_mqtt].\n" if mqtt else "[].\n")
        mqtt_lines = f"""
            mqtt.listeners.tcp.default = {HOST}:{self.mqtt_port}
            mqtt.vhost = /
            mqtt.exchange = amq.topic""" if mqtt else ""
        (self.folder / "rabbitmq.conf").write_text(f"""
            listeners.tcp.default = {HOST}:{self.port}
            log.console = true
            log.console.level = info
            disk_free_limit.absolute = 1MB
            {mqtt_lines}
            {config}
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
        main_thread = threading.current_thread() is threading.main_thread()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(find_rabbitmq())], env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
                preexec_fn=tied_to_parent() if main_thread else None,
            )
        ends = time.monotonic() + _START_S
        while _READY not in self.log.read_text(errors="replace")[heard:]:
            if self._process.poll() is not None or time.monotonic() > ends:
                self.kill()
                raise TimeoutError(f"RabbitMQ did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def ctl(self, *words, timeout=60):
        """Run rabbitmqctl on this node; returns what it says."""
        program = Path(find_rabbitmq()).with_name("rabbitmqctl")
        done = subprocess.run([program, "-q", "-n", self.node, *words], env=self.env, text=True,
                              capture_output=True, timeout=timeout)
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def kill(self):
        """SIGKILL, to it and all it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def stop(self):
        """A polite end."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        finally:
            self.kill()

    def pause(self):
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self):
        os.killpg(self._process.pid, signal.SIGCONT)

    def close(self):
        if self._process:
            self.kill()
        if self._own_epmd and shutil.which("epmd"):
            subprocess.run(["epmd", "-port", str(self.epmd_port), "-kill"], capture_output=True,
                           env=self.env, timeout=10)
        shutil.rmtree(self.folder, ignore_errors=True)
