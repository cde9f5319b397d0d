"""The rules of a config: each with good and bad cases.

CASES has to name every rule of firmware/config_rules.py, and LIMITS every problem that
firmware/config_limits.py can report: a rule that is added without a case fails here.
"""

import ast
import copy
import re

import pytest

from host_tests.chip import Chip
from host_tests.config_cases import BASE, CASES, LIMITS, MUST_BE_GIVEN, REPLAY
from host_tests.configs import ALL_PATHS, Checker, base_for, changed, furnished, steps
from petrel import ROOT


@pytest.fixture(scope="module")
def chip():
    """With the heap that `petrel run` gives to 64-bit words."""
    with Chip("configs", heap="224K") as chip:
        yield chip


@pytest.fixture
def checked(chip, tmp_path):
    return Checker(chip, furnished(tmp_path))


# ---- every rule has its cases


def test_every_rule_has_good_and_bad_cases():
    assert sorted(CASES) == sorted(ALL_PATHS)
    assert all(good and bad for good, bad in CASES.values())


def test_every_kind_of_rule_is_one_the_device_knows():
    source = ast.parse((ROOT / "firmware/config_kinds.py").read_text())
    classes = {node.name: node for node in source.body if isinstance(node, ast.ClassDef)}
    checker = classes["_Check"]
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
    ("links", ["http"], 'links[0]: "http" found; allowed: "mqtt", "umqtt", "coap", "microcoapy"'),
    ("umqtt.hosts", 1, 'umqtt.hosts: unknown key; did you mean "host"?'),
    ("sensor", [], 'sensor: unknown key; did you mean "sensors"?'),
    ("sensors[0].chanels", {}, 'sensors[0].chanels: unknown key; did you mean "channels"?'),
    (
        "queue.zzz", 1,
        "queue.zzz: unknown key; known here: durability, limit_kb, order, spill_after_s, when_",
    ),
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
