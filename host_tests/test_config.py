"""The rules of a config: each with good and bad cases, in the same words on device and host.

CASES has to name every rule of firmware/config_rules.py, and LIMITS every problem that
firmware/config_limits.py can report: a rule that is added without a case fails here.
"""

import ast
import copy
import json
import os
import re
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tests.chip import Chip, environment
from host_tests.on_cpython import load
from petrel import ROOT, check, runtime

rules = load("config_rules")
replay = load("sensors.replay")

CSV = "t,temp_c,hum\n0,21.5,60\n5,21.6,61\n"
BASE = {
    "device": {"id": "d1"},
    "wifi": [{"ssid": "home", "password": "secret"}],
    "links": ["umqtt"],
    "umqtt": {"host": "127.0.0.1", "tls": None},
    "sensors": [{
        "driver": "replay", "file": "data.csv", "every_s": 10,
        "channels": {"t": {"column": "temp_c", "unit": "Cel", "decimals": 2}},
    }],
    "payload": {}, "queue": {}, "reconnect": {}, "limits": {},
}
TLS = {"ca": "ca.crt"}
PSK = {"psk_identity": "d1", "psk_key_hex": "00" * 16}
REPLAY = BASE["sensors"][0]
TEXT = [None, 7, True, ["x"], {"a": "b"}]  # what is no text, and a rule may have a better use for
NUMBER = ["7", None, True, [1], {}]

# path: ([good values], [bad values])
CASES = {
    "device": ([{}], [None, [], "d1"]),
    "device.id": (
        ["d1", "x" * 64, "gärtnerei", "ß" * 32, None], ["", "x" * 65, "ß" * 33, "a\nb", 7, ["d"]],
    ),
    "wifi": ([[], [{"ssid": "a"}] * 8], [None, {}, "home", [{"ssid": "a"}] * 9]),
    "wifi[0]": ([{"ssid": "a"}], [None, "home", []]),
    "wifi[0].ssid": (["", "x" * 32], ["x" * 33, "ß" * 17, *TEXT]),
    "wifi[0].password": (["", "x" * 63], ["x" * 64, "a\0b", *TEXT]),
    "links": ([["umqtt"]], [[], ["umqtt", "umqtt"], None, "umqtt", {}]),
    "links[0]": (["umqtt"], ["mqtt", "", None, 0, ["umqtt"]]),
    "umqtt": ([{}], [None, [], "127.0.0.1"]),
    "umqtt.host": (["localhost", "127.0.0.1", "::1"], ["", "x" * 254, *TEXT]),
    "umqtt.port": ([1, 65535, 1883, None], [0, 65536, -1, 1883.0, "1883", True, []]),
    "umqtt.username": (["u", "ü" * 128, None], ["", "u" * 257, 7, []]),
    "umqtt.password": ([None], ["p" * 257, 7, [], "tab\t"]),
    "umqtt.keepalive_s": ([1, 1.5, 3600], [0, 0.999, 3600.1, -5, *NUMBER]),
    "umqtt.timeout_s": ([1, 2.5, 60], [0.5, 60.5, 61, *NUMBER]),
    "umqtt.qos": ([0, 1], [2, -1, 1.0, *NUMBER]),
    "umqtt.tls": ([None, TLS, PSK], [[], "ca.crt", True, 0]),
    "umqtt.tls.ca": (["ca.crt", "folder/more.csv"], ["", "missing.crt", "folder", 7, True, []]),
    "umqtt.tls.cert": ([None], ["", "missing.crt", 7, []]),
    "umqtt.tls.key": ([None], ["", "missing.key", 7, {}]),
    "umqtt.tls.psk_identity": (["d", "ß" * 64], ["", "x" * 129, 7, []]),
    "umqtt.tls.psk_key_hex": (
        ["00" * 16, "aB" * 64],
        ["", "00" * 15, "00" * 65, "0" * 33, "zz" * 16, "0g" + "00" * 15, 7, ["00" * 16]],
    ),
    "umqtt.insecure": ([True, False], [None, 0, 1, "true", []]),
    "sensors": ([[REPLAY]], [None, {}, [], "replay"]),
    "sensors[0]": ([REPLAY], [None, [], "replay", 7]),
    "sensors[0].driver": (
        ["replay"], ["", "Replay", "nothing", "../app", "replay.py", "a/b", "__init__", *TEXT],
    ),
    "sensors[0].every_s": ([0.001, 1, 86400], [0, 0.0001, 86400.5, -1, *NUMBER]),
    "sensors[0].channels": ([REPLAY["channels"]], [None, [], {}, "t", 7]),
    "sensors[0].channels.t": ([{"column": "temp_c"}, {"column": "t"}], [None, [], "temp_c", 7]),
    "sensors[0].channels.t.unit": ([None, "Cel", "x" * 16], ["", "x" * 17, 7, [], "a\nb"]),
    "sensors[0].channels.t.decimals": ([0, 9], [-1, 10, 2.0, *NUMBER]),
    "sensors[0].channels.t.column": (["t", "hum"], ["", "x" * 65, "nowhere", 7, []]),
    "sensors[0].file": (["data.csv", "folder/more.csv"], ["", "missing.csv", "folder", *TEXT]),
    "sensors[0].row": ([0, 1, 1_000_000_000], [-1, 1_000_000_001, 0.5, *NUMBER]),
    "sensors[0].speed": ([1, 1_000_000], [0, 1_000_001, 1.5, *NUMBER]),
    "sensors[0].loop": ([True, False], [None, 0, "yes", []]),
    "sensors[0].times": (["device", "recorded"], ["", "Device", None, True, []]),
    "sensors[0].time_column": (["t", "x" * 64], ["", "x" * 65, *TEXT]),
    "payload": ([{}], [None, [], "json"]),
    "payload.format": (["json"], ["", "JSON", "frame", None, ["json"]]),
    "payload.batch": ([1, 1000], [0, 1001, 2.5, *NUMBER]),
    "payload.max_age_s": ([0, 0.5, 86400], [-1, 86401, *NUMBER]),
    "queue": ([{}], [None, [], 64]),
    "queue.limit_kb": ([1, 16384], [0, 16385, 1.5, *NUMBER]),
    "queue.when_full": (["drop_oldest"], ["drop_newest", "", None, []]),
    "reconnect": ([{}], [None, [], 1]),
    "reconnect.first_s": ([0.01, 1, 120], [0, 0.001, 3601, *NUMBER]),
    "reconnect.max_s": ([1, 86400], [0, 86401, *NUMBER]),
    "limits": ([{}], [None, [], 50]),
    "limits.publish_per_s": ([1, 100_000], [0, 100_001, 0.5, *NUMBER]),
    "limits.message_bytes": ([128, 65_000], [63, 65_001, 1024.0, *NUMBER]),
}
MUST_BE_GIVEN = ["sensors", "wifi[0].ssid"]
MUST_BE_GIVEN += ["sensors[0]." + key for key in ("channels", "driver", "file")]

