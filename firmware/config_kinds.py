"""Applies the rules of a config.

Every kind of rule has a method (value, its arguments, path) that returns the value as the
application wants it, and reports what is wrong. A problem reads `path: what was found; what is
allowed`.
"""

import json

from . import config_rules


class ConfigError(Exception):
    """`problems` is a list of lines: path: what was found; what is allowed."""

    def __init__(self, problems):
        super().__init__("; ".join(problems))
        self.problems = problems


def check(config, folder):
    """Return `config` with every default filled in; raises ConfigError with all its problems."""
    from .config_limits import limits

    state = _Check(folder)
    for name in ("mqtt", "coap", "microcoapy"):
        if isinstance(config, dict) and config.get("links") == [name] and name not in config:
            config[name] = {}
    result = state.table(config, "", config_rules.ROOT)
    if not state.problems:
        limits(result, state.problem)
    if state.problems:
        raise ConfigError(state.problems)
    return result


class _Check:
    def __init__(self, folder):
        self.folder = folder
        self.problems = []

    def problem(self, path, found, allowed):
        line = "%s: %s; %s" % (path, found, allowed)
        self.problems.append("".join("?" if _odd(c) else c for c in line))

    def wrong(self, path, value, allowed):
        shown = json.dumps(value)
        if len(shown) > 60:
            shown = shown[:57] + "..."
        if path.endswith("password"):
            shown = "one that is none"
        self.problem(path, shown + " found", allowed)

    def value(self, value, rule, path):
        """Check a value against its rule and return it as the application wants it."""
        if value is None and rule[0] is None:
            return None
        return getattr(self, rule[1])(value, path, *rule[2:])

    # The kinds

    def table(self, value, path, rules=None):
        if rules is None:
            name = path.rsplit(".", 1)[-1]
            try:
                rules = __import__("firmware.config_" + name, None, None, ("ROOT",)).ROOT
            except ImportError:
                self.problem(path, "not on this board", "petrel flash brings what the config uses")
                return {}
        if not isinstance(value, dict):
            self.wrong(path, value, "an object is allowed")
            return {}
        dot = path + "." if path else ""
        for key in sorted(value):
            if key not in rules:
                module = __import__("firmware.config_help", None, None, ("suggest",))
                self.problem(dot + key, "unknown key", module.suggest(key, rules))
        result = {}
        for key in sorted(rules):
            given = value.get(key, rules[key][0])
            if given is ...:
                self.problem(dot + key, "missing", "it must be given")
            else:
                result[key] = self.value(given, rules[key], dot + key)
        return result

    def list(self, value, path, low, high, rule):
        if not isinstance(value, list) or not low <= len(value) <= high:
            self.wrong(path, value, "a list of %d to %d is allowed" % (low, high))
            return []
        return [self.value(value[i], rule, "%s[%d]" % (path, i)) for i in range(len(value))]

    def text(self, value, path, low, high):
        odd = isinstance(value, str) and _odd(value)
        if odd or not isinstance(value, str) or not low <= len(value.encode()) <= high:
            self.wrong(path, value, "text of %d to %d bytes is allowed" % (low, high))
        return value

    def integer(self, value, path, low, high):
        if type(value) is not int or not low <= value <= high:
            self.wrong(path, value, "a whole number from %d to %d is allowed" % (low, high))
        return value

    def seconds(self, value, path, low, high):
        if type(value) not in (int, float) or not low <= value <= high:
            self.wrong(path, value, "seconds from %s to %s are allowed" % (low, high))
        return value

    def number(self, value, path, low, high):
        if type(value) not in (int, float) or not low <= value <= high:
            self.wrong(path, value, "a number from %d to %d is allowed" % (low, high))
        return value

    def boolean(self, value, path):
        if type(value) is not bool:
            self.wrong(path, value, "true or false is allowed")
        return value

    def choice(self, value, path, *values):
        if value not in values:
            self.wrong(path, value, "allowed: " + ", ".join(json.dumps(v) for v in values))
        return value

    def hex(self, value, path, low, high):
        digits = isinstance(value, str) and not value.strip("0123456789abcdefABCDEF")
        if not digits or len(value) % 2 or not low <= len(value) // 2 <= high:
            self.problem(path, "no key found", "%d to %d bytes in hexadecimal" % (low, high))
        return value

    def step(self, value, path):
        if type(value) in (int, float) and 0 < value < 1e6:
            # A float of the board has 24 bits or 53: what it was written as is the shortest that
            # it can mean.
            close = 4e-7 if 1.0 + 1e-9 == 1.0 else 1e-12
            for exponent in range(16):
                mantissa = value * 10**exponent
                whole = int(mantissa + 0.5)
                if 0 < whole < 1 << 29 and abs(mantissa - whole) <= close * whole:
                    return whole, -exponent
        self.wrong(path, value, "a decimal fraction above 0 and below 1000000 is allowed")
        return None

    def file(self, value, path):
        if not isinstance(value, str) or not value:
            self.wrong(path, value, "the path of a file is allowed")
            return None
        name = value if value[0] == "/" else self.folder + value
        try:
            with open(name, "rb") as file:
                file.read(1)  # a folder opens, but can't be read
        except OSError:
            self.wrong(path, value, "that file can't be opened")
        return name

    def pin(self, value, path):
        """Whether the board has it shows when it is used."""
        named = isinstance(value, str) and 1 <= len(value) <= 16
        if not named and (type(value) is not int or not 0 <= value <= 63):
            self.wrong(path, value, 'a pin\'s number from 0 to 63, or its name, such as "LED"')
        return value

    def sensor(self, value, path):
        if not isinstance(value, dict):
            self.wrong(path, value, "an object is allowed")
            return {}
        module = _driver(value.get("driver"))
        if module is None:
            names = "a driver is allowed, there is: " + ", ".join(_drivers())
            self.wrong(path + ".driver", value.get("driver"), names)
            return {}
        rules = dict(config_rules.SENSOR)
        of_driver, of_channel = module.rules()
        rules.update(of_driver)
        channel = dict(config_rules.CHANNEL)
        channel.update(of_channel)
        rules["channels"] += (channel,)
        before = len(self.problems)
        result = self.table(value, path, rules)
        if len(self.problems) == before:
            for where, found, allowed in module.check(result):
                self.problem(path + "." + where, found, allowed)
        return result

    def channels(self, value, path, rules):
        if not isinstance(value, dict) or not 1 <= len(value) <= 32:
            self.wrong(path, value, "an object of 1 to 32 channels is allowed")
            return {}
        return {key: self.table(value[key], path + "." + key, rules) for key in sorted(value)}


def _odd(value):
    """Has it a character that brokers refuse (MQTT 3.1.1, section 1.5.3)? Goes by bytes where it
    can: a character that is made a text stays in memory as a name.
    """
    if all(32 <= byte < 127 for byte in value.encode()):
        return False
    for c in value:
        code = ord(c)
        if code < 32 or 127 <= code < 160 or code >> 11 == 0xD800 >> 11:
            return True
        if code & 0xFFFE == 0xFFFE:
            return True
    return False


def _driver(name):
    from . import sensors

    if (
        not isinstance(name, str)
        or name[:1] in ("", "_")
        or name.strip("abcdefghijklmnopqrstuvwxyz0123456789_")
    ):
        return None
    try:
        return sensors.module(name)
    except (ImportError, AttributeError):
        return None


def _drivers():
    """Names of the drivers that are here."""
    import os

    from . import sensors

    folder = sensors.__file__
    names = {name.rsplit(".", 1)[0] for name in os.listdir(folder[: folder.rfind("/")])}
    return sorted(name for name in names if name[0] != "_")
