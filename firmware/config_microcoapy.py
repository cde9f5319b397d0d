"""The rules of the config's section `microcoapy`."""

from micropython import const

_MESSAGE_BYTES = const(880)  # as in firmware/links/microcoapy.py

ROOT = {
    # The peer's name or address.
    "host": ("127.0.0.1", "text", 1, 253),
    # null: 5684 with `tls`, else 5683.
    "port": (None, "integer", 1, 65535),
    # Deadline of a message with all its retransmissions.
    "timeout_s": (60, "seconds", 1, 60),
    # The first wait for an acknowledgement; it doubles four times (RFC 7252, section 4.8).
    "ack_timeout_s": (2, "seconds", 0.01, 30),
    # With it DTLS; null: plain text, for loopback only.
    "tls": (None, "table"),
    # true: plain text to another machine all the same; the status says so.
    "insecure": (False, "boolean"),
}


def check(config, problem):
    """A message is no longer than microCoAPy can send."""
    config["microcoapy"]["format"] = config["payload"]["format"]
    if config["links"] == ["microcoapy"]:
        limits = config["limits"]
        limits["message_bytes"] = min(limits["message_bytes"], _MESSAGE_BYTES)
