"""Reading a config: `config.json`, with `secrets.json` beside it merged over it, checked, its
defaults filled in.

`load` is what the device starts with and what `petrel check` prints; the rules are in
`firmware/config_rules.py`, what needs more than one key in `firmware/config_limits.py`. None of
these modules is kept once a config is read (`firmware/assemble.py`).
"""

import json

from .config_kinds import ConfigError, check


def load(path, parts=()):
    """Return the config of the file `path`, complete and valid, its file names absolute; raises
    ConfigError. Of the optional sections those in `parts` are filled in too.
    """
    folder = path[: path.rfind("/") + 1]
    config = _read(path)
    try:
        secrets = _read(folder + "secrets.json")
    except _Missing:
        secrets = {}
    _merge(config, secrets)
    for name in parts:
        config.setdefault(name, {})
    return check(config, folder)


class _Missing(ConfigError):
    pass


def _read(path):
    try:
        with open(path) as file:
            config = json.load(file)
        _check_keys(config)
    except OSError as error:
        raise (_Missing if error.errno == 2 else ConfigError)(
            ["%s: can't be read (%s)" % (path, _why(error))]
        )
    except UnicodeError:
        raise ConfigError(["%s: not UTF-8" % path])
    except (ValueError, RuntimeError, MemoryError):
        raise ConfigError(["%s: not valid JSON, or not all of it is there" % path])
    if not isinstance(config, dict):
        raise ConfigError(["%s: a %s found; an object is allowed" % (path, type(config).__name__)])
    return config


def _check_keys(value):
    """Raise ValueError for a key that is no text, which MicroPython's JSON allows, and
    RuntimeError for what is nested more deeply than the rest of the checking could follow.
    """
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError
            _check_keys(value[key])
    elif isinstance(value, list):
        for element in value:
            _check_keys(element)


def _why(error):
    return {2: "there is no such file", 13: "permission denied", 21: "it is a folder"}.get(
        error.errno, str(error)
    )


def _merge(config, over):
    """Lay `over` on `config`, objects key by key."""
    for key in over:
        if isinstance(over[key], dict) and isinstance(config.get(key), dict):
            _merge(config[key], over[key])
        else:
            config[key] = over[key]