# What several keys make together: ({path: value}, the problem) or None for none.
SECOND = {**REPLAY, "channels": {"h": {"column": "hum"}}}
LIMITS = [
    ({"device.id": "a/b"}, 'device.id: "a/b" found; it is part of a topic'),
    ({"device.id": "#"}, 'device.id: "#" found; it is part of a topic'),
    ({"device.id": "a+"}, 'device.id: "a+" found; it is part of a topic'),
    ({"device.id": " a"}, 'device.id: " a" found; it is part of a topic'),
    ({"device.id": "a b"}, None),
    ({"device.id": "a\x85"}, "device.id: "),  # MQTT 3.1.1, section 1.5.3: brokers refuse these
    ({"device.id": "\ufffe"}, "device.id: "),
    ({"umqtt.host": "broker"}, 'umqtt.tls: plain text to broker; give "tls", or say "insecure"'),
    ({"umqtt.host": "192.168.1.5"}, "umqtt.tls: plain text to 192.168.1.5; "),
    ({"umqtt.host": "127.0.0.1.example.com"}, "umqtt.tls: plain text to 127.0.0.1.example.com; "),
    ({"umqtt.host": "127.evil"}, "umqtt.tls: plain text to 127.evil; "),
    ({"umqtt.host": "127.8.9.10"}, None),
    ({"umqtt.host": "::1"}, None),
    ({"umqtt.host": "broker", "umqtt.insecure": True}, None),
    ({"umqtt.host": "broker", "umqtt.tls": TLS}, None),
    ({"umqtt.host": "broker", "umqtt.tls": PSK}, None),
    ({"umqtt.username": "u", "umqtt.password": "p"}, None),
    ({"umqtt.username": "u"}, None),
    ({"umqtt.password": "p"}, "umqtt.username: missing; a password needs one"),
    ({"umqtt.tls": {}}, "umqtt.tls.ca: missing; the peer is always verified"),
    ({"umqtt.tls": {**TLS, "cert": "d.crt", "key": "d.key"}}, None),
    ({"umqtt.tls": {**TLS, "cert": "d.crt"}}, "umqtt.tls.key: missing; cert goes together with"),
    ({"umqtt.tls": {**TLS, "key": "d.key"}}, "umqtt.tls.cert: missing; key goes together with"),
    ({"umqtt.tls": {"cert": "d.crt", "key": "d.key"}}, "umqtt.tls.ca: missing; the peer is"),
    ({"umqtt.tls": {"psk_identity": "d1"}}, "umqtt.tls.psk_key_hex: missing; psk_identity goes"),
    ({"umqtt.tls": {"psk_key_hex": "00" * 64}}, "umqtt.tls.psk_identity: missing; psk_key_hex"),
    ({"umqtt.tls": {**PSK, **TLS}}, "umqtt.tls: certificates and a pre-shared key found; either"),
    (
        {"umqtt.tls": {**PSK, "cert": "d.crt", "key": "d.key"}},
        "umqtt.tls: certificates and a pre-shared key found; either",
    ),
    ({"reconnect.first_s": 5, "reconnect.max_s": 5}, None),
    ({"reconnect.first_s": 6, "reconnect.max_s": 5}, "reconnect.first_s: more than reconnect.max"),
    ({"reconnect.first_s": 121}, "reconnect.first_s: more than reconnect.max"),
    ({"sensors[0].channels": {"ts": {"column": "t"}}}, "sensors[0].channels.ts: a reserved key"),
    ({"sensors[0].channels": {"s": {"column": "t"}}}, "sensors[0].channels.s: a reserved key; "),
    ({"sensors[0].channels": {"x" * 17: {"column": "t"}}}, "sensors[0].channels." + "x" * 17),
    ({"sensors[0].channels": {"": {"column": "t"}}}, "sensors[0].channels.: a key that can't"),
    ({"sensors[0].channels": {'a"b': {"column": "t"}}}, 'sensors[0].channels.a"b: a key that '),
    ({"sensors[0].channels": {"a\\b": {"column": "t"}}}, "sensors[0].channels.a\\b: a key that"),
    ({"sensors[0].channels": {"x" * 16: {"column": "t"}}}, None),
    ({"sensors[0].channels": {"wärme_ß温度": {"column": "t"}}}, None),
    ({"sensors": [REPLAY, SECOND]}, None),
    ({"sensors": [REPLAY, REPLAY]}, "sensors[1].channels.t: a key that sensors[0].channels.t has"),
    ({"sensors": [{**REPLAY, "times": "recorded"}]}, None),
    (
        {"sensors": [REPLAY, {**SECOND, "times": "recorded"}]},
        'sensors[1].times: "recorded" beside other sensors; a reading has one time only',
    ),
    ({"limits.message_bytes": 64}, "limits.message_bytes: 64 found; a reading of these channels"),
    ({"sensors[0].times": "recorded", "sensors[0].time_column": "temp_c"}, None),
    (
        {"sensors[0].times": "recorded", "sensors[0].time_column": "when"},
        'sensors[0].time_column: "when" found; the file has t, temp_c, hum',
    ),
    (
        {"sensors[0].channels.t.column": None, "sensors[0].channels": {"x": {}}},
        'sensors[0].channels.x.column: "x" found; the file has t, temp_c, hum',
    ),
]


