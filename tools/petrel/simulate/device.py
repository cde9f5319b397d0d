"""What a simulated device measures, keeps and says; it knows neither clock nor network.

`now` is its uptime in ms. Its readings wait in a queue until they are acknowledged:

    sample -> queue -> payload -> (on its way) -> delivered
                          ^-------- lost ---------'
"""

import collections
import itertools
import json
import math
import random

from frame.encoder import Encoder
from frame.schema import Channel, Schema

MOST_QUEUED = 5000  # readings; then the oldest are dropped
MOST_READINGS = 20  # a message
FORMS = FRAME, JSON = "frame", "json"
VERSION = "0.1.0-sim"
DAY_MS = 86_400_000
_BOOTS = ("power", "power", "watchdog", "software")

# name -> its channels: key, SenML unit, decimals, middle, swing of a day, noise
MODELS = {
    "greenhouse": (("t", "Cel", 2, 22.5, 7, 0.06), ("h", "%RH", 2, 61, 18, 0.3)),
    "weather": (("t", "Cel", 2, 11, 6, 0.05), ("h", "%RH", 1, 74, 12, 0.5),
                ("p", "hPa", 1, 1013, 9, 0.1)),
    "tank": (("level", "%", 1, 55, 30, 0.1), ("v", "V", 2, 3.7, 0.2, 0.01)),
    "meter": (("w", "W", 1, 420, 380, 25), ("v", "V", 1, 231, 3, 0.4)),
}


