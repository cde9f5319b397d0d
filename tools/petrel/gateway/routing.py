"""Routing keys of AMQP: what a message and each of its values is called there.

    devices/shed/data  {"s":7,"n":1,"ts":1795354689,"t":25.5,"h":60}
       -> devices.shed.data        the message
       -> sensors.temperature      25.5    a value is called by its quantity
       -> sensors.humidity         60
    sensors/roof  23.5
       -> sensors.roof             what is no reading has its topic, as RabbitMQ's MQTT plugin does

No socket in here.
"""

import json

from frame.schema import KEYS, UNITS
from petrel.gateway.message import KINDS, NOT_VALUES, envelope, items_of, timestamp

MOST_KEY = 255  # bytes of a routing key (AMQP 0-9-1, section 4.2.5.3)

_OF_UNITS = {
    "temperature": "Cel K degF", "humidity": "%RH", "pressure": "hPa Pa kPa bar mbar",
    "voltage": "V mV", "current": "A mA", "power": "W kW", "energy": "J Wh kWh",
    "illuminance": "lx", "co2": "ppm", "speed": "m/s km/h kn mph", "direction": "deg",
    "count": "count", "level": "% /", "length": "mm cm m km in ft mi", "particulates": "ug/m3",
    "weight": "kg g", "volume": "l m3", "flow": "m3/s l/min", "frequency": "Hz", "ph": "pH",
    "acceleration": "m/s2", "irradiance": "W/m2", "resistance": "Ohm", "signal": "dBm",
    "conductivity": "S/m uS/cm", "latitude": "lat", "longitude": "lon",
}
QUANTITIES = {unit: name for name, units in _OF_UNITS.items() for unit in units.split()}
_UNIT_OF_KEY = dict(zip(KEYS, UNITS.split("|"), strict=False))


class Routes:
    """quantities: {unit or channel: name} over QUANTITIES. units: {device: {channel: unit}}, as
    devices tell them; JSON and CBOR tell none, there t, h, p ... mean what they do in frames.
    """

    def __init__(self, quantities, units):
        self._given, self._units = quantities, units

    def unit(self, device, channel):
        """The unit of a channel, or None."""
        return self._units.get(device, {}).get(channel) or _UNIT_OF_KEY.get(channel)

    def quantity(self, device, channel):
        """The word for what a channel measures; its own name where nothing else is known."""
        unit = self.unit(device, channel)
        given = self._given.get(channel) or self._given.get(unit)
        return word(given or QUANTITIES.get(unit) or channel)

    def parcels(self, message, spool_name):
        """[(routing key, id, JSON text)] of a message: itself, and each of its values."""
        found = [(key_of(message), f"{spool_name}-{message.id}", envelope(message, spool_name))]
        if message.kind == "data":
            found += self._values(message)
        return found

    def _values(self, message):
        for item in items_of(message.data):
            for channel in (key for key in item if key not in NOT_VALUES):
                quantity = self.quantity(message.device, channel)
                text = self._value_text(message, item, channel, quantity)
                yield (f"sensors.{quantity}",
                       f"{message.device}/{item['s']}/{item['n']}/{channel}", text)

    def _value_text(self, message, item, channel, quantity):
        return json.dumps({
            "deviceId": message.device, "quantity": quantity, "data": item[channel],
            "unit": self.unit(message.device, channel), "channel": channel,
            **{key: item[key] for key in NOT_VALUES if key in item},
            "topic": message.topic, "timestamp": timestamp(message.time_ms),
        }, separators=(",", ":"))


def key_of(message):
    """The routing key of a whole message."""
    if message.kind in KINDS:
        return f"devices.{word(message.device)}.{message.kind}"
    return key_of_topic(message.topic)


def word(text):
    """Text as one word of a routing key."""
    return "".join("_" if sign in ".*#" else sign for sign in text) or "_"


def key_of_topic(topic):
    """The routing key of an MQTT topic or filter, as RabbitMQ's MQTT plugin makes it."""
    return topic.replace("/", ".").replace("+", "*")


def topic_of_key(key):
    """The MQTT topic of a routing key that the plugin made."""
    return key.replace(".", "/")


def is_bound(pattern, key):
    """Whether a queue bound with `pattern` gets what is published with `key`."""
    return _fits(pattern.split("."), key.split("."))


def _fits(pattern, words):
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_fits(pattern[1:], words[at:]) for at in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and _fits(pattern[1:], words[1:])
