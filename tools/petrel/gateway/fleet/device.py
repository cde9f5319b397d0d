"""One device as the gateway knows it: what it says of itself, and its last readings."""

import collections
import json

from petrel.gateway.fleet.account import Account
from petrel.gateway.fleet.brief import is_number, numbers, small
from petrel.gateway.fleet.history import History
from petrel.gateway.fleet.state import SLEEPING, due_ms, judge
from petrel.gateway.intake import parsed
from petrel.gateway.message import items_of

MOST_EVENTS = 60  # of the timeline
SPARK = 40  # points
_GAUGES = ("queued", "dropped", "connects", "free", "rssi", "late_ms", "skipped")
_SLOWER = 0.9  # how the usual interval forgets a pause, a message


class Device:
    """id: its name. version: rises with every change, over all devices.

    state, why, since: see `state`. timeline: [(time, state, why), ...].
    """

    def __init__(self, name):
        self.id, self.version = name, 0
        self.state, self.why, self.since = (*judge({}, None, None, 0), 0)
        self.status, self.health, self.health_ms = {}, {}, None
        self.heard = self.usual_ms = self._told_ms = None
        self.reading, self.reading_ms = {}, None
        self.history = History()
        self.timeline = collections.deque(maxlen=MOST_EVENTS)
        self.account = Account()
        self.messages = 0
        self.via = self.format = None
        self._row = (-1, "")

    # ---- what it says

    def take(self, message):
        """Enter a Message of it."""
        now = message.time_ms
        retained = message.arrival is not None and message.arrival.retained
        self.messages += 1
        if message.arrival:
            self.via = message.arrival.via or self.via
        if message.kind == "status":
            self._status(small(parsed(message.data)), now)
        elif message.kind == "health":
            self.health = small(parsed(message.data))
            self.health_ms = None if retained else now
        elif message.kind != "responses":
            self._readings(message, now)
        if not retained and not is_will(self.status, message.kind):
            self.heard = now
        self.judge(now)

    def _status(self, said, now):
        again = said.get("status") == "online" and self.status.get("status") == "online"
        self.status = said
        self._told_ms = None  # what passes between two connections is no usual interval
        if said.get("status") in ("online", "sleeping"):
            self.heard = now  # also as the broker's copy: it says that the connection stands
        if again:  # its will was not heard of, or overtaken
            self.timeline.append((now, self.state, "connected again"))

    def _readings(self, message, now):
        if message.arrival and message.arrival.payload:
            self.format = format_of(message.arrival.payload)
        found = numbers_in(message.data)
        for stream, number, ts, values in found:
            time_ms = now if ts is None else ts * 1000
            self.history.add(time_ms, stream, number, values)
            if self.reading_ms is None or time_ms >= self.reading_ms:
                self.reading, self.reading_ms = values, time_ms
        if self._told_ms is not None:
            gap = now - self._told_ms
            usual = self.usual_ms or gap
            self.usual_ms = max(gap, usual * _SLOWER + gap * (1 - _SLOWER))
        self._told_ms = now

    def judge(self, now):
        """Look at it again; True if its state is another now."""
        state, self.why = judge(self.status, self.heard, self.usual_ms, now)
        if state == self.state:
            return False
        self.state, self.since = state, now
        self.timeline.append((now, state, self.why))
        return True

    # ---- for a viewer

    def row(self):
        """JSON text of what the table shows."""
        version, text = self._row
        if version != self.version:
            text = json.dumps(self._fields(), separators=(",", ":"))
            self._row = (self.version, text)
        return text

    def _fields(self):
        told = {
            "id": self.id, "state": self.state, "why": self.why, "since": self.since,
            "heard": self.heard, "reading": self.reading, "at": self.reading_ms,
            "messages": self.messages, "usual": self.usual_ms, "via": self.via,
            "format": self.format, "v": self.status.get("v"), "boot": self.status.get("boot"),
            "problem": self.status.get("problem"), "insecure": self.status.get("insecure"),
            "received": self.account.received, "lost": self.account.lost,
            "awaited": self.account.awaited, "duplicates": self.account.duplicates,
            **{key: self.health.get(key) for key in _GAUGES},
        }
        up = self.health.get("up")
        if self.health_ms and isinstance(up, int | float):
            told["born"] = self.health_ms - up * 1000
        if self.state == SLEEPING:
            told["due"] = due_ms(self.status, self.heard)
        return {key: value for key, value in told.items() if _is_told(value)}

    def spark(self):
        return self.history.last(SPARK)

    def detail(self):
        """All that a drawer shows and a row does not."""
        return {
            "id": self.id, "history": self.history.dump(), "timeline": [*self.timeline],
            "status": self.status, "health": self.health,
        }


def _is_told(value):
    return isinstance(value, str | int | float) or (isinstance(value, dict) and value != {})


def is_will(status, kind):
    """Whether a message is of the broker about the device, and not of the device."""
    return kind == "status" and status.get("status") == "offline" and "reason" not in status


def numbers_in(data):
    """[(stream, number, ts, {channel: number}), ...] in the JSON text of a message.

    Of what is not Petrel's the numbers count, whatever they are called.
    """
    readings = []
    for item in items_of(data):
        if isinstance(item, dict):
            readings.append((item.get("s"), item.get("n"), item.get("ts"), numbers(item)))
        elif is_number(item):
            readings.append((None, None, None, {"value": item}))
    return [_sound(*reading) for reading in readings if reading[3]]


def _sound(stream, number, ts, values):
    """The same, with numbers that fit an array."""
    whole = all(type(n) is int and 0 <= n < 2**32 for n in (stream, number))
    dated = type(ts) in (int, float) and 0 <= ts < 1e11
    return *((stream, number) if whole else (0, 0)), ts if dated else None, values


def format_of(payload):
    """What a payload is written in, by its first bytes (docs/WIRE.md)."""
    first = payload[0] if payload else 0
    if first >= 0xE0:
        return "frame"
    if 0x80 <= first < 0xC0:
        return "SenML" if len(payload) > 2 and payload[2] < 0x60 else "CBOR"
    return "JSON" if first in b"{[" else "text"
