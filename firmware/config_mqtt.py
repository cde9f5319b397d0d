"""The rules of a config's section `mqtt`, the link on lib/mqtt."""

ROOT = {
    # The broker's name or address, `name:port` if it has a port of its own.
    "host": ("127.0.0.1", "text", 1, 253),
    # More brokers of that form, which are tried in order when one can't be had.
    "hosts": ([], "list", 0, 8, (..., "text", 1, 253)),
    # null: 8883 with `tls`, else 1883; with `websocket` 443 or 80.
    "port": (None, "integer", 1, 65535),
    # The version of MQTT. `5`: topics are shortened to an alias, reasons are told.
    "protocol": ("3.1.1", "choice", "3.1.1", "5"),
    # The path of MQTT over WebSocket, often `/mqtt`; null: MQTT over TCP.
    "websocket": (None, "text", 1, 128),
    # null: none is sent.
    "username": (None, "text", 1, 256),
    # Best kept in `secrets.json`.
    "password": (None, "text", 0, 256),
    # A connection that is silent for 1.25 times this long is given up.
    "keepalive_s": (30, "seconds", 1, 3600),
    # Deadline of a connection's whole set-up, and of each acknowledgement.
    "timeout_s": (10, "seconds", 1, 60),
    # 0: a reading is kept until it is sent; 1: until acknowledged; 2: and comes only once.
    "qos": (1, "integer", 0, 2),
    # Messages that may wait for their acknowledgement at once, each in memory of its own.
    "window": (4, "integer", 1, 64),
    # null: plain text, for loopback only.
    "tls": (None, "table"),
    # true: plain text to another machine all the same; the status says so.
    "insecure": (False, "boolean"),
}
