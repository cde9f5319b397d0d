"""`petrel listen`: readings as they arrive, for people or, as JSON, for programs.

With a ledger each reading is shown once, and what came while nobody listened is kept by the
broker: the session is a persistent one, and a message is acknowledged only when it is on disk.
"""

import contextlib
import dataclasses
import json
import os
import signal
import ssl
import sys
import time
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from rich.console import Console
from rich.text import Text

from petrel.errors import Failure, Misuse, complain
from petrel.ledger_file import LedgerFile
from petrel.profiles import Decoder, Waiting
from petrel.readings import Undecodable, device_of

PROGRAM = "petrel listen"
DEFAULT_FILTER = "devices/+/data"
WITH_LEDGER = ("status", "health")  # the topics, and the methods of a Ledger
PROFILE = "profile"
PORTS = {"mqtt": 1883, "mqtts": 8883}
CONNECT_S = 10
KEEPALIVE_S = 30
RECONNECT_S = (1, 30)  # first and longest pause
ENDING = {signal.SIGINT, signal.SIGTERM}


@dataclasses.dataclass(frozen=True)
class Target:
    """Where to listen, and for what."""

    host: str
    port: int
    secure: bool = False
    username: str | None = None
    password: str | None = None
    topics: str = DEFAULT_FILTER

    @property
    def place(self):
        return f"{self.host}:{self.port}"


def parse_url(url):
    """The Target of `mqtt://[user:password@]host[:port][/topic-filter]`, or of `mqtts://`."""
    scheme, sep, rest = url.partition("://")
    if not sep or scheme not in PORTS:
        raise Misuse(f"'{url}' is no address; write it like mqtt://host:1883/devices/+/data")
    authority, _, topics = rest.partition("/")  # `#` and `?` are parts of a filter, not of a URL
    try:
        parts = urlsplit(f"//{authority}")
        port = PORTS[scheme] if parts.port is None else parts.port
    except ValueError as error:
        raise Misuse(f"'{url}': {error}") from error
    if not parts.hostname or port == 0:
        raise Misuse(f"'{url}' names no host and port; write it like mqtt://host:1883")
    username = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    topics = unquote(topics) or DEFAULT_FILTER
    check_filter(topics)
    return Target(parts.hostname, port, scheme == "mqtts", username, password, topics)


def check_filter(topics):
    """MQTT 3.1.1, 4.7.1: a wildcard fills its level, and `#` is the last one."""
    levels = topics.split("/")
    for place, level in enumerate(levels, 1):
        if "#" in level and (level != "#" or place != len(levels)):
            raise Misuse(f"topic filter '{topics}': '#' is allowed only as the whole last level")
        if "+" in level and level != "+":
            raise Misuse(f"topic filter '{topics}': '+' is allowed only as a whole level")


class Lines(Console):
    """A console that leaves a closed pipe to its user."""

    def on_broken_pipe(self):
        raise BrokenPipeError


class People:
    """Prints a line a reading: device, time, number, values."""

    def __init__(self):
        self.console = Lines(highlight=False, soft_wrap=True)

    def show(self, reading):
        line = Text()
        line.append(f"{reading.device:<16} ", "bold cyan")
        line.append(f"{moment(reading.ts)} ", "dim")
        line.append(f"#{reading.seq:<6} ", "dim")
        for key, value in reading.values.items():
            line.append(f" {key}=", "dim")
            line.append(f"{value}", "bold")
        self.console.print(line)


class Programs:
    """Prints one JSON object a line, each at once."""

    def show(self, reading):
        line = {"device": reading.device, "seq": reading.seq, "ts": reading.ts,
                "values": reading.values}
        print(json.dumps(line, ensure_ascii=False, separators=(",", ":")), flush=True)


def moment(ts):
    """Unix seconds as local date and time; 'clock not set' in the same width."""
    if ts is None:
        return "clock not set      "
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ts))
    except (OverflowError, ValueError, OSError):
        return f"{ts:<19}"


