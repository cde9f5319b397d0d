"""The rules of a config: every key, what it may be, what it is when it is not given.

A table is {key: (kind, default)}; the default `...` says that the key must be given, None that it
may be null. The comment above a key is its line in the README's reference (`petrel.reference`
reads it there), so that it costs the device nothing. `firmware/config.py` applies the rules; the
driver's own keys are in the driver's file.
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
    # The name in every topic, without `/`, `+` and `#`; null: the chip's unique id.
    "id": (text(1, 64), None),
}
WIFI = {
    # The network's name; `""`: no WiFi (the Unix port).
    "ssid": (text(0, 32), ...),
    # `""` for an open network.
    "password": (text(0, 63), ""),
}
TLS = {
    # Certificate of the authority that the peer must prove itself by.
    "ca": (file(), None),
    # This device's certificate, for mutual TLS, with `key`.
    "cert": (file(), None),
    # Its private key.
    "key": (file(), None),
    # In place of certificates: the name of a pre-shared key, with `psk_key_hex`.
    "psk_identity": (text(1, 128), None),
    # The key, 16 to 64 bytes in hexadecimal.
    "psk_key_hex": (hex_bytes(16, 64), None),
}
UMQTT = {
    # The broker's name or address.
    "host": (text(1, 253), "127.0.0.1"),
    # null: 8883 with `tls`, else 1883.
    "port": (integer(1, 65535), None),
    "username": (text(1, 256), None),
    "password": (text(0, 256), None),
    # A connection that is silent for 1.25 times this long is given up.
    "keepalive_s": (seconds(1, 3600), 30),
    # Deadline of a connection's whole set-up, and of each acknowledgement.
    "timeout_s": (seconds(1, 60), 10),
    # 1: a reading is kept until the broker has acknowledged it. 0: until it is sent.
    "qos": (integer(0, 1), 1),
    # null: plain text, for loopback only.
    "tls": (table(TLS), None),
    # true: plain text to another machine all the same; the status says so.
    "insecure": (boolean(), False),
}
LINKS = {"umqtt": UMQTT}
CHANNEL = {
    # SenML's name of the unit (RFC 8428).
    "unit": (text(1, 16), None),
    # Digits behind the point that are kept.
    "decimals": (integer(0, 9), 2),
}
SENSOR = {
    # Name of a file in `firmware/sensors/`.
    "driver": (text(1, 32), ...),
    # A reading is taken every so many seconds.
    "every_s": (seconds(0.001, 86400), 10),
}
PAYLOAD = {
    # How readings are written.
    "format": (choice("json"), "json"),
    # Readings a message.
    "batch": (integer(1, 1000), 1),
    # A reading waits no longer than this for its batch to fill.
    "max_age_s": (seconds(0, 86400), 60),
}
QUEUE = {
    # Memory for readings that can't be delivered yet; less where it is not free.
    "limit_kb": (integer(1, 16384), 64),
    # What gives way; it is counted.
    "when_full": (choice("drop_oldest"), "drop_oldest"),
}
RECONNECT = {
    # The shortest delay before connecting again; it grows with every failure.
    "first_s": (seconds(0.01, 3600), 1),
    # The longest.
    "max_s": (seconds(0.01, 86400), 120),
}
LIMITS = {
    # Messages a second at the most.
    "publish_per_s": (integer(1, 100000), 50),
    # A payload is never longer; a batch is split.
    "message_bytes": (integer(64, 65000), 1024),
}
ROOT = {
    "device": (table(DEVICE), {}),
    "wifi": (listing(table(WIFI), 0, 8), []),
    # The protocols, in order of preference.
    "links": (listing(choice(*sorted(LINKS)), 1, 1), ["umqtt"]),
    "sensors": (listing(("sensor",), 1, 16), ...),
    "payload": (table(PAYLOAD), {}),
    "queue": (table(QUEUE), {}),
    "reconnect": (table(RECONNECT), {}),
    "limits": (table(LIMITS), {}),
}
for _name in LINKS:
    ROOT[_name] = (table(LINKS[_name]), {})
