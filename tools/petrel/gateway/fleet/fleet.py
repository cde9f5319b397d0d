"""All devices, what changed of them when, and the figures of the whole."""

import collections

from petrel.gateway.fleet.account import Account
from petrel.gateway.fleet.device import Device
from petrel.gateway.fleet.state import STATES
from petrel.gateway.message import Message, device_of, kind_of

MOST_DEVICES = 10_000  # then the one that was not heard for the longest is forgotten
RATE_S, SHOWN_S = 5, 60
_KINDS = ("data", "status", "health", "responses", "other")


class Fleet:
    """expected: ids of devices that are shown even before they were ever heard.

    version: rises with every change. devices: {id: Device}, the latest changed last.
    """

    def __init__(self, expected=()):
        self.devices = collections.OrderedDict()
        self.version = 0
        self.forgotten = 0  # devices that had to make room
        self.gone = collections.deque(maxlen=1000)  # (version, id) of them
        self.total = Account()
        self.touched = set()  # ids whose Account may be another now
        self.rates = collections.deque([0] * SHOWN_S, maxlen=SHOWN_S)  # messages, a second each
        self._second = None
        for name in expected:
            self._changed(self._device(name))

    # ---- what comes

    def recall(self, latest):
        """Begin with what is known from before: Arrivals of `status` and `health`."""
        for arrival in sorted(latest, key=lambda arrival: arrival.time_ms):
            kind, name = kind_of(arrival.topic), device_of(arrival.topic)
            data = arrival.payload.decode(errors="replace")
            device = self._device(name)
            device.take(Message(0, arrival.time_ms, arrival.topic, name, kind, data, arrival))
            self._changed(device)
            self.touched.add(name)

    def take(self, messages):
        """Enter Messages, in order."""
        for message in messages:
            if message.kind in _KINDS:
                device = self._device(message.device)
                device.take(message)
                self._changed(device)
                self.touched.add(device.id)
                self._count(message.time_ms)

    def account(self, accounts):
        """Enter {id: Account}."""
        for name, account in accounts.items():
            device = self.devices.get(name)
            if device and account != device.account:
                self.total += account - device.account
                device.account = account
                self._changed(device)

    def tick(self, now):
        """Let the time pass; once a second is often enough."""
        self._count(now, 0)
        for device in [*self.devices.values()]:
            if device.judge(now):
                self._changed(device)

    def _device(self, name):
        device = self.devices.get(name)
        if device is None:
            if len(self.devices) >= MOST_DEVICES:
                self._forget()
            device = self.devices[name] = Device(name)
        return device

    def _forget(self):
        name, device = self.devices.popitem(last=False)
        self.touched.discard(name)
        self.total -= device.account
        self.forgotten += 1
        self.version += 1
        self.gone.append((self.version, name))

    def _changed(self, device):
        self.version += 1
        device.version = self.version
        self.devices.move_to_end(device.id)

    def _count(self, now, messages=1):
        """Messages of this second; the seconds between are empty."""
        second = now // 1000
        if self._second is None:
            self._second = second
        while self._second < second:
            self._second = max(self._second + 1, second - SHOWN_S)
            self.rates.append(0)
        self.rates[-1] += messages

    # ---- what is shown

    def since(self, version):
        """(devices that changed after `version`, ids of those forgotten since)."""
        found = []
        for device in reversed(self.devices.values()):
            if device.version <= version:
                break
            found.append(device)
        return found, [name for at, name in self.gone if at > version]

    def figures(self):
        """The strip, for JSON. The rate is of whole seconds."""
        states = collections.Counter(device.state for device in self.devices.values())
        received, lost, awaited, duplicates = self.total.counts()
        whole = [*self.rates][:-1]
        return {
            "devices": len(self.devices), "forgotten": self.forgotten,
            "states": {state: states[state] for state in STATES if states[state]},
            "rate": sum(whole[-RATE_S:]) / RATE_S, "rates": whole,
            "received": received, "lost": lost, "awaited": awaited, "duplicates": duplicates,
        }