class Device:
    """number: from 0; what it is and does follows from that and the seed.

    epoch_ms: Unix ms at uptime 0. form: FRAME or JSON. sampled, acked, dropped, skipped: readings
    so far; skipped are those of a gap.
    """

    def __init__(self, number, seed, epoch_ms, every_ms, form=FRAME):
        self._random = random.Random(f"{seed} device {number}")
        self.model = [*MODELS][number % len(MODELS)]
        self.id = f"{self.model}-{number:04d}"
        self.channels = MODELS[self.model]
        self.form, self.every_ms, self._epoch_ms = form, every_ms, epoch_ms
        # Of this run alone: the same numbers of the same stream would be duplicates to a ledger.
        life = random.Random(f"{seed} stream {number} {epoch_ms}")
        self.stream = life.randrange(1, 1 << 31)
        self.queue = collections.deque()  # (number, Unix ms, integers), oldest first
        self.sampled = self.acked = self.dropped = self.skipped = self.connects = 0
        self.boot = self._random.choice(_BOOTS)
        self._rssi = self._random.uniform(-85, -45)
        self._free = self._random.randrange(40_000, 120_000)
        self._phases = [self._random.uniform(0, math.tau) for _ in self.channels]
        self._under_way = 0  # readings of the message that is not acknowledged
        self.topic = {kind: f"devices/{self.id}/{kind}" for kind in
                      ("data", "status", "health", "responses", "commands")}

    @property
    def sent(self):
        """Readings that were queued."""
        return self.sampled - self.skipped

    # ---- readings

    def sample(self, now):
        """Take a reading; returns its number."""
        self.sampled += 1
        values = [self._value(place, now) for place in range(len(self.channels))]
        self.queue.append((self.sampled, self._epoch_ms + now, values))
        if len(self.queue) > MOST_QUEUED:
            del self.queue[self._under_way]
            self.dropped += 1
        return self.sampled

    def skip(self, count):
        """So many readings are lost before they are queued."""
        self.sampled += count
        self.skipped += count

    def _value(self, place, now):
        _, _, decimals, middle, swing, noise = self.channels[place]
        turn = math.sin(math.tau * (self._epoch_ms + now) / DAY_MS + self._phases[place])
        slow = math.sin((self._epoch_ms + now) / 97_000 + self._phases[place])
        value = middle + swing * turn + 8 * noise * slow + self._random.gauss(0, noise)
        return round(max(0, value) * 10**decimals)

    @property
    def has_something(self):
        """There are readings, and none is on its way."""
        return bool(self.queue) and not self._under_way

    def payload(self):
        """The bytes of the next message; its readings stay until `delivered`."""
        batch = [*itertools.islice(self.queue, MOST_READINGS)]
        if self.form == FRAME:
            data, self._under_way = as_frame(self, batch)
        else:
            data, self._under_way = as_json(self, batch), len(batch)
        return data

    def delivered(self):
        """The message is acknowledged."""
        for _ in range(self._under_way):
            self.queue.popleft()
        self.acked += self._under_way
        self._under_way = 0

    def lost(self):
        """The connection is gone: what was on its way waits again."""
        self._under_way = 0

    # ---- what it says of itself

    def birth(self):
        self.connects += 1
        return encoded({"status": "online", "s": self.stream, "v": VERSION, "boot": self.boot})

    @staticmethod
    def will():
        return b'{"status":"offline"}'

    @staticmethod
    def farewell():
        return b'{"status":"offline","reason":"stopped"}'

    @staticmethod
    def goodnight(sleep_ms):
        return encoded({"status": "sleeping", "next_s": sleep_ms // 1000})

    def health(self, now):
        self._rssi += self._random.gauss(0, 1)
        return encoded({
            "s": self.stream, "up": now // 1000, "n": self.sampled,
            "acked": self.sampled - len(self.queue), "queued": len(self.queue),
            "dropped": self.dropped, "connects": self.connects, "late_ms": 0,
            "free": self._free + self._random.randrange(2000),
            "rssi": round(max(-95, min(-30, self._rssi))),
        })

    def answer(self, payload, now):
        """The response to a command, both bytes."""
        try:
            command = json.loads(payload)
            name, number = command["cmd"], command.get("id")
        except (ValueError, TypeError, KeyError, RecursionError):
            return encoded({"id": None, "ok": False, "error": "no command"})
        more = {"ping": dict, "read": lambda: self._read(now), "info": lambda: self._info(now),
                "reboot": dict}.get(name if isinstance(name, str) else None)
        if more is None:
            names = "info, ping, read, reboot"
            more = {"ok": False, "error": f'unknown "cmd"; there is: {names}'}
            return encoded({"id": number, **more})
        return encoded({"id": number, "ok": True, **more()})

    def _read(self, now):
        number = self.sample(now)
        _, _, values = self.queue[-1]
        return {"n": number, "values": self.scaled(values)}

    def _info(self, now):
        return {"version": VERSION, "boot": self.boot, "s": self.stream, "up": now // 1000,
                "channels": {c[0]: [c[1], c[2]] for c in self.channels}}

    def scaled(self, values):
        """{key: decimal number} of a reading's integers."""
        return {channel[0]: round(value / 10**channel[2], channel[2])
                for channel, value in zip(self.channels, values, strict=True)}


def encoded(message):
    return json.dumps(message, separators=(",", ":")).encode()


def as_json(device, batch):
    """The batch as JSON."""
    items = [{"s": device.stream, "n": number, "ts": time_ms // 1000, **device.scaled(values)}
             for number, time_ms, values in batch]
    return encoded(items[0] if len(items) == 1 else items)


_encoders = {}  # model -> the Encoder that its devices share
_buffer = bytearray(4096)


def as_frame(device, batch):
    """(frame, how many readings are in it): it ends before a number that is missing."""
    encoder = _encoders.get(device.model)
    if encoder is None:
        channels = tuple(Channel(key, unit, decimals, None, "")
                         for key, unit, decimals, *_ in device.channels)
        encoder = _encoders[device.model] = Encoder(Schema(channels, 0), MOST_READINGS)
    encoder.clear()
    encoder.begin(device.stream)
    first, count = batch[0][0], 0
    for number, time_ms, values in batch:
        if number != first + count or not encoder.add(time_ms, values):
            break
        count += 1
    return bytes(_buffer[: encoder.encode_into(_buffer, first)]), count