@pytest.fixture(scope="module")
def chip():
    """With the heap that `petrel run` gives to 64-bit words."""
    with Chip("configs", heap="224K") as chip:
        yield chip


@pytest.fixture
def folder(tmp_path):
    return furnished(tmp_path)


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


@pytest.fixture
def checked(chip, folder):
    return Checker(chip, folder)


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
    if path.startswith("umqtt.tls."):
        return changed("umqtt.tls", PSK if "psk" in path else TLS)
    return BASE


def paths_of(table, before=""):
    """Every path that the rules know."""
    for key, rule in table.items():
        yield from paths_of_rule(before + key, rule)


def paths_of_rule(path, rule):
    yield path
    kind, *arguments = rule[1:]
    if kind == "table":
        yield from paths_of(arguments[0], path + ".")
    elif kind == "list":
        yield from paths_of_rule(path + "[0]", arguments[2])
    elif kind == "sensor":
        of_driver, of_channel = replay.rules()
        sensor = rules.SENSOR | of_driver
        sensor["channels"] = (..., "table", {"t": (..., "table", rules.CHANNEL | of_channel)})
        yield from paths_of(sensor, path + ".")


ALL_PATHS = list(paths_of(rules.ROOT))


# ---- every rule has its cases


def test_every_rule_has_good_and_bad_cases():
    assert sorted(CASES) == sorted(ALL_PATHS)
    assert all(good and bad for good, bad in CASES.values())


