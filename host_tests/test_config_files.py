"""Configs as files: whatever is in them, the device says in a line why it does not start."""

import json
import os
import re
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tests.chip import Chip, environment
from host_tests.config_cases import BASE, REPLAY
from host_tests.configs import ALL_PATHS, Checker, base_for, changed, furnished
from petrel import check, runtime


@pytest.fixture(scope="module")
def chip():
    """With the heap that `petrel run` gives to 64-bit words."""
    with Chip("configs", heap="224K") as chip:
        yield chip


@pytest.fixture
def folder(tmp_path):
    return furnished(tmp_path)


@pytest.fixture
def checked(chip, folder):
    return Checker(chip, folder)


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


def test_a_link_on_a_library_that_is_not_there_is_one_line(folder, capfd, monkeypatch):
    from petrel.run import run_device

    monkeypatch.setattr(runtime, "microcoapy_folder", lambda: None)
    checker = Checker(None, folder)
    checker.write(json.dumps({**BASE, "links": ["microcoapy"], "microcoapy": {}}))
    assert run_device(folder / "config.json", folder / "state") == 2
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1, said
    assert said[0].endswith(
        "links[0]: microcoapy can't be used on this board: "
        "microCoAPy is missing; mip install github:insighio/microCoAPy"
    )
