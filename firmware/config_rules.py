"""The rules of a config: every key, what it is when it is not given, and what it may be.

A rule is (default, kind, what the kind allows ...); the default `...` says that the key must be
given, None that it may be null. The kinds are methods in `firmware/config_kinds.py`:

    text, shortest, longest      bytes in UTF-8
    integer, low, high
    number, low, high            a whole one or not
    seconds, low, high           to the millisecond
    boolean
    choice, value ...
    hex, shortest, longest       bytes in hexadecimal
    step                         a decimal fraction above 0, for the app (mantissa, exponent)
    file                         a path, relative to the config's folder
    pin                          a pin's number or its name
    table, rules                 an object with these keys
    table                        its rules are ROOT in firmware/config_{its name}.py, imported
                                 where a config has it: names stay in memory for ever
    list, shortest, longest, rule of an element
    sensor                       a table whose rules are partly the driver's own

The comment above a rule is its line in the README's reference, which is made from this file: it
costs the device nothing.
"""

ROOT = {
    "device": (
        {},
        "table",
        {
            # The name in every topic, without `/`, `+` and `#`; null: the chip's unique id.
            "id": (None, "text", 1, 64),
        },
    ),
    "wifi": (
        [],
        "list",
        0,
        8,
        (
            ...,
            "table",
            {
                # The network's name; `""`: no WiFi (the Unix port).
                "ssid": (..., "text", 0, 32),
                # `""` for an open network.
                "password": ("", "text", 0, 63),
            },
        ),
    ),
    "board": (None, "table"),
    "time": (None, "table"),
    # The protocols, in order of preference.
    "links": (["umqtt"], "list", 1, 1, (..., "choice", "mqtt", "umqtt", "coap", "microcoapy")),
    "mqtt": (None, "table"),
    "coap": (None, "table"),
    "microcoapy": (None, "table"),
    "umqtt": (
        {},
        "table",
        {
            # The broker's name or address.
            "host": ("127.0.0.1", "text", 1, 253),
            # null: 8883 with `tls`, else 1883.
            "port": (None, "integer", 1, 65535),
            # null: none is sent.
            "username": (None, "text", 1, 256),
            # Best kept in `secrets.json`.
            "password": (None, "text", 0, 256),
            # A connection that is silent for 1.25 times this long is given up.
            "keepalive_s": (30, "seconds", 1, 3600),
            # Deadline of a connection's whole set-up, and of each acknowledgement.
            "timeout_s": (10, "seconds", 1, 60),
            # 1: a reading is kept until the broker has acknowledged it. 0: until it is sent.
            "qos": (1, "integer", 0, 1),
            # null: plain text, for loopback only.
            "tls": (None, "table"),
            # true: plain text to another machine all the same; the status says so.
            "insecure": (False, "boolean"),
        },
    ),
    # What is measured; a driver's own keys stand under its name.
    "sensors": (..., "list", 1, 16, (..., "sensor")),
    "payload": (
        {},
        "table",
        {
            # How readings are written.
            "format": ("json", "choice", "json", "frame", "cbor", "senml-cbor"),
            # Readings a message.
            "batch": (1, "integer", 1, 1000),
            # A reading waits no longer than this for its batch to fill.
            "max_age_s": (60, "seconds", 0, 86400),
        },
    ),
    "queue": (
        {},
        "table",
        {
            # Room for readings that can't be delivered yet: in flash (40 at least), and in memory
            # (less where so much is not free).
            "limit_kb": (64, "integer", 1, 16384),
            # What gives way; it is counted.
            "when_full": ("drop_oldest", "choice", "drop_oldest", "drop_newest"),
            # `always`: a reading is in flash as soon as it is taken. `spill`: when the link is
            # down, when it is older than `spill_after_s`, or when the device stops. `ram`: never.
            "durability": ("spill", "choice", "always", "spill", "ram"),
            # The oldest that a power cut takes with it; null: `payload.max_age_s` and a minute.
            "spill_after_s": (None, "seconds", 1, 86400),
            # After an outage: the backlog goes first, with every fourth message for fresh
            # readings, or the fresh go first.
            "order": ("oldest_first", "choice", "oldest_first", "newest_first"),
        },
    ),
    "serve": (None, "table"),
    "sleep": (None, "table"),
    "reconnect": (
        {},
        "table",
        {
            # The shortest delay before connecting again; it grows with every failure.
            "first_s": (1, "seconds", 0.01, 3600),
            # The longest.
            "max_s": (120, "seconds", 0.01, 86400),
        },
    ),
    "limits": (
        {},
        "table",
        {
            # Messages a second at the most.
            "publish_per_s": (50, "integer", 1, 100000),
            # A payload is never longer; a batch is split.
            "message_bytes": (1024, "integer", 64, 65000),
        },
    ),
}

SENSOR = {
    # Name of a file in `firmware/sensors/`.
    "driver": (..., "text", 1, 32),
    # A reading is taken every so many seconds.
    "every_s": (10, "seconds", 0.001, 86400),
    # A key a channel, of 1 to 16 bytes, as it stands in the messages.
    "channels": (..., "channels"),
}
CHANNEL = {
    # SenML's name of the unit (RFC 8428).
    "unit": (None, "text", 1, 16),
    # Digits behind the point that are kept.
    "decimals": (2, "integer", 0, 9),
    # The sensor's true step, as 0.0625, where it is wider: frames carry whole steps. null: none.
    "step": (None, "step"),
    # `count`: a counter, which mostly rises and has no sign; null: anything else.
    "kind": (None, "choice", "count"),
}
