"""Payload formats, one a file: how readings become the bytes of one message.

An encoder is made with (channels, stream, device id, nominal interval in ms, batch) and writes
into the buffer it is given:

    stream(stream)                     the readings to come are of another life
    begin(buffer, limit)               a message of at most `limit` bytes, in a buffer of one more
    add(number, due, values) -> bool   one reading more; False if it does not fit, and is not added
    finish() -> start, end             where the message is in the buffer
    count                              readings in it, at the end maybe less than were added

`due` is (unix_ms, None), or (None, uptime_ms) while the clock is not set; `values` a scaled
integer or None a channel.
"""


def module(name):
    """The module of the format `name`: its Encoder, and `most_bytes(channels)`, the longest
    message of one reading.
    """
    return __import__("firmware.payloads." + name.replace("-", "_"), None, None, ("Encoder",))
