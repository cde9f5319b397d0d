"""What the demo knows of its devices: put together from their messages and their logs alone.

No file, socket or clock in here: `now` is an argument everywhere, in seconds that only rise.
"""

import collections
import json
import re

from petrel.ledger import Ledger, Stream
from petrel.readings import Undecodable, decode

STOPPED = re.compile(r"app: .*; sampled (\d+) acked (\d+) dropped (\d+)")
RATE_S = 5  # the rate shown is the mean of so many seconds
HISTORY_S = 300


class Device:
    """One device as its receiver sees it. `plan` is what it was told to do (demo_device.Plan)."""

    def __init__(self, plan, now):
        self.name = plan.name
        self.plan = plan
        self.state = "starting"  # then what its status topic says, then "stopped" or "crashed"
        self.since = now
        self.births = 0
        self.ledger = Ledger()
        self.health = {}
        self._heard_health = False  # since it was born last
        self.last = None  # the newest Reading
        self.final = None  # (sampled, acked, dropped), from its last words
        self.undecodable = 0
        self.history = collections.deque(maxlen=HISTORY_S)  # [second, readings, away]
        self._last_at = now
        self._arrivals = collections.deque()  # moments, of the last RATE_S

    def tick(self, now):
        """Let the time pass in the history: one column a second, busy or not."""
        second = int(now)
        if not self.history:
            self.history.append([second, 0, self.away])
        while self.history[-1][0] < second:
            self.history.append([self.history[-1][0] + 1, 0, self.away])

    def take(self, readings, now):
        """Enter new readings, oldest first."""
        self.tick(now)
        for reading in readings:
            if self.ledger.add(self.name, reading.stream, reading.seq):
                self.last, self._last_at = reading, now
                self._arrivals.append(now)
                self.history[-1][1] += 1

    def status(self, message, now):
        """Enter a message of the status topic."""
        self.ledger.status(self.name, message)
        state = message.get("status")
        if state == "offline" and "reason" in message:
            state = "stopped"  # politely; without a reason it is the will
        if state == "online":
            self.births += 1
            self._heard_health = False
        if isinstance(state, str) and state != self.state:
            self.state, self.since = state, now
            if self.away and self.history:
                self.history[-1][2] = True

    def gauges(self, message):
        """Enter a message of the health topic."""
        self.ledger.health(self.name, message)
        self.health = message
        self._heard_health = True

    def end(self, status, now):
        """Its process ended, with this exit status."""
        self.state, self.since = ("stopped" if status == 0 else "crashed"), now

    def hear(self, line):
        """Enter a log line."""
        words = STOPPED.search(line)
        if words:
            self.final = tuple(int(word) for word in words.groups())

    @property
    def online(self):
        return self.state == "online"

    @property
    def away(self):
        """It should be there, and is not."""
        return self.state in ("offline", "crashed")

    @property
    def settled(self):
        """It is connected, or has ended.

        Its status says online while it is still subscribing; its first health comes after that.
        """
        return self.state in ("stopped", "crashed") or (self.online and self._heard_health)

    @property
    def streams(self):
        """The accounts of its lives, oldest first."""
        return list(self.ledger.streams(self.name).values())

    @property
    def received(self):
        return self.ledger.total("received")

    @property
    def duplicates(self):
        return self.ledger.total("duplicates")

    @property
    def lost(self):
        """Readings that never come: dropped from a full queue, or skipped over."""
        skipped = sum(stream.highest - stream.received for stream in self.streams)
        return max(skipped, self.health.get("dropped", 0))

    @property
    def reconnects(self):
        return max(self.births, self.health.get("connects", 0), 1) - 1

    def rate(self, now):
        """Readings received a second."""
        while self._arrivals and now - self._arrivals[0] > RATE_S:
            self._arrivals.popleft()
        return len(self._arrivals) / RATE_S

    def queue(self, now):
        """(readings that wait in the device, whether that is an estimate).

        While it is away nobody knows; its pace since the last reading is the best guess. When it
        is back its health names the number it has come to, and what is not here yet is queued.
        """
        if self.state in ("stopped", "crashed"):
            return 0, False
        if not self.online:
            return round((now - self._last_at) * self.plan.per_s) if self.births else 0, True
        stream = self.ledger.streams(self.name).get(self.health.get("s"), Stream())
        behind = self.health.get("n", 0) - stream.highest
        return max(0, min(behind, self.health.get("queued", 0))), False

    @property
    def sent(self):
        """Readings it numbered. Its last words tell for its last life, the ledger for former ones.

        None as long as it has not said its last words.
        """
        if self.final is None:
            return None
        return self.final[0] + sum(stream.end for stream in self.streams[:-1])

    @property
    def acked(self):
        """Readings that were acknowledged to it, as `sent`."""
        return None if self.final is None else self.sent - self.final[0] + self.final[1]


class Fleet:
    """All devices, and the log lines of all in the order they came."""

    def __init__(self, devices):
        self.devices = {device.name: device for device in devices}
        self.log = collections.deque(maxlen=200)  # (device name, line)

    def message(self, topic, payload, now):
        """Enter a message of `devices/{id}/...`; what is not one of ours is left alone."""
        levels = topic.split("/")
        device = self.devices.get(levels[1]) if len(levels) == 3 else None
        if device is None:
            return
        kind = levels[2]
        if kind == "data":
            try:
                device.take(decode(topic, payload), now)
            except Undecodable as error:
                device.undecodable += 1
                self.log.append((device.name, f"a payload nobody understands: {error}"))
        elif kind in ("status", "health"):
            found = _object(payload)
            if kind == "health":
                device.gauges(found)
            else:
                device.tick(now)
                device.status(found, now)

    def line(self, name, line):
        """Enter a log line of the device `name`."""
        self.devices[name].hear(line)
        self.log.append((name, line))

    def tick(self, now):
        for device in self.devices.values():
            device.tick(now)

    def total(self, what):
        """The sum of an attribute over all devices; None counts as 0."""
        return sum(getattr(device, what) or 0 for device in self)

    def __iter__(self):
        return iter(self.devices.values())


def _object(payload):
    """The JSON object in `payload`; empty for anything else."""
    try:
        found = json.loads(payload)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
