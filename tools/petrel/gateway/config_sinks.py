"""The parts of gateway.toml that name systems to give messages to."""

import dataclasses
from urllib.parse import urlsplit

from petrel.errors import Misuse
from petrel.gateway.config_kinds import address_of, check_address, is_loopback, limited, one_of
from petrel.listen import check_filter, parse_url


@dataclasses.dataclass
class Database:
    """path: of an SQLite file; "" for none. keep_days: readings and messages that are older are
    deleted; keep_hourly_days: so are hours of the hourly table. 0 keeps them for ever.
    """

    path: str = "readings.db"
    topics: list = dataclasses.field(default_factory=lambda: ["#"])
    keep_days: int = limited(0, 0, 36500)
    keep_hourly_days: int = limited(0, 0, 36500)

    def check(self):
        check_filters(self.topics)


@dataclasses.dataclass
class Postgresql:
    """url: postgresql://user:password@host[:port]/database. keep_days: months of which all is
    older are dropped; keep_hourly_days as for Database. timeout_s: of a batch. ca: a PEM file of
    the authority to trust; "" for the system's.
    """

    url: str = ""
    name: str = ""
    topics: list = dataclasses.field(default_factory=lambda: ["#"])
    keep_days: int = limited(0, 0, 36500)
    keep_hourly_days: int = limited(0, 0, 36500)
    timeout_s: int = limited(30, 1, 600)
    retry_max_s: int = limited(60, 1, 86400)
    ca: str = ""

    def check(self):
        check_filters(self.topics)
        parts = address_of("postgresql.url", self.url, ("postgresql", "postgres"),
                           "no postgresql://user:password@host/database address")
        self.name = self.name or f"postgresql {parts.hostname}{parts.path}"

    @property
    def secure(self):
        """Whether the server is another machine, which is reached by TLS only."""
        return bool(self.ca) or not is_loopback(urlsplit(self.url).hostname)


@dataclasses.dataclass
class Amqp:
    """url: amqp://user:password@host[:port]/[vhost], or amqps://. exchange: the topic exchange.
    queue: one that is bound to it with `bindings`; "" for none. quantities: {unit or channel:
    name} over the ones that are known. timeout_s: of a batch.
    """

    url: str = ""
    name: str = ""
    exchange: str = "iot"
    queue: str = "sensor-data"
    queue_type: str = one_of("classic", "quorum")
    bindings: list = dataclasses.field(default_factory=lambda: ["sensors.#"])
    quantities: dict = dataclasses.field(default_factory=dict)
    batch: int = limited(100, 1, 1000)
    timeout_s: int = limited(30, 1, 600)
    retry_max_s: int = limited(60, 1, 86400)
    topics: list = dataclasses.field(default_factory=lambda: ["#"])
    ca: str = ""

    def check(self):
        check_filters(self.topics)
        host = check_address("amqp.url", self.url, "amqp", "amqps")
        self.name = self.name or f"amqp {host}"
        if not self.exchange:
            raise Misuse("amqp.exchange: it needs a name, such as iot")

    @property
    def secure(self):
        return urlsplit(self.url).scheme == "amqps"


@dataclasses.dataclass
class Republish:
    """url: mqtt://[user:password@]host[:port] of another broker, or mqtts://. prefix: comes before
    each topic. client_id: "" for one of its own. ca, cert, key: PEM files.
    """

    url: str = ""
    name: str = ""
    prefix: str = ""
    client_id: str = ""
    protocol: str = one_of("5", "3.1.1")
    batch: int = limited(100, 1, 1000)
    timeout_s: int = limited(30, 1, 600)
    retry_max_s: int = limited(60, 1, 86400)
    topics: list = dataclasses.field(default_factory=lambda: ["#"])
    ca: str = ""
    cert: str = ""
    key: str = ""

    def check(self):
        check_filters(self.topics)
        target = self.target
        if not target.secure and not is_loopback(target.host):
            raise Misuse(f"republish.url: {target.host} is another machine: write mqtts://")
        if set(self.prefix) & set("+#"):
            raise Misuse("republish.prefix: a topic has no + and no #")
        self.name = self.name or f"republish {target.host}:{target.port}"

    @property
    def target(self):
        """The petrel.listen.Target."""
        return parse_url(self.url)

    def comes_back(self, place, topics):
        """Whether messages would come in again by the source at `place`, which takes `topics`."""
        firsts = {topic.partition("/")[0] for topic in topics}
        own = {"#", "+", self.prefix.partition("/")[0]}
        return self.target.place == place and not (self.prefix and own.isdisjoint(firsts))


@dataclasses.dataclass
class Webhook:
    """url: where messages are POSTed. name: of its place in the spool. batch: 1 sends
    `{"topic", "data", "timestamp"}`, more an array of up to so many. retry_max_s: the longest
    delay after a failure. headers: more of a request, such as Authorization. insecure: plain http
    to another machine all the same.
    """

    url: str = ""
    name: str = ""
    batch: int = limited(1, 1, 1000)
    timeout_s: int = limited(10, 1, 600)
    retry_max_s: int = limited(60, 1, 86400)
    headers: dict = dataclasses.field(default_factory=dict)
    topics: list = dataclasses.field(default_factory=lambda: ["#"])
    insecure: bool = False

    def check(self):
        check_filters(self.topics)
        parts = address_of("webhook.url", self.url, ("http", "https"),
                           f"'{self.url}' is no http:// or https:// address")
        if parts.scheme == "http" and not is_loopback(parts.hostname) and not self.insecure:
            raise Misuse(f"webhook.url: {parts.hostname} is another machine: write https://, or "
                         "insecure = true")
        self.name = self.name or f"webhook {parts.hostname}{parts.path}"


def check_filters(topics):
    for topic in topics:
        check_filter(topic)
