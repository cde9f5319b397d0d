"""Small valid configs for tests."""

import copy

from host_tests.harness import data


def config(port, **changes):
    """A config for one replayed sensor that publishes to a loopback `port`, ten rows a second.

    Changes are merged into it, dictionaries key by key: config(port, umqtt={"keepalive_s": 5}).
    `sensor` changes the one sensor: config(port, sensor={"every_s": 1}).
    """
    base = {
        "device": {"id": "d1"},
        "links": ["umqtt"],
        "umqtt": {"host": "127.0.0.1", "port": port, "keepalive_s": 30, "timeout_s": 10},
        "sensors": [
            {
                "driver": "replay",
                "file": data.MOTE,
                "every_s": 5,
                "speed": 50,
                "channels": copy.deepcopy(data.MOTE_CHANNELS),
            }
        ],
        "payload": {"format": "json", "batch": 1, "max_age_s": 60},
        "reconnect": {"first_s": 0.2, "max_s": 1},
    }
    sensor = changes.pop("sensor", {})
    base["sensors"][0] = merged(base["sensors"][0], sensor)
    return merged(base, changes)


def merged(base, changes):
    """A new dictionary: `base` with `changes` over it, dictionaries in both merged in turn."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = merged(base[key], value) if both else value
    return result
