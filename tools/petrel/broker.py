"""Brokers to run as own children: Mosquitto, and amqtt where there is no Mosquitto.

Always on a free loopback port with a data folder of their own, never the machine's service.

    with Mosquitto() as broker:
        connect(broker.host, broker.port)
        broker.kill()       # a crash
        broker.start()      # the same port, the same data
"""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from petrel.children import tied_to_parent

HOST = "127.0.0.1"
_DEADLINE_S = 5
_POLL_S = 0.01
_PREFIXES = ("/usr", "/opt/homebrew", "/usr/local")
# Below those that systems give to outgoing connections: while a broker is down, a client trying
# again and again would otherwise one day be given its port and, worse, reach itself on it.
PORTS = range(20000, 32768)


class BrokerError(Exception):
    """One line: what went wrong with a broker, and how to mend it."""

    foreseen = True  # `petrel` prints it as it is.


@dataclass(frozen=True)
class TlsFiles:
    """Paths of PEM files for a TLS listener."""

    ca: Path
    cert: Path
    key: Path
    require_client_cert: bool = False


def find_mosquitto():
    """The path of the program `mosquitto`, or None.

    Many users' PATH lacks the sbin folders where the packages of Debian and Homebrew put it.
    """
    return _find("mosquitto")


def _find(program):
    folders = [f"{p}/{sub}" for p in _PREFIXES for sub in ("sbin", "bin", "opt/mosquitto/sbin")]
    found = shutil.which(program) or shutil.which(program, path=os.pathsep.join(folders))
    return Path(found) if found else None


def free_port():
    """A loopback port, one of PORTS, that nobody uses now."""
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise BrokerError(f"no free port on {HOST} from {PORTS.start} to {PORTS.stop - 1}")


class _Broker:
    """A broker's child process; what Mosquitto and amqtt have in common."""

    name = "broker"
    host = HOST
    stop_signal = signal.SIGTERM
    ready = failed = "\0"
    """What it writes into its log once clients can connect, or once they never will. Asking the
    log leaves no half-made connection in it, and no other process that took the port can answer
    in the broker's place."""

    def __init__(self, folder=None, *, port=None):
        self._temporary = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="petrel-broker-")
            folder = self._temporary.name
        self.folder = Path(folder).absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / f"{self.name}.log"
        self._any_port = port is None
        self._child = None
        self.port = port or 0
        self._choose_ports()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    @property
    def pid(self):
        """The child's process id, None while it does not run."""
        return self._child.pid if self.running else None

    @property
    def running(self):
        """True from start() until it ends, for whatever reason; a paused broker runs."""
        return self._child is not None and self._child.poll() is None

    def start(self):
        """Starts it, again on the same port and folder; returns once it accepts connections.

        Raises BrokerError with the broker's own reason, or after 5 s.
        """
        if self.running:
            return self
        reason = ""
        for _ in range(3):  # A port that was free may be taken by now, while none is ours yet.
            reason = self._try_to_start()
            if reason is None:
                self._any_port = False
                return self
            if not (self._any_port and "in use" in reason):
                break
            self._choose_ports()
        raise BrokerError(f"{self.name} did not start: {reason}")

    def stop(self):
        """Asks it to end and waits; a broker that does not end in 5 s is killed, BrokerError."""
        if not self.running:
            return
        self.resume()  # A stopped process does not hear anything else.
        self._child.send_signal(self.stop_signal)
        try:
            self._child.wait(_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BrokerError(
                f"{self.name} did not end in {_DEADLINE_S} s, so it was killed"
            ) from None

    def kill(self):
        """A crash: ends it at once, without a word to anybody."""
        if self.running:
            self._child.kill()
            self._child.wait(_DEADLINE_S)

    def pause(self):
        """Freezes it: connections stay open and are accepted, but nothing is answered."""
        if self.running:
            self._child.send_signal(signal.SIGSTOP)

    def resume(self):
        """Lets a paused broker go on."""
        if self.running:
            self._child.send_signal(signal.SIGCONT)

    def close(self):
        """Stops it, and removes its folder if that was a temporary one."""
        with contextlib.suppress(BrokerError):
            self.stop()
        if self._temporary:
            self._temporary.cleanup()

    def _try_to_start(self):
        """None if it accepts connections now, else the reason why not, in words."""
        command = self._configure()
        self.log.touch()
        heard = self.log.stat().st_size
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C ends the demo, which then ends the broker.
                preexec_fn=tied_to_parent(),
            )
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline:
            said = self._said(heard)
            if self.ready in said:
                return None
            if self.failed in said or not self.running:
                self.kill()
                return self._last_words(heard)
            time.sleep(_POLL_S)
        self.kill()
        return f"no answer in {_DEADLINE_S} s, see {self.log}"

    def _said(self, heard):
        return self.log.read_bytes()[heard:].decode(errors="replace")

    def _last_words(self, heard):
        """The error lines of its log, without their times; else its exit status."""
        errors = re.findall(r"^(?:\d\S*: )?((?:OS)?Error.*)", self._said(heard), re.MULTILINE)
        return "; ".join(errors) or f"it ended with status {self._child.returncode}"

    def _choose_ports(self):
        if self._any_port:
            self.port = free_port()

    def _configure(self):
        """Writes the configuration; returns the command line."""
        raise NotImplementedError