def test_every_kind_of_rule_is_one_the_device_knows():
    source = ast.parse((ROOT / "firmware/config_kinds.py").read_text())
    (checker,) = [node for node in source.body if isinstance(node, ast.ClassDef)]
    methods = {node.name for node in checker.body if isinstance(node, ast.FunctionDef)}
    assert methods >= {"table", "list", "text", "integer", "seconds", "boolean", "choice", "hex"}


@pytest.mark.parametrize("path", CASES)
def test_good_values_are_taken(checked, path):
    for value in CASES[path][0]:
        assert checked(changed(path, value, base_for(path))) == [], value


@pytest.mark.parametrize("path", CASES)
def test_bad_values_are_refused_by_their_path(checked, path):
    """One line about this path, and none about another."""
    for value in CASES[path][1]:
        problems = checked(changed(path, value, base_for(path)))
        assert len(problems) == 1, (value, problems)
        assert re.match(re.escape(path) + r"(\.driver)?: .+; .+", problems[0]), (value, problems)


@pytest.mark.parametrize("path", MUST_BE_GIVEN)
def test_what_must_be_given_is_missed(checked, path):
    config = copy.deepcopy(BASE)
    *way, last = steps(path)
    here = config
    for step in way:
        here = here[step]
    del here[last]
    (problem,) = checked(config)
    assert re.match(re.escape(path) + ": (missing; it must be given|null found; .*)", problem)


def test_everything_else_has_a_default(checked):
    config = {"sensors": [{key: REPLAY[key] for key in ("driver", "file", "channels")}]}
    assert checked(config) == []
    assert checked.result["umqtt"]["keepalive_s"] == 30
    assert checked.result["limits"] == {"publish_per_s": 50, "message_bytes": 1024}
    assert checked.result["sensors"][0]["channels"]["t"]["decimals"] == 2
    assert checked.result["sensors"][0]["file"] == str(checked.folder / "data.csv")
    assert checked.result["device"]["id"] is None


def test_the_config_in_the_repository_is_good(chip):
    told = chip.call("check", str(ROOT / "config.json"))
    assert told["problems"] == []


# ---- what several keys make together


@pytest.mark.parametrize("changes, problem", LIMITS, ids=lambda value: None)
def test_limits(checked, changes, problem):
    config = BASE
    for path, value in changes.items():
        config = changed(path, value, config)
    problems = checked(config)
    if problem is None:
        assert problems == []
    else:
        assert len(problems) == 1, problems
        assert problems[0].startswith(problem)


def test_every_limit_has_a_case(chip, tmp_path_factory):
    """Every problem(...) of firmware/config_limits.py is reported by one of LIMITS."""
    source = ast.parse((ROOT / "firmware/config_limits.py").read_text())
    wordings = [wording(node) for node in ast.walk(source) if is_problem(node)]
    assert len(wordings) > 10
    checker = Checker(chip, furnished(tmp_path_factory.mktemp("limits")))
    reported = []
    for changes, problem in LIMITS:
        config = BASE
        for path, value in changes.items():
            config = changed(path, value, config)
        reported += checker(config) if problem else []
    for pattern in wordings:
        assert any(re.search(pattern, line) for line in reported), f"no case for {pattern}"


