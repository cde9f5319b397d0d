"""Applies the rules of a config.

Every kind of rule has a method (value, its arguments, path) that returns the value as the
application wants it, and reports what is wrong. A problem reads `path: what was found; what is
allowed`.
"""

import json

from . import config_rules
from .config import ConfigError


def check(config, folder):
    """Return `config` with every default filled in; raises ConfigError with all its problems."""
    from .config_limits import limits

    state = _Check(folder)
    result = state.table(config, config_rules.ROOT, "")
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
        self.problems.append("%s: %s; %s" % (path, found, allowed))

    def wrong(self, path, value, allowed):
        shown = json.dumps(value)
        if len(shown) > 60:
            shown = shown[:57] + "..."
        self.problem(path, shown + " found", allowed)

    def value(self, value, kind, path):
        return getattr(self, "_" + kind[0])(value, kind[1:], path)

    def table(self, given, rules, path):
        """Check an object against {key: (kind, default)} and return it complete."""
        if not isinstance(given, dict):
            self.wrong(path, given, "an object is allowed")
            return {}
        dot = path + "." if path else ""
        for key in sorted(given):
            if key not in rules:
                self.problem(dot + key, "unknown key", _suggest(key, rules))
        result = {}
        for key in sorted(rules):
            kind, default = rules[key]
            value = given.get(key, default)
            if value is ...:
                self.problem(dot + key, "missing", "it must be given")
            elif value is None and default is None:
                result[key] = None
            else:
                result[key] = self.value(value, kind, dot + key)
        return result

    # The kinds

    def _table(self, value, arguments, path):
        return self.table(value, arguments[0], path)

    def _text(self, value, arguments, path):
        shortest, longest = arguments
        if (
            not isinstance(value, str)
            or not shortest <= len(value.encode()) <= longest
            or _control(value)
        ):
            self.wrong(path, value, "text of %d to %d bytes is allowed" % (shortest, longest))
        return value

    def _integer(self, value, arguments, path):
        low, high = arguments
        if type(value) is not int or not low <= value <= high:
            self.wrong(path, value, "a whole number from %d to %d is allowed" % (low, high))
        return value

    def _seconds(self, value, arguments, path):
        low, high = arguments
        if type(value) not in (int, float) or not low <= value <= high:
            self.wrong(path, value, "seconds from %s to %s are allowed" % (low, high))
        return value

    def _boolean(self, value, arguments, path):
        if type(value) is not bool:
            self.wrong(path, value, "true or false is allowed")
        return value

    def _choice(self, value, arguments, path):
        if value not in arguments[0]:
            self.wrong(path, value, "allowed: " + ", ".join(json.dumps(v) for v in arguments[0]))
        return value

    def _hex(self, value, arguments, path):
        shortest, longest = arguments
        digits = isinstance(value, str) and not value.strip("0123456789abcdefABCDEF")
        if not digits or len(value) % 2 or not shortest <= len(value) // 2 <= longest:
            self.problem(
                path,
                "a key found that is none",
                "%d to %d bytes in hexadecimal" % (shortest, longest),
            )
        return value

    def _file(self, value, arguments, path):
        if not isinstance(value, str) or not value:
            self.wrong(path, value, "the path of a file is allowed")
            return None
        name = value if value[0] == "/" else self.folder + value
        try:
            open(name).close()
        except OSError:
            self.wrong(path, value, "that file can't be opened")
        return name

    def _list(self, value, arguments, path):
        kind, shortest, longest = arguments
        if not isinstance(value, list) or not shortest <= len(value) <= longest:
            self.wrong(path, value, "a list of %d to %d is allowed" % (shortest, longest))
            return []
        return [self.value(value[i], kind, "%s[%d]" % (path, i)) for i in range(len(value))]

    def _mapping(self, value, arguments, path):
        kind, longest = arguments
        if not isinstance(value, dict) or not 1 <= len(value) <= longest:
            self.wrong(path, value, "an object of 1 to %d keys is allowed" % longest)
            return {}
        return {key: self.value(value[key], kind, path + "." + key) for key in sorted(value)}

    def _sensor(self, value, arguments, path):
        """A table whose rules are partly the driver's own."""
        driver = value.get("driver") if isinstance(value, dict) else None
        rules = dict(config_rules.SENSOR)
        channel = dict(config_rules.CHANNEL)
        module = _driver(driver)
        if module:
            of_driver, of_channel = module.rules()
            rules.update(of_driver)
            channel.update(of_channel)
            rules["channels"] = (config_rules.mapping(config_rules.table(channel), 32), ...)
        elif isinstance(driver, str):
            self.wrong(
                path + ".driver",
                driver,
                "there is no driver of that name; there are: " + ", ".join(_drivers()),
            )
            return value
        known = len(self.problems)
        result = self.table(value, rules, path)
        if module and len(self.problems) == known:
            for where, problem in module.check(result):
                self.problems.append("%s.%s: %s" % (path, where, problem))
        return result


def _driver(name):
    from . import sensors

    if (
        not isinstance(name, str)
        or not name
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


def _control(text):
    return any(ord(c) < 32 or ord(c) == 127 for c in text)


def _suggest(key, rules):
    best = min(rules, key=lambda known: (_distance(key, known), known))
    if _distance(key, best) <= max(1, len(best) // 3):
        return 'did you mean "%s"?' % best
    return "known here: " + ", ".join(sorted(rules))


def _distance(a, b):
    """How many letters must be changed, added or left out to make `b` of `a`."""
    row = list(range(len(b) + 1))
    for i in range(len(a)):
        last, row[0] = row[0], i + 1
        for j in range(len(b)):
            step = min(row[j] + 1, row[j + 1] + 1, last + (a[i] != b[j]))
            last, row[j + 1] = row[j + 1], step
    return row[-1]
