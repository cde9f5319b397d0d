"""`petrel check`: the device's verdict, with its exit status, and never a traceback."""

import json
import subprocess
import sys

import pytest

from petrel.demo_device import DATA

GOOD = {
    "device": {"id": "x"},
    "links": ["umqtt"],
    "umqtt": {"host": "127.0.0.1", "port": 1883},
    "sensors": [
        {
            "driver": "replay",
            "file": str(DATA / "mote_5s.csv"),
            "every_s": 5,
            "channels": {"t": {"column": "temp_c", "unit": "Cel", "decimals": 2}},
        }
    ],
}


def petrel(*arguments, cwd=None):
    """(exit status, lines of stdout, lines of stderr)."""
    done = subprocess.run(
        [sys.executable, "-m", "petrel.cli", *map(str, arguments)],
        cwd=cwd, capture_output=True, encoding="utf-8", timeout=60,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


@pytest.fixture
def written(tmp_path):
    """Writes a config, from a dictionary, text or bytes; returns its path."""

    def write(content, name="config.json"):
        if isinstance(content, dict):
            content = json.dumps(content)
        if isinstance(content, str):
            content = content.encode()
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def test_a_good_config_is_ok(written):
    file = written(GOOD)
    assert petrel("check", file) == (0, [f"{file}: ok"], [])
    assert petrel("check", file.name, cwd=file.parent) == (0, [f"{file.name}: ok"], [])


def test_every_problem_is_a_line_with_its_path(written):
    bad = {**GOOD, "umqtt": {"host": "127.0.0.1", "prot": 1883}, "payload": {"batch": 0}}
    status, out, err = petrel("check", written(bad))
    assert (status, out, len(err)) == (2, [], 2)
    assert any(line.startswith("umqtt.prot: ") for line in err)
    assert any(line.startswith("payload.batch: 0 ") for line in err)


def test_the_device_refuses_in_the_same_words(written, tmp_path):
    file = written({**GOOD, "payload": {"batch": 0}})
    _, _, said_by_check = petrel("check", file)
    status, _, said_by_device = petrel("run", "--config", file, "--state", tmp_path / "flash")
    assert status == 2
    assert len(said_by_check) == 1
    assert any(line.endswith(said_by_check[0]) for line in said_by_device)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('{\n  "device": {,\n}', "config.json: line 2, column 14: "),
        ("", "config.json: line 1, column 1: "),
        (json.dumps(GOOD)[:-20], f"config.json: line 1, column {len(json.dumps(GOOD)) - 19}: "),
        (b'{"device": {"id":\n"\xff"}}', "config.json: line 2: a byte that is not UTF-8"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(written, content, place):
    status, out, err = petrel("check", written(content))
    assert (status, out) == (2, [])
    assert err[-1].startswith(place)


def test_broken_secrets_are_told_too(written):
    file = written(GOOD)
    written('{"umqtt": {', "secrets.json")
    status, _, err = petrel("check", file)
    assert status == 2
    assert err[-1].startswith("secrets.json: line 1, column 12: ")


def test_what_only_the_device_can_read_is_said(written):
    file = written(json.dumps(GOOD)[:-1] + ",}")
    status, out, err = petrel("check", file)
    assert (status, out, len(err)) == (0, [f"{file}: ok"], 1)
    assert err[0].endswith("(the device reads over it, other programs will not)")


@pytest.mark.parametrize("content", ["[]", "null", "7", '"text"', "[" * 5000, "{}"])
def test_json_that_is_no_config_is_refused(written, content):
    status, out, err = petrel("check", written(content))
    assert (status, out) == (2, [])
    assert err


def test_a_file_that_is_not_there_is_bad_usage(tmp_path):
    missing = tmp_path / "none.json"
    assert petrel("check", missing) == (2, [], [f"petrel check: {missing}: no such file"])
    assert petrel("check", tmp_path)[0] == 2


def test_bad_usage_is_one_line_and_status_2():
    for arguments in (["check"], ["chekc"], ["run"], ["run", "--config"], ["demo", "--for", "x"],
                      ["listen", "nowhere"]):
        status, out, err = petrel(*arguments)
        assert (status, out, len(err)) == (2, [], 1), arguments
        assert err[0].startswith("petrel")


@pytest.mark.parametrize("command", ["demo", "run", "listen", "check"])
def test_help_has_an_example(command):
    status, out, err = petrel(command, "--help")
    assert (status, err) == (0, [])
    assert f"Example: petrel {command}" in " ".join(out)
