"""`tools/bootstrap.py`: is everything named that is missing, and is nothing done twice?"""

import importlib.util
import os
import subprocess
import sys
import time

import pytest

import bootstrap


def test_an_old_python_is_named_with_what_is_needed(monkeypatch):
    monkeypatch.setattr(bootstrap, "newer_python", lambda: None)
    with pytest.raises(bootstrap.SetupError, match=r"this is Python 3\.9, .* 3\.11 or newer"):
        bootstrap.check_python((3, 9))


def test_an_old_python_hands_over_to_a_newer_one(monkeypatch):
    calls = []
    monkeypatch.setattr(bootstrap, "newer_python", lambda: "/bin/python3.12")
    monkeypatch.setattr(os, "execv", lambda *call: calls.append(call) or sys.exit())
    with pytest.raises(SystemExit):
        bootstrap.check_python((3, 9))
    assert calls == [("/bin/python3.12", ["/bin/python3.12", *sys.argv])]


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_missing_venv_is_named_with_the_command_that_brings_it(monkeypatch, module):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == module else find(n))
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(bootstrap.SetupError, match=r"apt-get install -y python3-venv$"):
        bootstrap.check_venv_module()


@pytest.mark.parametrize(
    "output, expected",
    [
        ("...\nerror: command 'gcc' failed: No such file or directory\n", "build-essential"),
        ("WARNING: x\nERROR: No matching distribution found for a==1\nmore", "ERROR: No matching"),
        ("", "no output"),
    ],
)
def test_a_failed_install_is_one_line(monkeypatch, output, expected):
    monkeypatch.setattr(sys, "platform", "linux")
    line = bootstrap.explain(output)
    assert expected in line
    assert "\n" not in line


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder that is set up, as far as the stamp goes."""
    for name in ("pyproject.toml", "tools/bootstrap.py", "tools/petrel/setup/port.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "build/umqtt/1.3.4").mkdir(parents=True)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "__file__", str(tmp_path / "tools/bootstrap.py"))
    monkeypatch.setattr(bootstrap, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv/petrel-setup.json")
    monkeypatch.delenv("PETREL_REQUIRE_32BIT", raising=False)
    bootstrap.remember(bootstrap.wanted())
    return tmp_path


def test_what_is_stamped_is_not_done_again(folder):
    assert bootstrap.is_ready(need_mosquitto=False)


@pytest.mark.parametrize("name", ["pyproject.toml", "tools/petrel/setup/port.py"])
def test_a_changed_source_is_set_up_again(folder, name):
    (folder / name).write_text("changed")
    assert not bootstrap.is_ready(need_mosquitto=False)


def test_what_was_removed_is_set_up_again(folder, monkeypatch):
    monkeypatch.setattr(bootstrap, "find_mosquitto", lambda: None)
    assert not bootstrap.is_ready(need_mosquitto=True)
    monkeypatch.setenv("PETREL_REQUIRE_32BIT", "1")
    assert not bootstrap.is_ready(need_mosquitto=False)
    monkeypatch.delenv("PETREL_REQUIRE_32BIT")
    (folder / "build/umqtt/1.3.4").rmdir()
    assert not bootstrap.is_ready(need_mosquitto=False)


def test_a_broken_stamp_counts_as_none(folder):
    bootstrap.STAMP.write_text("{")
    assert bootstrap.stamped() == {}
    assert not bootstrap.is_ready(need_mosquitto=False)


def test_the_tests_stop_with_the_one_command_to_type(folder, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "set_up", lambda *_: None)
    monkeypatch.setattr(bootstrap, "find_mosquitto", lambda: None)
    assert bootstrap.main(["--need-mosquitto"]) == 1
    error = capsys.readouterr().err
    assert "needs the broker Mosquitto; type: " in error
    assert error.count("\n") == 1
    assert bootstrap.main([]) == 0


def test_two_at_once_wait_for_each_other(folder, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "DEADLINE_S", 0.3)
    with bootstrap.lock(), pytest.raises(bootstrap.SetupError, match="does not end"):
        bootstrap.lock()
    assert capsys.readouterr().err == "set-up: waiting for another set-up of this folder\n"
    bootstrap.lock().close()


def test_a_second_run_starts_within_three_seconds():
    if not bootstrap.is_ready(need_mosquitto=True):
        pytest.skip("the tests were started without `make test`, and set-up has work to do")
    began = time.monotonic()
    command = ["make", "test", "ARGS=--version"]
    done = subprocess.run(command, cwd=bootstrap.ROOT, capture_output=True, timeout=60)
    assert done.returncode == 0
    assert time.monotonic() - began < 3