class Mosquitto(_Broker):
    """The real broker.

    tls: TlsFiles, an additional listener on `tls_port`. psk: {identity: hexkey}, an additional
    one on `psk_port`, where the identity is the user's name. websocket: WebSocket on `ws_port`,
    and with `tls` on `wss_port`. users: {name: password}, then nobody else may connect. extra:
    lines of mosquitto.conf.
    """

    name = "mosquitto"
    ready = " running\n"

    def __init__(
        self, folder=None, *, port=None, tls=None, users=None, psk=None, websocket=False, extra=""
    ):
        self._tls, self._users, self._psk = tls, users, psk
        self._websocket, self._extra = websocket, extra
        super().__init__(folder, port=port)

    def _choose_ports(self):
        super()._choose_ports()
        self.tls_port = free_port() if self._tls else None
        self.psk_port = free_port() if self._psk else None
        self.ws_port = free_port() if self._websocket else None
        self.wss_port = free_port() if self._websocket and self._tls else None

    def _configure(self):
        program = find_mosquitto()
        if program is None:
            raise BrokerError(f"Mosquitto is not installed; type: {how_to_install()}")
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join([*self._general(), self._extra, *self._listeners(), ""]))
        return [str(program), "-c", str(config)]

    def _general(self):
        yield "log_dest stderr"
        yield "log_timestamp_format %Y-%m-%dT%H:%M:%S"
        yield "persistence true"
        yield f"persistence_location {self.folder}/"
        yield "max_queued_messages 0"
        if os.geteuid() == 0:
            yield "user root"  # Else it drops its rights and cannot read files in our folders.
        yield f"allow_anonymous {'false' if self._users else 'true'}"
        if self._users:
            yield f"password_file {self._write_users()}"
        if self._psk:
            keys = "".join(f"{identity}:{key}\n" for identity, key in self._psk.items())
            yield f"psk_file {_write_secret(self.folder / 'psk', keys)}"

    def _listeners(self):
        """The plain one comes last: when it is open, all are."""
        for port in filter(None, (self.tls_port, self.wss_port)):
            yield f"listener {port} {HOST}"
            yield f"cafile {self._tls.ca}"
            yield f"certfile {self._tls.cert}"
            yield f"keyfile {self._tls.key}"
            yield f"require_certificate {str(self._tls.require_client_cert).lower()}"
            yield f"protocol {'websockets' if port == self.wss_port else 'mqtt'}"
        if self._websocket:
            yield f"listener {self.ws_port} {HOST}"
            yield "protocol websockets"
        if self._psk:
            yield f"listener {self.psk_port} {HOST}"
            yield "psk_hint petrel"
            yield "use_identity_as_username true"
        yield f"listener {self.port} {HOST}"

    def _write_users(self):
        path = _write_secret(self.folder / "users", "")
        program = _find("mosquitto_passwd")
        if program is None:
            raise BrokerError(f"mosquitto_passwd is not installed; type: {how_to_install()}")
        for name, password in self._users.items():
            command = [str(program), "-b", str(path), name, password]
            done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S)
            if done.returncode != 0:
                raise BrokerError(f"mosquitto_passwd refused {name!r}: {done.stderr.strip()}")
        return path


def _write_secret(path, text):
    path.touch(mode=0o600)
    path.write_text(text)
    return path


class Amqtt(_Broker):
    """The pure-Python broker: slower, nothing survives its end, one plain listener.

    users, psk and tls are Mosquitto's alone.
    """

    name = "amqtt"
    stop_signal = signal.SIGINT  # What its command ends politely on.
    ready = " bind to "
    failed = "Broker startup failed"

    def __init__(self, folder=None, *, port=None, tls=None, users=None, psk=None, extra=""):
        if tls or users or psk or extra:
            raise BrokerError(
                "the fallback broker amqtt is used without users and encryption; "
                f"type: {how_to_install()}"
            )
        super().__init__(folder, port=port)

    def _configure(self):
        config = self.folder / "amqtt.yaml"
        plugin = "amqtt.plugins.authentication.AnonymousAuthPlugin"
        config.write_text(
            json.dumps(
                {  # JSON is YAML.
                    "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{self.port}"}},
                    "plugins": {plugin: {"allow_anonymous": True}},
                }
            )
        )
        return [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(config)]


def how_to_install():
    """The one command that brings Mosquitto to this system."""
    if sys.platform == "darwin":
        return "brew install mosquitto"
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get update && {sudo}apt-get install -y mosquitto"
