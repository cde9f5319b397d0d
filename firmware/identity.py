"""Who this device is to the outside: its topics, and what it says of itself there."""

import json


class Identity:
    """`stream` is the number of this life of the queue; `before` that of the life before it,
    {"s", "n"} or None, with `n` the last of its readings that is known to be safe, and "end" if it
    was its last of all; `about` is added to the birth.
    """

    def __init__(self, device_id, stream, before=None, about=None):
        self.id = device_id
        self.stream = stream
        self.before = before
        self.about = about or {}

    def topic(self, kind):
        """`devices/{id}/{kind}` in UTF-8."""
        return ("devices/" + self.id + "/" + kind).encode()

    def birth(self):
        status = {"status": "online", "s": self.stream}
        if self.before:
            status["before"] = self.before
        status.update(self.about)
        return compact(status)

    def will(self):
        return b'{"status":"offline"}'

    def farewell(self, why):
        return compact({"status": "offline", "reason": why})

    def remember(self, board, number, end=False):
        """Keep the stream and the last of its readings that is safe, for the next life's birth;
        `end`: there were none after it.
        """
        life = {"s": self.stream, "n": number}
        if end:
            life["end"] = True
        board.save("stream", compact(life))


def compact(value):
    """A value as JSON without a byte to spare."""
    return json.dumps(value, separators=(",", ":")).encode()
