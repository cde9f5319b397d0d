"""Readings out of the payloads of `devices/{id}/data`.

Formats are told apart by the first byte of the payload, through one table, `DECODERS`.
"""

import dataclasses
import decimal
import json
import math

import cbor2

from frame.decoder import decode as read_frame
from frame.errors import ProtocolError, UnknownProfile
from petrel import senml

_UPTIMES_MS = 100_000_000_000
"""A frame's time below this, in 1973, is an uptime: the device's clock was not set."""


class Undecodable(ValueError):
    """The payload is no reading; the message says why, in one line."""


class UnknownFrame(Undecodable):
    """A frame by a profile that is not at hand; `mark` names the profile."""

    def __init__(self, mark):
        super().__init__(f"a frame by profile {mark:04x}, which has not come")
        self.mark = mark


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """One reading of one device.

    stream: the life of the device's queue it was born in. seq: its number there, from 1.
    ts: Unix seconds at which it was due, None when the device's clock was not set.
    values: channel -> number. units: channel -> unit, where the payload tells; the same
    dictionary for all readings of a payload.
    """

    device: str
    stream: int
    seq: int
    ts: int | float | None
    values: dict[str, int | float]
    units: dict[str, str] | None = dataclasses.field(default=None, compare=False)


def decode(topic, payload, profiles=None):
    """The readings in `payload` (bytes), oldest first; raises Undecodable.

    profiles: {mark: frame.profile.Profile} of the device, for frames that leave their schema to
    one.
    """
    if not payload:
        raise Undecodable("an empty payload")
    decoder = DECODERS.get(payload[0])
    if decoder is None:
        raise Undecodable(f"no known format starts with byte 0x{payload[0]:02x}")
    return decoder(device_of(topic), payload, profiles)


def device_of(topic):
    """The device id in `devices/{id}/data`, or in the like of it under a prefix.

    Any other topic, which somebody's own filter may bring, stands for the device itself.
    """
    levels = topic.split("/")
    return levels[-2] if levels[-3:-2] == ["devices"] else topic


def decode_json(device, payload, _=None):
    """One object is one reading, an array of them a batch."""
    try:
        found = json.loads(payload, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise Undecodable("nested too deeply") from error
    except ValueError as error:  # bad JSON and bad UTF-8 alike
        raise Undecodable(f"not JSON: {error}") from error
    if not isinstance(found, list):
        found = [found]
    if not found:
        raise Undecodable("an empty batch")
    return [_reading(device, item) for item in found]


def _refuse_constant(name):
    raise Undecodable(f"{name} is no JSON number")


def _reading(device, item, units=None):
    if not isinstance(item, dict):
        raise Undecodable(f"a reading is an object, this is {_short(item)}")
    rest = dict(item)
    stream = _integer(rest, "s", 0)
    seq = _integer(rest, "n", 1)
    ts = rest.pop("ts", None)
    if ts is None:
        rest.pop("up", None)  # seconds since boot, in place of a clock that was not set
    elif not _is_number(ts):
        raise Undecodable(f"ts: {_short(ts)} is no number")
    for channel, value in rest.items():
        if not _is_number(value):
            raise Undecodable(f"{channel}: {_short(value)} is no number")
    return Reading(device, stream, seq, ts, rest, units)


def decode_cbor(device, payload, _=None):
    """A map is one reading, an array of them a batch; an array with integer labels is SenML."""
    try:
        found = cbor2.loads(payload)
    except (cbor2.CBORDecodeError, RecursionError, OverflowError) as error:
        raise Undecodable(f"not CBOR: {error}") from error
    items = found if isinstance(found, list) else [found]
    if not items:
        raise Undecodable("an empty batch")
    if any(isinstance(label, int) for item in items if isinstance(item, dict) for label in item):
        return _senml(device, items)
    return [_reading(device, _plain(item)) for item in items]


def _plain(item):
    """A CBOR map with its decimal fractions as the numbers of Python."""
    if not isinstance(item, dict) or not all(isinstance(key, str) for key in item):
        raise Undecodable("a reading is a map with text as keys")
    return {key: _number(value) for key, value in item.items()}


def _number(value):
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _senml(device, items):
    """Petrel's own packs: a record with "seq" begins a reading."""
    try:
        records = senml.resolve(items)
    except (ValueError, TypeError) as error:
        raise Undecodable(f"not SenML: {error}") from error
    found, stream, units = [], 0, {}
    for record in records:
        stream = record.more.get("stream", stream)
        if "seq" in record.more:
            seconds = None if record.time is None else math.floor(record.time)
            found.append({"s": stream, "n": record.more["seq"], "ts": seconds})
        if not found:
            raise Undecodable("SenML without the reading's number")
        channel = record.name.rpartition("/")[2]
        found[-1][channel] = _number(record.value)
        if isinstance(record.unit, str):
            units[channel] = record.unit
    return [_reading(device, item, units) for item in found]


def decode_frame(device, payload, profiles):
    """A frame that describes itself, or leaves that to one of `profiles`; see lib/frame."""
    try:
        found = read_frame(payload, profiles)
    except UnknownProfile as error:
        raise UnknownFrame(error.mark) from error
    except ProtocolError as error:
        raise Undecodable(f"no frame: {error}") from error
    units = {channel.key: channel.unit for channel in found.schema.channels if channel.unit}
    readings = []
    for number, (time_ms, values) in enumerate(zip(found.times, found.values, strict=True)):
        numbers = {
            channel.key: _number(_scaled(channel, value))
            for channel, value in zip(found.schema.channels, values, strict=True)
            if value is not None
        }
        ts = None if time_ms < _UPTIMES_MS else _number(decimal.Decimal(time_ms) / 1000)
        readings.append(Reading(device, found.stream, found.seq + number, ts, numbers, units))
    return readings


def _scaled(channel, value):
    """A channel's integer as a number of its decimals, like in the other formats."""
    mantissa, exponent = channel.step or (1, -channel.decimals)
    scaled = decimal.Decimal(value * mantissa).scaleb(exponent)
    return scaled.quantize(decimal.Decimal(1).scaleb(-channel.decimals), decimal.ROUND_HALF_UP)


def _integer(item, key, least):
    value = item.pop(key, None)
    if type(value) is not int or value < least:
        raise Undecodable(f"{key}: {_short(value)} is no whole number from {least} up")
    return value


def _is_number(value):
    if isinstance(value, float):
        return math.isfinite(value)  # 1e999 becomes an infinity
    return type(value) is int


def _short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."


# First byte of a payload -> decoder(device, payload).
DECODERS = dict.fromkeys(b"{[ \t\r\n", decode_json)
DECODERS |= dict.fromkeys(range(0xE0, 0x100), decode_frame)
DECODERS |= dict.fromkeys([*range(0x80, 0xC0)], decode_cbor)  # arrays and maps