class Listener:
    """A subscription that survives the broker's absence, once it has been there.

    kept: a LedgerFile, or None; the frame profiles are kept beside it.
    """

    def __init__(self, target, view, ca=None, kept=None):
        self.target = target
        self.view = view
        self.kept = kept
        self.failure = None  # what the first connection failed with
        self.connected_once = False
        self.undecodable = 0
        self.decoder = Decoder(f"{kept.path}.profiles" if kept else None)
        session = {"client_id": kept.client, "clean_session": False} if kept else {}
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, **session)
        self.client.connect_timeout = CONNECT_S
        self.client.reconnect_delay_set(*RECONNECT_S)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message
        introduce(self.client, target, trust(ca) if target.secure else None)

    def run(self):
        """Listen until interrupted; raises Failure when the first connection does not work."""
        deadline = time.monotonic() + CONNECT_S
        try:
            self.client.connect(self.target.host, self.target.port, KEEPALIVE_S)
        except OSError as error:
            raise Failure(f"{self.target.place}: {reason(error)}") from error
        while not self.connected_once:
            self.client.loop(timeout=0.5)
            if self.failure:
                raise self.failure
            if time.monotonic() > deadline:
                raise Failure(f"{self.target.place} speaks no MQTT: no answer in {CONNECT_S} s")
        self.client.loop_forever()

    def _fail(self, text):
        """End if nothing has worked yet, else say it and go on trying."""
        if self.connected_once:
            complain(PROGRAM, text)
        else:
            self.failure = self.failure or Failure(text)

    def _on_connect(self, client, userdata, flags, code, properties):
        if code.is_failure:
            hint = "; user and password go into the address, mqtt://user:password@host"
            refused = f"{self.target.place} refuses the connection: {code}".lower()
            self._fail(refused + (hint if "auth" in refused or "password" in refused else ""))
            return
        if self.connected_once:
            complain(PROGRAM, f"{self.target.place}: connected again")
        client.subscribe([(topics, 1) for topics in self._topics()])

    def _on_subscribe(self, client, userdata, mid, codes, properties):
        topics = zip(self._topics(), codes, strict=True)
        refused = [topic for topic, code in topics if code.is_failure]
        if not refused:
            self.connected_once = True
        elif self.target.topics not in refused and refused[0].endswith("/" + PROFILE):
            self.connected_once = True
            complain(PROGRAM, f"{self.target.place} refuses the subscription to {refused[0]}: "
                     "frames that need a profile can't be read")
        else:
            self._fail(f"{self.target.place} refuses the subscription to {refused[0]}")

    def _on_disconnect(self, client, userdata, flags, code, properties):
        if not code.is_failure:
            return
        if self.connected_once:
            complain(PROGRAM, f"{self.target.place}: connection lost; trying again")
        else:
            self._fail(f"{self.target.place} closed the connection without an answer; "
                       "perhaps it wants mqtts:// on this port")

    def _topics(self):
        """What to subscribe to: readings, what frames leave to a profile, and for a ledger what
        the devices say of themselves.
        """
        yield self.target.topics
        if self.target.topics.endswith("/data"):
            for kind in (*WITH_LEDGER, PROFILE) if self.kept else (PROFILE,):
                yield self.target.topics.removesuffix("data") + kind

    def _on_message(self, client, userdata, message):
        kind = message.topic.rpartition("/")[2]
        if self.kept and kind in WITH_LEDGER:
            with contextlib.suppress(ValueError, RecursionError):
                self._hear(kind, device_of(message.topic), json.loads(message.payload))
            return
        dropped = self.decoder.dropped
        read = self.decoder.learn if kind == PROFILE else self.decoder.decode
        try:
            self._take(read(message.topic, message.payload))
            if kind == PROFILE:
                self.decoder.keep()
        except Waiting as waiting:
            if waiting.first:
                complain(PROGRAM, f"{message.topic}: {waiting}")
        except Undecodable as error:
            self.undecodable += 1
            complain(PROGRAM, f"{message.topic}: {error} ({self.undecodable} undecodable so far)")
        if self.decoder.dropped > dropped:
            complain(PROGRAM, f"{message.topic}: {self.decoder.dropped} frames could not wait "
                     "longer for their profile and are lost to us")

    def _hear(self, kind, device, said):
        """Enter what a device says of itself into the ledger."""
        with undisturbed():
            getattr(self.kept.ledger, kind)(device, said)
            self.kept.log([(kind, device, said)])

    def _take(self, readings):
        """Show readings, with a ledger only those that are new."""
        if self.kept is None:
            for reading in readings:
                self.view.show(reading)
            return
        with undisturbed():
            entries = [(reading.device, reading.stream, reading.seq) for reading in readings]
            for reading, entry in zip(readings, entries, strict=True):
                if self.kept.ledger.add(*entry):
                    self.view.show(reading)
            self.kept.log([("add", *entry) for entry in entries])


@contextlib.contextmanager
def undisturbed():
    """Signals that end us wait for the end of this."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def introduce(client, target, tls):
    """Tell paho's client who we are at `target`, and the SSLContext if it is not None."""
    if target.username is not None:
        client.username_pw_set(target.username, target.password)
    if tls:
        client.tls_set_context(tls)


def trust(ca, cert="", key=""):
    """A verifying TLS context: the system's authorities, or those of the PEM file `ca` alone. With
    `cert` and its `key`, which may be in the same file, it proves who we are.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except FileNotFoundError as error:
        raise Misuse(f"--ca: {ca}: no such file") from error
    except (OSError, ssl.SSLError) as error:
        raise Misuse(f"--ca: {ca}: not a PEM file with certificates") from error
    if cert:
        context.load_cert_chain(cert, key or None)
    return context


def reason(error):
    """The words for an error of connecting, DNS and TLS included."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS does not come about: {error.reason or error}"
    if isinstance(error, ConnectionResetError):  # while TLS was greeting it
        return "connection reset; perhaps it wants mqtt:// on this port"
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_S} s"
    return (error.strerror or str(error)).lower()


def run_listener(url, as_json=False, ca=None, ledger=None):
    """Print readings until Ctrl-C or SIGTERM, or until nobody reads them any more.

    ledger: path of a ledger's file; it is printed at the end, on stderr if `as_json`.
    """
    target = parse_url(url)
    if ca and not target.secure:
        raise Misuse("--ca goes with an mqtts:// address")
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(LedgerFile(ledger)) if ledger else None
        listener = Listener(target, Programs() if as_json else People(), ca, kept)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            listener.run()
        except KeyboardInterrupt:
            listener.client.disconnect()
            if kept:
                print(*kept.ledger.lines(), sep="\n", file=sys.stderr if as_json else sys.stdout)
        except BrokenPipeError:
            # What is left in the buffer must not be written at exit: there is no reader.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