def is_problem(node):
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == "problem"


def wording(call):
    """A pattern for the words of problem(path, found, allowed) that are always the same."""
    allowed = call.args[2]
    if isinstance(allowed, ast.BinOp):
        allowed = allowed.left
    assert isinstance(allowed, ast.Constant), ast.unparse(call)
    return re.escape(allowed.value).replace("%d", r"\d+").replace("%s", ".+")


def test_all_problems_are_told_at_once(checked):
    config = changed("umqtt.qos", 2, changed("payload.batch", 0))
    config = changed("queue.limit_kb", "a", config)
    assert [line.split(":")[0] for line in checked(config)] == [
        "payload.batch", "queue.limit_kb", "umqtt.qos",
    ]


# ---- wording

WORDS = [
    ("umqtt.qos", 2, "umqtt.qos: 2 found; a whole number from 0 to 1 is allowed"),
    ("umqtt.port", "1883", 'umqtt.port: "1883" found; a whole number from 1 to 65535 is allowed'),
    ("umqtt.tls", {"ca": "x"}, 'umqtt.tls.ca: "x" found; that file can\'t be opened'),
    ("sensors[0].every_s", 0, "sensors[0].every_s: 0 found; seconds from 0.001 to 86400 are "),
    ("links", ["mqtt"], 'links[0]: "mqtt" found; allowed: "umqtt"'),
    ("umqtt.hosts", 1, 'umqtt.hosts: unknown key; did you mean "host"?'),
    ("sensor", [], 'sensor: unknown key; did you mean "sensors"?'),
    ("sensors[0].chanels", {}, 'sensors[0].chanels: unknown key; did you mean "channels"?'),
    ("queue.zzz", 1, "queue.zzz: unknown key; known here: limit_kb, when_full"),
    ("umqtt.password", "geheim\n", "umqtt.password: "),
]


@pytest.mark.parametrize("path, value, line", WORDS, ids=lambda value: None)
def test_a_problem_says_where_what_and_what_else(checked, path, value, line):
    (problem,) = checked(changed(path, value))
    assert problem.startswith(line)


@pytest.mark.parametrize("path, value", [
    ("umqtt.password", "geheim" * 100), ("wifi[0].password", "geheim" * 20),
    ("umqtt.tls", {"psk_identity": "a", "psk_key_hex": "c0ffeec0ffee"}),
])
def test_a_secret_is_not_repeated(checked, path, value):
    """The console is read by others, and logs are kept."""
    (problem,) = checked(changed(path, value))
    assert "geheim" not in problem and "c0ffee" not in problem


# ---- files of every kind


def truncations():
    text = json.dumps(BASE)
    return [text[:length] for length in range(0, len(text), 7)] + [text[:-1]]


def test_a_truncated_file_is_told_wherever_it_ends(checked):
    for text in truncations():
        (problem,) = checked(text)
        assert problem == f"{checked.path}: not valid JSON, or not all of it is there", text


