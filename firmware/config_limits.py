"""What a config must fulfil beyond its single keys."""

from micropython import const

_LOOPBACK = const(("localhost", "::1"))
_RESERVED = const(("s", "n", "ts", "up"))


def limits(config, problem):
    """Report what does not go together to `problem(path, found, allowed)`."""
    _device(config["device"]["id"], problem)
    for name in config["links"]:
        if config[name] is None:
            problem(name, "missing", "a link needs its section, which may be {}")
        else:
            _link(name, config[name], problem)
    if config["reconnect"]["first_s"] > config["reconnect"]["max_s"]:
        problem("reconnect.first_s", "more than reconnect.max_s", "it must not be the longer one")
    _channels(config["sensors"], problem)
    _steps(config["sensors"], problem)
    if any("scl" in sensor for sensor in config["sensors"]):
        __import__("firmware.config_i2c", None, None, ("check",)).check(config, problem)
    _recorded(config["sensors"], problem)
    if config["payload"]["format"] == "senml-cbor":
        __import__("firmware.config_senml", None, None, ("check",)).check(config, problem)
    if config["serve"]:
        _link("serve", config["serve"], problem)
        __import__("firmware.config_serve", None, None, ("check",)).check(config, problem)
    if config["microcoapy"]:
        __import__("firmware.config_microcoapy", None, None, ("check",)).check(config, problem)
    if config["sleep"]:
        __import__("firmware.config_sleep", None, None, ("check",)).check(config, problem)
    _message(config, problem)


def _device(device_id, problem):
    odd = device_id and any(byte in b"/+#" for byte in device_id.encode())
    if odd or (device_id and device_id.strip() != device_id):
        problem(
            "device.id",
            '"%s" found' % device_id,
            "it is part of a topic: no / + # and no space at its ends",
        )


def _link(name, link, problem):
    tls = link.get("tls")
    for host in [link["host"]] + link.get("hosts", []):
        address = host.split(":")[0] if host.count(":") == 1 else host
        numeric = address.startswith("127.") and not address.strip("0123456789.")
        if tls is None and not link["insecure"] and not numeric and address not in _LOOPBACK:
            found = "plain text to %s" % host
            problem(name + ".tls", found, 'give "tls", or say "insecure": true and bear it')
    if tls is not None:
        module = __import__("firmware.config_tls", None, None, ("check",))
        module.check(name + ".tls", tls, problem)
    if link.get("password") is not None and link["username"] is None:
        problem(name + ".username", "missing", "a password needs one")


def _channels(sensors, problem):
    seen = {}
    for i in range(len(sensors)):
        for key in sorted(sensors[i]["channels"]):
            path = "sensors[%d].channels.%s" % (i, key)
            if key in _RESERVED:
                problem(path, "a reserved key", "not allowed: " + ", ".join(_RESERVED))
            elif not 1 <= len(key.encode()) <= 16 or _odd(key):
                problem(
                    path,
                    "a key that can't stand in a message",
                    'text of 1 to 16 bytes without " and \\',
                )
            elif key in seen:
                problem(path, "a key that %s has too" % seen[key], "every channel needs its own")
            seen[key] = path


def _steps(sensors, problem):
    for i in range(len(sensors)):
        for key in sorted(sensors[i]["channels"]):
            channel = sensors[i]["channels"][key]
            step, decimals = channel["step"], channel["decimals"]
            if step and step[0] * 10**decimals < 10 ** -step[1]:
                problem(
                    "sensors[%d].channels.%s.step" % (i, key),
                    "finer than %d decimals" % decimals,
                    "the decimals must tell its steps apart",
                )


def _odd(key):
    """Goes by bytes: a character that is made a text stays in memory as a name."""
    before = 0
    for byte in key.encode():
        if byte < 32 or byte in b'"\\' or (before == 0xED and byte >= 0xA0):  # a surrogate
            return True
        before = byte
    return False


def _recorded(sensors, problem):
    if len(sensors) > 1:
        for i in range(len(sensors)):
            if sensors[i].get("times") == "recorded":
                problem(
                    "sensors[%d].times" % i,
                    '"recorded" beside other sensors',
                    "a reading has one time only",
                )


def _message(config, problem):
    """One reading must always fit a message."""
    from . import payloads
    from .sensors import channels

    every = []
    for sensor in config["sensors"]:
        every += channels(sensor["channels"])
    most = payloads.module(config["payload"]["format"]).most_bytes(every)
    if config["limits"]["message_bytes"] < most:
        found = "%d found" % config["limits"]["message_bytes"]
        problem("limits.message_bytes", found, "a reading of these channels takes up to %d" % most)
