"""The rules of a config: every key, what it may be, what it is when it is not given.

A table is {key: (kind, default)}; the default `...` says that the key must be given, None that it may be null. The
comment behind a key is its line in the README's reference (`petrel.reference` reads it there), so that it costs the
device nothing. `firmware/config.py` applies the rules; the driver's own keys are in the driver's file.
"""


def text(shortest, longest):
    """A string of so many bytes in UTF-8."""
    return ("text", shortest, longest)


def integer(low, high):
    return ("integer", low, high)


def seconds(low, high):
    """A number of seconds, to the millisecond."""
    return ("seconds", low, high)


def boolean():
    return ("boolean",)


def choice(*values):
    return ("choice", values)


def file():
    """A file's path, relative to the config's folder."""
    return ("file",)


def hex_bytes(shortest, longest):
    return ("hex", shortest, longest)


def table(rules):
    return ("table", rules)


def listing(kind, shortest, longest):
    return ("list", kind, shortest, longest)


def mapping(kind, longest):
    """An object of up to so many free keys."""
    return ("mapping", kind, longest)


DEVICE = {
    "id": (text(1, 64), None),  # The name in every topic, without `/`, `+` and `#`; null: the chip's unique id.
}
WIFI = {
    "ssid": (text(0, 32), ...),  # The network's name; `""`: no WiFi (the Unix port).
    "password": (text(0, 63), ""),  # `""` for an open network.
}
TLS = {
    "ca": (file(), None),  # Certificate of the authority that the peer must prove itself by.
    "cert": (file(), None),  # This device's certificate, for mutual TLS, with `key`.
    "key": (file(), None),  # Its private key.
    "psk_identity": (text(1, 128), None),  # In place of certificates: the name of a pre-shared key, with `psk_key_hex`.
    "psk_key_hex": (hex_bytes(16, 64), None),  # The key, 16 to 64 bytes in hexadecimal.
}
UMQTT = {
    "host": (text(1, 253), "127.0.0.1"),  # The broker's name or address.
    "port": (integer(1, 65535), None),  # null: 8883 with `tls`, else 1883.
    "username": (text(1, 256), None),
    "password": (text(0, 256), None),
    "keepalive_s": (seconds(1, 3600), 30),  # A connection that is silent for 1.25 times this long is given up.
    "timeout_s": (seconds(1, 60), 10),  # Deadline of a connection's whole set-up, and of each acknowledgement.
    "qos": (integer(0, 1), 1),  # 1: a reading is kept until the broker has acknowledged it. 0: until it is sent.
    "tls": (table(TLS), None),  # null: plain text, for loopback only.
    "insecure": (boolean(), False),  # true: plain text to another machine all the same; the status says so.
}
LINKS = {"umqtt": UMQTT}
CHANNEL = {
    "unit": (text(1, 16), None),  # SenML's name of the unit (RFC 8428).
    "decimals": (integer(0, 9), 2),  # Digits behind the point that are kept.
}
SENSOR = {
    "driver": (text(1, 32), ...),  # Name of a file in `firmware/sensors/`.
    "every_s": (seconds(0.001, 86400), 10),  # A reading is taken every so many seconds.
}
PAYLOAD = {
    "format": (choice("json"), "json"),  # How readings are written.
    "batch": (integer(1, 1000), 1),  # Readings a message.
    "max_age_s": (seconds(0, 86400), 60),  # A reading waits no longer than this for its batch to fill.
}
QUEUE = {
    "limit_kb": (integer(1, 16384), 64),  # Memory for readings that can't be delivered yet; less where it is not free.
    "when_full": (choice("drop_oldest"), "drop_oldest"),  # What gives way; it is counted.
}
RECONNECT = {
    "first_s": (seconds(0.01, 3600), 1),  # The shortest delay before connecting again; it grows with every failure.
    "max_s": (seconds(0.01, 86400), 120),  # The longest.
}
LIMITS = {
    "publish_per_s": (integer(1, 100000), 50),  # Messages a second at the most.
    "message_bytes": (integer(64, 65000), 1024),  # A payload is never longer; a batch is split.
}
ROOT = {
    "device": (table(DEVICE), {}),
    "wifi": (listing(table(WIFI), 0, 8), []),
    "links": (listing(choice(*sorted(LINKS)), 1, 1), ["umqtt"]),  # The protocols, in order of preference.
    "sensors": (listing(("sensor",), 1, 16), ...),
    "payload": (table(PAYLOAD), {}),
    "queue": (table(QUEUE), {}),
    "reconnect": (table(RECONNECT), {}),
    "limits": (table(LIMITS), {}),
}
for _name in LINKS:
    ROOT[_name] = (table(LINKS[_name]), {})
