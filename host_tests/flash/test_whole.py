"""From an empty board to its first reading at the broker, with the real application, mpremote,
MicroPython, LittleFS and Mosquitto; and again over the application that runs.
"""

import json

import pytest

from host_tests.e2e.proofs import SOON_S, prove_values, quick
from host_tests.flash.standin import Board
from host_tests.harness import data
from petrel.errors import Failure
from petrel.flash import run_flash
from petrel.flash.link import Link

AIR = {"haste": 10, "id": "d1", "points": [{"ssid": "home", "password": "secret"}], "events": []}
WIFI = [{"ssid": "home", "password": "secret"}]


@pytest.fixture
def board(tmp_path, evidence, request):
    air = tmp_path / "air.json"
    air.write_text(json.dumps(AIR))
    platform, rom_kb = request.param
    with Board(tmp_path, platform=platform, air=air, rom_kb=rom_kb) as board:
        evidence("console", lambda: board.heard.decode(errors="replace"))
        yield board


def written(tmp_path, port, **changes):
    config = quick(port, wifi=WIFI, sensor={"file": "rows.csv", "speed": 50}, **changes)
    folder = tmp_path / "configs"
    folder.mkdir(exist_ok=True)
    (folder / "rows.csv").write_bytes((data.DATA / data.MOTE).read_bytes())
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "config.json"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("board", [("esp32", 0)], indirect=True)
def test_from_an_empty_board_to_the_broker(board, tmp_path, mosquitto, receiver):
    said = []
    config = written(tmp_path, mosquitto.port)
    assert run_flash(board.port, config, say=said.append) == 0
    assert said[-1] == "it is online"
    receiver.wait_readings("d1", 20, SOON_S)
    prove_values(receiver.readings("d1"), data.rows(data.MOTE, data.MOTE_CHANNELS))
    copied = [line for line in said if line.startswith("[")]
    assert not any("frame" in line or "bme280" in line for line in copied), "not in the config"
    assert any("umqtt/simple" in line for line in copied), "the stand-in does not freeze it"

    with Link(board.port) as link:  # somebody's change on the board
        link.interrupt()
        there = json.loads(link.read("config.json"))
        there["device"] = {"id": "d2"}
        link.write("config.json", json.dumps(there).encode())
    assert run_flash(board.port, config, say=said.append) == 0
    assert any("stays as it is" in line for line in said)
    receiver.wait_readings("d2", 5, SOON_S)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("board", [("rp2", 256)], indirect=True)
def test_the_modules_in_a_romfs_partition(board, tmp_path, mosquitto, receiver):
    config = written(tmp_path, mosquitto.port)
    assert run_flash(board.port, config, romfs=True, say=lambda line: None) == 0
    receiver.wait_readings("d1", 5, SOON_S)
    with Link(board.port) as link:
        link.interrupt()
        assert {"firmware", "lib"} & set(link.list()) == set()
        assert {"firmware", "lib"} <= set(link.list("/rom"))


@pytest.mark.parametrize("board", [("esp32", 0)], indirect=True)
def test_a_board_without_such_a_partition(board, tmp_path):
    config = written(tmp_path, 1883)
    with pytest.raises(Failure, match="has no ROMFS partition; flash without --romfs"):
        run_flash(board.port, config, romfs=True, say=lambda line: None)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("board", [("esp32", 0)], indirect=True)
def test_what_the_console_says_when_the_device_does_not_start(board, tmp_path):
    """An ESP32 has no analog input at pin 5; the check on this computer can't know."""
    config = written(tmp_path, 1883)
    told = json.loads(config.read_text())
    told["sensors"] = [{"driver": "adc", "pin": 5, "channels": {"v": {}}}]
    config.write_text(json.dumps(told))
    with pytest.raises(Failure, match=r"adc can't be used on this board: invalid pin"):
        run_flash(board.port, config, say=lambda line: None)
