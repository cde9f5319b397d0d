"""What travels through the gateway, and what a topic says about it."""

import base64
import dataclasses
import datetime
import json

from petrel.readings import device_of

OTHER = "other"
KINDS = ("data", "status", "health", "responses", "profile", "commands")
"""The last level of `devices/{id}/...`; anything else is OTHER."""
NOT_VALUES = ("s", "n", "ts")  # of a reading's object
MOST_DEPTH = 100
"""JSON that is deeper goes on as text: whoever parses it again may stand deeper in the stack."""
_IDS = range(1, 65)  # bytes of a device's id


@dataclasses.dataclass(frozen=True, slots=True)
class Arrival:
    """A message as a source took it.

    payload: bytes. time_ms: Unix milliseconds. retained: the broker's copy of something older.
    via: the protocol, as people call it.
    """

    topic: str
    payload: bytes
    time_ms: int
    retained: bool = False
    via: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """What sinks get.

    id: its place in the spool, from 1; 0 until it has one. device: of the topic, or the topic
    itself where it names none. kind: of KINDS; "data" are Petrel's readings alone. data: JSON
    text; readings are an object or an array of them as in docs/WIRE.md, whatever format they came
    in. arrival: what it was made of, as long as it is new; None out of the spool.
    """

    id: int
    time_ms: int
    topic: str
    device: str
    kind: str
    data: str
    arrival: Arrival | None = dataclasses.field(default=None, compare=False, repr=False)


def kind_of(topic):
    """The kind of a topic, also of one under a prefix."""
    *_, place, _, kind = ["", "", *topic.split("/")]
    return kind if place == "devices" and kind in KINDS else OTHER


def is_device_id(text):
    """Whether it can stand in a topic as a device's id (docs/WIRE.md)."""
    try:
        length = len(text.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return length in _IDS and text.isprintable() and not set(text) & set("/+#")


def readings_text(readings):
    """JSON text of one reading, or of an array of several."""
    items = [_reading_object(reading) for reading in readings]
    return json.dumps(items[0] if len(items) == 1 else items, separators=(",", ":"))


def items_of(data):
    """The items of a message's JSON text, one or an array of them."""
    found = json.loads(data)
    return found if isinstance(found, list) else [found]


def _reading_object(reading):
    time = {} if reading.ts is None else {"ts": reading.ts}
    return {"s": reading.stream, "n": reading.seq, **time, **reading.values}


def plain_text(payload):
    """JSON text of any payload: itself if it is JSON, else a string, else `{"base64": ...}`."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return json.dumps({"base64": base64.b64encode(payload).decode()})
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return json.dumps(text)
    if text.count("{") + text.count("[") > MOST_DEPTH and _is_deep(found):
        return json.dumps(text)
    return text.strip()


def _is_deep(found):
    level = [found]
    for _ in range(MOST_DEPTH):
        level = [inner for each in level if isinstance(each, dict | list)
                 for inner in (each.values() if isinstance(each, dict) else each)]
    return bool(level)


def envelope(message, spool_name):
    """The JSON text of a message with its id, topic and time, as webhooks and queues get it."""
    return (f'{{"id":"{spool_name}-{message.id}","topic":{json.dumps(message.topic)},'
            f'"data":{message.data},"timestamp":"{timestamp(message.time_ms)}"}}')


def timestamp(time_ms):
    """Unix milliseconds in ISO 8601."""
    moment = datetime.datetime.fromtimestamp(time_ms / 1000, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refuse(name):
    raise ValueError(f"{name} is no JSON number")


__all__ = [
    "KINDS", "NOT_VALUES", "OTHER", "Arrival", "Message", "device_of", "envelope", "is_device_id",
    "items_of", "kind_of", "plain_text", "readings_text", "timestamp",
]
