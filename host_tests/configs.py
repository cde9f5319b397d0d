"""What the tests of configs share: a folder, the device's validator, the paths of all rules."""

import copy
import json
import re

from host_tests.config_cases import BASE, CSV, PSK, SERVER_TLS, TLS
from host_tests.on_cpython import load

rules = load("config_rules")
replay = load("sensors.replay")


def furnished(path):
    """A folder with the files that the configs here name."""
    (path / "folder").mkdir()
    for name in ("data.csv", "folder/more.csv"):
        (path / name).write_text(CSV)
    for name in ("ca.crt", "d.crt", "d.key"):
        (path / name).write_text("not looked into yet")
    return path


class Checker:
    """Writes configs into a folder and has the device check them."""

    def __init__(self, chip, folder):
        self.chip, self.folder, self.path = chip, folder, folder / "config.json"

    def __call__(self, config):
        """The device's problems; `config` is an object, or text or bytes as they are."""
        self.write(config)
        told = self.chip.call("check", str(self.path))
        self.result = told["config"]
        for line in told["problems"]:
            assert_a_line(line)
        return told["problems"]

    def write(self, config, name="config.json"):
        if not isinstance(config, bytes):
            text = config if isinstance(config, str) else json.dumps(config, ensure_ascii=False)
            config = text.encode(errors="surrogatepass")
        (self.folder / name).write_bytes(config)


def assert_a_line(line):
    """`path: what was found; what is allowed`, on one line."""
    assert not re.search(r"[\x00-\x1f]", line), repr(line[:200])
    assert re.fullmatch(r".*: .+", line), line[:200]


def changed(path, value, base=BASE):
    """A copy of the config with the value at a path like sensors[0].channels.t.unit."""
    config = copy.deepcopy(base)
    *way, last = steps(path)
    here = config
    for step in way:
        here = here.setdefault(step, {}) if isinstance(here, dict) else here[step]
    here[last] = value
    return config


def steps(path):
    return [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]


def base_for(path):
    """A good config in which there is such a path."""
    section, _, key = path.partition(".")
    if key.startswith("tls."):
        certificates = SERVER_TLS if section == "serve" else TLS
        return changed(section + ".tls", PSK if "psk" in path else certificates)
    if path == "mqtt.hosts[0]":
        return changed("mqtt.hosts", ["localhost"])
    return BASE


def paths_of(table, before=""):
    """Every path that the rules know."""
    for key, rule in table.items():
        yield from paths_of_rule(before + key, rule)


def paths_of_rule(path, rule):
    yield path
    kind, *arguments = rule[1:]
    if kind == "table" and not arguments:
        yield from paths_of(load("config_" + path.rpartition(".")[2]).ROOT, path + ".")
    elif kind == "table":
        yield from paths_of(arguments[0], path + ".")
    elif kind == "list":
        yield from paths_of_rule(path + "[0]", arguments[2])
    elif kind == "sensor":
        of_driver, of_channel = replay.rules()
        sensor = rules.SENSOR | of_driver
        sensor["channels"] = (..., "table", {"t": (..., "table", rules.CHANNEL | of_channel)})
        yield from paths_of(sensor, path + ".")


ALL_PATHS = list(paths_of(rules.ROOT))
"""As in CASES: `sensors[0].every_s`, with the driver `replay`."""
