"""gateway.toml: what may stand in it, its defaults, and what is wrong with one.

Every key has a default, so no file at all is a config too. `NAME.secrets.toml` beside `NAME.toml`
is laid over it, so that the config itself can be shown to others.
"""

import dataclasses
import difflib
import tomllib
import typing
from pathlib import Path

from petrel.errors import Misuse, explain
from petrel.gateway.config_kinds import is_loopback, limited, one_of
from petrel.gateway.config_sinks import Amqp, Database, Postgresql, Republish, Webhook
from petrel.listen import check_filter, parse_url

_SINKS = ("webhook", "amqp", "postgresql", "republish")  # of which there may be several


@dataclasses.dataclass
class Spool:
    """limit_mb: messages that a sink lacks take no more; then the oldest are deleted."""

    limit_mb: int = limited(1024, 1, 1 << 20)


@dataclasses.dataclass
class Mqtt:
    """url: mqtt://[user:password@]host[:port] or mqtts://; "" for none. client_id: "" makes one
    and keeps it. session_s: how long the broker keeps what comes while we are away. share: a name
    under which several gateways share the work (MQTT 5). ca, cert, key: PEM files.
    """

    url: str = "mqtt://127.0.0.1:1883"
    topics: list = dataclasses.field(default_factory=lambda: ["devices/#"])
    client_id: str = ""
    username: str = ""
    password: str = ""
    protocol: str = one_of("5", "3.1.1")
    session_s: int = limited(604800, 0, 2**32 - 1)
    receive_maximum: int = limited(1000, 1, 65535)
    share: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""

    @property
    def target(self):
        """The petrel.listen.Target."""
        target = parse_url(self.url)
        if not self.username:
            return target
        return dataclasses.replace(target, username=self.username, password=self.password)

    def check(self):
        for topic in self.topics:
            check_filter(topic)
        if self.share and self.protocol != "5":
            raise Misuse("mqtt.share needs protocol = \"5\"")
        if self.url and (self.ca or self.cert) and not self.target.secure:
            raise Misuse("mqtt.ca and mqtt.cert go with an mqtts:// url")
        if self.url and not self.target.secure and not is_loopback(self.target.host):
            raise Misuse(f"mqtt.url: {self.target.host} is another machine: write mqtts://")


@dataclasses.dataclass
class Http:
    """listen: address:port; "" for none. token: what every request must bring. cert, key: PEM
    files, for TLS. body_kb, connections: limits, of a request's body and a WebSocket's message,
    and of connections at one time.
    """

    listen: str = "127.0.0.1:8080"
    token: str = ""
    cert: str = ""
    key: str = ""
    body_kb: int = limited(256, 1, 65536)
    connections: int = limited(1000, 1, 100000)

    @property
    def address(self):
        """(host, port)."""
        return _address(self.listen)

    def check(self):
        if not self.listen:
            return
        _check_listen("http.listen", self.listen, 8080)
        if bool(self.cert) != bool(self.key):
            raise Misuse("http.cert and http.key go together")
        if not is_loopback(self.address[0]) and not (self.cert and self.token):
            raise Misuse(f"http.listen: {self.address[0]} can be reached from other machines: "
                         "that needs http.cert and http.key for TLS, and an http.token")
        if self.token and len(self.token) < 16:
            raise Misuse("http.token: 16 characters at least, as `openssl rand -hex 16` makes")


@dataclasses.dataclass
class Coap:
    """listen: address:port for CoAP without encryption, on this machine only; "" for none.
    body_kb: the largest message, all its blocks together.
    """

    listen: str = ""
    body_kb: int = limited(64, 1, 65536)

    @property
    def address(self):
        """(host, port)."""
        return _address(self.listen)

    def check(self):
        if not self.listen:
            return
        _check_listen("coap.listen", self.listen, 5683)
        if not is_loopback(self.address[0]):
            raise Misuse(f"coap.listen: {self.address[0]} can be reached from other machines, to "
                         "which CoAP is not served without encryption")