BROKEN = {
    "empty": (b"", "not valid JSON"),
    "not UTF-8": (b'{"device": {"id": "\xff"}}', "not UTF-8"),
    "UTF-16": (json.dumps(BASE).encode("utf-16"), "not "),
    "NULs": (bytes(500), "not valid JSON"),
    "a list": (b"[]", "a list found; an object is allowed"),
    "null": (b"null", "found; an object is allowed"),
    "a number": (b"7", "found; an object is allowed"),
    "two": (json.dumps(BASE).encode() * 2, "not valid JSON"),
    "numbers as keys": (b'{1: 2, "sensors": []}', ""),
    "a list as a key": (b'{[]: 1}', "not valid JSON"),
    "null as a key": (b'{null: 1, "a": 2}', ""),
    "deep lists": (b"[" * 100_000, "not valid JSON"),
    "deep lists at a key": (b'{"sensors": ' + b"[" * 9000 + b"]" * 9000 + b"}", ""),
    "deep objects": (b'{"sensors":' * 2000 + b"1" + b"}" * 2000, ""),
    "deep unknown key": (b'{"zzz": ' + b"[" * 3000 + b"]" * 3000 + b"}", ""),
    "a huge number": (b'{"umqtt": {"port": ' + b"9" * 5000 + b"}}", ""),
    "a huge exponent": (b'{"umqtt": {"keepalive_s": 1e99999}}', ""),
    "a long text": (b'{"device": {"id": "' + b"x" * 60_000 + b'"}}', ""),
    "a long key": (b'{"' + b"x" * 1000 + b'": 1}', ""),
    "a key over lines": (b'{"a\\nb": 1}', ""),
    "a channel over lines": (
        json.dumps(changed("sensors[0].channels", {"a\nb": {"column": "t"}})).encode(), "",
    ),
    "half a surrogate": (b'{"device": {"id": "\\ud800"}, "sensors": []}', ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told(checked, name):
    content, why = BROKEN[name]
    problems = checked(content)
    assert problems
    assert why in problems[0]


def test_half_a_surrogate_is_no_text(checked):
    """It would make a topic that no broker takes."""
    problems = checked(json.dumps(changed("device.id", "a\ud800b")))
    assert len(problems) == 1 and problems[0].startswith("device.id: ")
    channels = {"a\ud800b": {"column": "t"}}
    problems = checked(json.dumps(changed("sensors[0].channels", channels)))
    assert len(problems) == 1 and problems[0].startswith("sensors[0].channels.a")


@pytest.mark.parametrize("content", [
    b"", b"\n", b"\xff\xfe\x00", b"t", b"t\n", bytes(5000), b"x" * 50_000, b'"t,temp_c"\n',
    b"T,TEMP_C\n", b"temp_c;t\n1;2\n",
], ids=lambda content: repr(content[:12]))
def test_a_recording_that_is_none_is_told(checked, content):
    (checked.folder / "data.csv").write_bytes(content)
    problems = checked(BASE)
    assert problems
    assert problems[0].startswith("sensors[0].")


def test_secrets_are_merged_over_it(checked):
    checked.write({"umqtt": {"username": "u", "password": "p"}}, "secrets.json")
    assert checked(BASE) == []
    assert checked.result["umqtt"]["password"] == "p"
    assert checked.result["umqtt"]["host"] == "127.0.0.1"


def test_secrets_are_checked_like_the_rest(checked):
    checked.write({"umqtt": {"pasword": "p"}}, "secrets.json")
    assert checked(BASE) == ['umqtt.pasword: unknown key; did you mean "password"?']


@pytest.mark.parametrize("content, why", [
    (b"", "not valid JSON, or not all of it is there"),
    (b"[]", "a list found; an object is allowed"),
    (b'{"umqtt":', "not valid JSON, or not all of it is there"),
    (b'{"a": "\xff"}', "not UTF-8"),
    (b'{1: 2}', ""),
])
def test_broken_secrets_are_told(checked, content, why):
    (checked.folder / "secrets.json").write_bytes(content)
    (problem,) = checked(BASE)
    assert why in problem
    assert "secrets.json" in problem or content == b'{1: 2}'


def test_a_folder_in_the_place_of_a_file_is_told(checked):
    (checked.folder / "secrets.json").mkdir()
    assert checked(BASE) == [f"{checked.folder}/secrets.json: can't be read (it is a folder)"]
    told = checked.chip.call("check", str(checked.folder / "folder"))
    assert told["problems"] == [f"{checked.folder}/folder: can't be read (it is a folder)"]


def test_a_missing_file_is_told(checked):
    told = checked.chip.call("check", str(checked.folder / "no.json"))
    assert told["problems"] == [f"{checked.folder}/no.json: can't be read (there is no such file)"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(checked):
    checked.write(BASE)
    checked.path.chmod(0)
    told = checked.chip.call("check", str(checked.path))
    assert told["problems"] == [f"{checked.path}: can't be read (permission denied)"]


# ---- nothing that can be written down makes the validator fail

WRONG = [None, True, -1, 7, 10**30, 1.5, "", "text", [], [[]], [None], {}, {"a": 1}, {"": {}}]


def test_a_wrong_type_anywhere_is_told_or_taken(checked):
    for path in ALL_PATHS:
        for value in WRONG:
            problems = checked(changed(path, value, base_for(path)))
            assert problems or checked.result, (path, value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["replay", "umqtt", "json", "data.csv", "127.0.0.1"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=6) | st.sampled_from(["t", "unit", "ca", "driver"]), inner),
    max_leaves=8,
)
FUZZ = settings(
    max_examples=200, deadline=None, print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@FUZZ
@given(changes=st.dictionaries(st.sampled_from(ALL_PATHS), JSON, max_size=4))
def test_random_values_at_random_keys(checked, changes):
    config = BASE
    for path, value in changes.items():
        try:
            config = changed(path, value, base_for(path) if config is BASE else config)
        except (TypeError, IndexError, KeyError, AttributeError):
            continue  # another change has taken the way there
    assert checked(json.dumps(config)) or checked.result


@FUZZ
@given(data=st.data())
def test_random_damage_to_the_text(checked, data):
    """Bytes changed, left out and put in: MicroPython's JSON is more liberal than the standard."""
    text = bytearray(json.dumps(BASE).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text) - 1))
        length = data.draw(st.integers(0, 3))
        put_in = data.draw(st.binary(max_size=2) | st.sampled_from([b'"', b"1", b"{", b"}", b":"]))
        text[start : start + length] = put_in
    assert checked(bytes(text)) or checked.result


# ---- device and host say the same


def start_device(folder, **env):
    """Start the application as a board would, by the config in the folder."""
    image = runtime.build("unix")
    command = [*runtime.find_runtime(), "-X", "heapsize=224K", "-c", "import boot; import main"]
    state = folder / "state"
    state.mkdir(exist_ok=True)
    env.update(PETREL_CONFIG=str(folder / "config.json"), PETREL_STATE=str(state))
    env = environment(image, **env)
    return subprocess.run(
        command, cwd=image, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=20, check=False,
    )


REFUSED = {
    "a rule": changed("umqtt.qos", 2),
    "several": changed("umqtt.qos", 2, changed("sensors[0].every_s", "x", changed("zzz", 1))),
    "a limit": changed("umqtt.host", "broker"),
    "words of other tongues": changed("umqtt.größe", "ß"),
    "truncated": json.dumps(BASE)[:100],
    "empty": "",
    "a list": "[]",
    "deep": "[" * 50_000,
    "a huge number": '{"umqtt": {"port": ' + "9" * 2000 + "}}",
    "an unknown driver": changed("sensors[0].driver", "bme280x"),
    "a column that is not there": changed("sensors[0].channels.t.column", "nowhere"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_device_refuses_in_the_words_of_petrel_check(folder, name):
    """Status 2, the reason on stderr, line by line what `petrel check` says; no traceback."""
    checker = Checker(None, folder)
    checker.write(REFUSED[name])
    done = start_device(folder)
    said = [re.fullmatch(r"\d+\.\d{3} config: (.+)", line) for line in done.stderr.splitlines()]
    assert done.returncode == 2, done.stderr
    assert all(said), done.stderr
    assert [line[1] for line in said] == check.verdict(folder / "config.json")
    assert "Traceback" not in done.stderr + done.stdout


def test_a_folder_as_config_is_refused_by_the_device(folder):
    (folder / "config.json").mkdir()
    done = start_device(folder)
    assert done.returncode == 2
    assert done.stderr.endswith("config.json: can't be read (it is a folder)\n")


def test_a_refused_config_is_no_crash_loop(folder, capfd):
    """`petrel run` ends with the same status, after one start."""
    from petrel.run import run_device

    checker = Checker(None, folder)
    checker.write(changed("umqtt.qos", 2))
    assert run_device(folder / "config.json", folder / "state") == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("umqtt.qos: 2 found") == 1


@pytest.mark.parametrize("changes", [
    {"limits.message_bytes": 65_000, "payload.batch": 1000},
    {"queue.limit_kb": 16_384},
    {"sensors": [{**REPLAY, "channels": {f"c{i}": {"column": "t"} for i in range(32)}}]},
], ids=["largest messages", "largest queue", "most channels"])
def test_the_largest_values_allowed_do_not_end_in_a_traceback(folder, changes):
    """What asks for more memory than there is gets less, or is told so in a line."""
    config = changed("umqtt.port", 1, BASE)
    for path, value in changes.items():
        config = changed(path, value, config)
    Checker(None, folder).write(config)
    done = start_device(folder, PETREL_SUPERVISED="1")  # its power is off at once: stdin has ended
    assert "Traceback" not in done.stderr, done.stderr
