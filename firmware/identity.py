"""Who this device is to the outside: its topics, and what it says of itself there."""

import json


class Identity:
    """`stream` is the number of this life of the queue; `before` that of the life before it,
    {"s", "n"} or None, with `n` the last of its readings that is known to be safe; `about` is
    added to the birth.
    """

    def __init__(self, device_id, stream, before=None, about=None):
        self.id = device_id
        self.stream = stream
        self._before = before
        self._about = about or {}
        self._topics = {}

    def topic(self, kind):
        """`devices/{id}/{kind}` in UTF-8."""
        topic = self._topics.get(kind)
        if topic is None:
            topic = self._topics[kind] = ("devices/" + self.id + "/" + kind).encode()
        return topic

    def birth(self):
        status = {"status": "online", "s": self.stream}
        if self._before:
            status["before"] = self._before
        status.update(self._about)
        return json.dumps(status).encode()

    def will(self):
        return b'{"status":"offline"}'

    def farewell(self, why):
        return json.dumps({"status": "offline", "reason": why}).encode()