@dataclasses.dataclass
class Page:
    """on: whether there is a fleet page. expected: ids of devices that it shows even before they
    were ever heard.
    """

    on: bool = True
    expected: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Config:
    """data: folder of the spool and the database. Paths are relative to the config's folder."""

    data: str = "gateway-data"
    spool: Spool = dataclasses.field(default_factory=Spool)
    mqtt: Mqtt = dataclasses.field(default_factory=Mqtt)
    http: Http = dataclasses.field(default_factory=Http)
    coap: Coap = dataclasses.field(default_factory=Coap)
    page: Page = dataclasses.field(default_factory=Page)
    database: Database = dataclasses.field(default_factory=Database)
    webhook: list[Webhook] = dataclasses.field(default_factory=list)
    amqp: list[Amqp] = dataclasses.field(default_factory=list)
    postgresql: list[Postgresql] = dataclasses.field(default_factory=list)
    republish: list[Republish] = dataclasses.field(default_factory=list)
    folder: Path = dataclasses.field(default=Path(), metadata={"own": True})

    @property
    def data_folder(self):
        return self.folder / self.data

    def check(self):
        names = [sink.name for kind in _SINKS for sink in getattr(self, kind)]
        if len({*names, "database"}) <= len(names):
            raise Misuse("name: every sink needs a name of its own")
        for out in self.republish if self.mqtt.url else ():
            if out.comes_back(self.mqtt.target.place, self.mqtt.topics):
                raise Misuse("republish: its messages would come in again; to the broker of "
                             "[mqtt] it needs a prefix that mqtt.topics leave out")


def _address(listen):
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _check_listen(name, listen, port):
    host, _, found = listen.rpartition(":")
    if not host or not found.isdecimal() or int(found) > 65535:
        raise Misuse(f"{name}: '{listen}' is no address:port, like 127.0.0.1:{port}")


def load(path=None):
    """The Config of a file, or the defaults; raises Misuse for the first thing that is wrong."""
    if path is None:
        return _built(Config, {}, "")
    path = Path(path)
    given = _merged(_read(path), _read(path.with_suffix(".secrets.toml"), optional=True))
    try:
        config = _built(Config, given, "")
    except Misuse as error:
        raise Misuse(f"{path}: {error}") from error
    config.folder = path.absolute().parent
    parts = (config.mqtt, config.http, *config.amqp, *config.postgresql, *config.republish)
    for part in parts:
        for name in ("ca", "cert", "key"):
            if getattr(part, name, ""):
                setattr(part, name, str(config.folder / getattr(part, name)))
    return config


def _read(path, optional=False):
    if optional and not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise Misuse(explain(error)) from error
    except ValueError as error:  # bad TOML and bad UTF-8 alike
        raise Misuse(f"{path}: {error}") from error


def _merged(base, over):
    both = {key: _merged(base[key], value) for key, value in over.items()
            if isinstance(value, dict) and isinstance(base.get(key), dict)}
    return {**base, **over, **both}


def _built(kind, given, place):
    """An instance of a dataclass from a TOML table; `place` is where it stands, with a dot."""
    if not isinstance(given, dict):
        raise Misuse(f"{place.rstrip('.')}: a table is wanted")
    fields = {f.name: f for f in dataclasses.fields(kind) if not f.metadata.get("own")}
    types = typing.get_type_hints(kind)
    for key in given.keys() - fields.keys():
        close = difflib.get_close_matches(key, fields, 1)
        hint = f"; did you mean {close[0]}?" if close else f"; there is {', '.join(fields)}"
        raise Misuse(f"{place}{key} is no key{hint}")
    made = kind(**{
        key: _value(fields[key], types[key], value, place + key) for key, value in given.items()
    })
    if hasattr(made, "check"):
        made.check()
    return made


def _value(field, kind, value, place):
    if dataclasses.is_dataclass(kind):
        return _built(kind, value, place + ".")
    if typing.get_origin(kind) is list:
        items = value if isinstance(value, list) else [value]
        (item,) = typing.get_args(kind)
        return [_built(item, each, f"{place}[{at}].") for at, each in enumerate(items)]
    if type(value) is not kind:
        names = {str: "text", int: "a whole number", list: "a list", bool: "true or false",
                 dict: "a table"}
        raise Misuse(f"{place}: {value!r} is not {names[kind]}")
    if kind in (list, dict) and not all(
        isinstance(text, str) for text in (value.values() if kind is dict else value)
    ):
        raise Misuse(f"{place}: only text may stand in it")
    if "range" in field.metadata:
        least, most = field.metadata["range"]
        if not least <= value <= most:
            raise Misuse(f"{place}: {value} is not from {least} to {most}")
    if "choices" in field.metadata and value not in field.metadata["choices"]:
        choices = ", ".join(field.metadata["choices"])
        raise Misuse(f"{place}: '{value}' is not one of {choices}")
    return value
