"""What a message that arrives means: readings that are new, a profile, a word of a device.

No file, socket or clock in here. The state that must outlive the program, ledger, profiles and
waiting frames, changes here and is written by the spool together with the messages:

    arrival -> Intake.take -> messages for the sinks
                    \\-------> changes: streams, held, latest
"""

import dataclasses
import json

from petrel.gateway.message import (
    OTHER,
    Message,
    device_of,
    kind_of,
    plain_text,
    readings_text,
)
from petrel.ledger import Ledger
from petrel.profiles import Decoder, Waiting
from petrel.readings import Undecodable

_MOST = 2**32  # a stream and a number fit 32 bits (docs/WIRE.md); others are not Petrel's
_MOST_CHANNELS = 1000  # of a device, of which units are kept
_NOT_FORWARDED = ("commands", "profile")  # to devices; and for decoders alone


@dataclasses.dataclass
class Changes:
    """What is to be written with the messages.

    streams: {(device, stream): None} of the ledger, in order. held: devices of which profiles or
    waiting frames changed. latest: {topic: Arrival}, the last word on `status` and `health`.
    units: {(device, channel): unit}.
    """

    streams: dict = dataclasses.field(default_factory=dict)
    held: set = dataclasses.field(default_factory=set)
    latest: dict = dataclasses.field(default_factory=dict)
    units: dict = dataclasses.field(default_factory=dict)


class Intake:
    """Counters: readings that were new, duplicates, foreign messages, undecodable ones.

    units: {device: {channel: unit}} of payloads that tell them.
    wire_bytes, json_bytes: payloads of readings and profiles as they came, and the same as JSON.
    """

    def __init__(self, ledger=None, decoder=None, latest=None, units=None):
        self.ledger = ledger or Ledger()
        self.decoder = decoder or Decoder()
        self.latest = latest or {}  # topic -> Arrival
        self.units = units or {}
        self.changes = Changes()
        self.readings = self.duplicates = self.foreign = self.undecodable = 0
        self.wire_bytes = self.json_bytes = 0

    def take(self, arrival):
        """The Messages (without id) that the arrival becomes: one, or none."""
        kind, device = kind_of(arrival.topic), device_of(arrival.topic)
        if kind == "data":
            return self._data(arrival, device)
        if kind == "profile":
            return self._profile(arrival, device)
        if kind in ("status", "health") and not self._told(arrival, kind, device):
            return []
        if kind in _NOT_FORWARDED:
            return []
        self.foreign += kind == OTHER
        return [_message(arrival, device, kind, plain_text(arrival.payload))]

    def status(self, device):
        """What a device said last of itself, {} if only others were heard; None for a stranger."""
        said = self.latest.get(f"devices/{device}/status")
        if said:
            return parsed(said.payload)
        return {} if device in self.ledger.devices else None

    def taken_changes(self):
        """The Changes since the last time."""
        changes, self.changes = self.changes, Changes()
        return changes

    def _data(self, arrival, device):
        try:
            readings = self.decoder.decode(arrival.topic, arrival.payload)
        except Waiting:
            self.wire_bytes += len(arrival.payload)
            self.changes.held.add(device)
            return []
        except Undecodable:
            return self._foreign(arrival, device)
        if not all(reading.stream < _MOST and reading.seq < _MOST for reading in readings):
            return self._foreign(arrival, device)
        self.wire_bytes += len(arrival.payload)
        return self._new(arrival, device, readings)

    def _foreign(self, arrival, device):
        """What is no reading of ours passes as it is."""
        self.foreign += 1
        data = plain_text(arrival.payload)
        self.undecodable += data.startswith('{"base64"')
        return [_message(arrival, device, OTHER, data)]

    def _new(self, arrival, device, readings):
        """One message of the readings that the ledger does not know yet, if there are any."""
        new = [r for r in readings if self.ledger.add(device, r.stream, r.seq)]
        self._touch(device, (reading.stream for reading in readings))
        self.readings += len(new)
        self.duplicates += len(readings) - len(new)
        if readings and readings[-1].units:
            self._learn_units(device, readings[-1].units)
        text = readings_text(new) if new else ""
        whole = len(new) == len(readings)
        self.json_bytes += len(text if whole else readings_text(readings))
        return [_message(arrival, device, "data", text)] if new else []

    def _profile(self, arrival, device):
        try:
            readings = self.decoder.learn(arrival.topic, arrival.payload)
        except Undecodable:
            self.undecodable += 1
            return []
        self.wire_bytes += len(arrival.payload)
        self.changes.held.add(device)
        topic = arrival.topic.removesuffix("profile") + "data"
        frames = dataclasses.replace(arrival, topic=topic, payload=b"")  # which came earlier
        return self._new(frames, device, readings) if readings else []

    def _told(self, arrival, kind, device):
        """Enter what a device says of itself; False if that is only a copy of what was known."""
        known = self.latest.get(arrival.topic)
        if arrival.retained and known and known.payload == arrival.payload:
            return False
        self.latest[arrival.topic] = self.changes.latest[arrival.topic] = arrival
        said = parsed(arrival.payload)
        getattr(self.ledger, kind)(device, said)
        streams = self.ledger.streams(device)
        self._touch(device, (s for s in streams if kind == "status" or s == said.get("s")))
        return True

    def _learn_units(self, device, units):
        known = self.units.setdefault(device, {})
        if units.items() <= known.items():
            return
        fresh = {channel: unit for channel, unit in units.items() if known.get(channel) != unit}
        if len(known) + len(fresh) <= _MOST_CHANNELS:
            known.update(fresh)
            self.changes.units.update({(device, channel): unit for channel, unit in fresh.items()})

    def _touch(self, device, streams):
        self.changes.streams.update(((device, stream), None) for stream in streams)


def parsed(payload):
    """The JSON object in bytes; {} if it is none."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _message(arrival, device, kind, data):
    return Message(0, arrival.time_ms, arrival.topic, device, kind, data, arrival)
