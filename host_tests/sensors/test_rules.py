"""The configs of hardware sensors, as `petrel check` judges them: on the Unix port, without any
hardware.
"""

import json

import pytest

from host_tests.chip import Chip
from host_tests.sensors.cases import I2C
from petrel import ROOT, reference
from petrel.check import verdict

DRIVERS = sorted(path.stem for path in (ROOT / "firmware" / "sensors").glob("[a-z]*.py"))
MINIMAL = {
    **{case.driver: case.entry for case in I2C.values()},
    "adc": {"driver": "adc", "pin": 34, "channels": {"battery": {}}},
    "chip": {"driver": "chip", "channels": {"t": {}}},
    "dht": {"driver": "dht", "pin": 4, "channels": {"humidity": {}}},
    "ds18b20": {"driver": "ds18b20", "pin": 4, "channels": {"t": {}}},
    "gpio": {"driver": "gpio", "pin": 4, "channels": {"door": {}}},
    "pulse": {"driver": "pulse", "pin": 4, "channels": {"rain": {"quantity": "pulses"}}},
}


@pytest.fixture(scope="module")
def check():
    with Chip("configs", heap="224K") as chip:
        yield lambda config: chip.call("check", str(config))


@pytest.fixture
def checked(check, tmp_path):
    """The problems of a config with one sensor; the complete entry is then `checked.entry`."""

    return Checked(check, tmp_path / "config.json")


class Checked:
    def __init__(self, check, file):
        self._check, self._file = check, file
        self.entry = None

    def __call__(self, driver, **changes):
        entry = {**MINIMAL[driver], **changes}
        self._file.write_text(json.dumps({"sensors": [entry]}))
        told = self._check(self._file)
        self.entry = told["config"] and told["config"]["sensors"][0]
        return told["problems"]


def test_every_driver_has_a_config_here():
    assert sorted([*MINIMAL, "replay"]) == DRIVERS


@pytest.mark.parametrize("driver", MINIMAL)
def test_the_least_that_a_driver_needs(checked, driver):
    assert checked(driver) == []
    for channel in checked.entry["channels"].values():
        assert None not in (channel["quantity"], channel["unit"], channel["decimals"])


@pytest.mark.parametrize(("driver", "changes", "problem"), [
    ("bme280", {"address": "0x44"}, 'sensors[0].address: "0x44" found; allowed: "0x76", "0x77"'),
    ("bme280", {"oversampling": 3}, "sensors[0].oversampling: 3 found; allowed: 1, 2, 4, 8, 16"),
    ("bme280", {"scl": "22"}, 'sensors[0].scl: "22" found; a whole number from 0 to 60 is '),
    ("bme280", {"bus": 2}, "sensors[0].bus: 2 found; a whole number from 0 to 1"),
    ("bme280", {"pin": 2}, 'sensors[0].pin: unknown key; known here: address, bus, bus_khz, '),
    ("sht3x", {"channels": {"co2": {}}},
     'sensors[0].channels.co2.quantity: "co2" found; the sensor has humidity, temperature'),
    ("sht3x", {"channels": {"h": {"quantity": "humidity", "decimals": 3}}},
     "sensors[0].channels.h.decimals: 3 found; humidity has 2 at the most"),
    ("scd4x", {"every_s": 4.9}, "sensors[0].every_s: 4.9"),
    ("dht", {"every_s": 1}, "sensors[0].every_s: 1 found; the sensor can be read every 2 s "),
    ("ds18b20", {"rom": "28"}, 'sensors[0].rom: "28" found; text of 16 to 16 bytes is allowed'),
    ("ds18b20", {"rom": "28ff64020000001g"}, "sensors[0].rom: "),
    ("gpio", {"pull": "sideways"}, 'sensors[0].pull: "sideways" found; allowed: "up", "down", '),
    ("pulse", {"divide": 0}, "sensors[0].divide: 0 found; a whole number from 1 to 100000"),
])
def test_what_is_wrong_is_said_with_its_path(checked, driver, changes, problem):
    (found,) = checked(driver, **changes)
    assert found.startswith(problem)


def test_a_channel_s_own_words_win(checked):
    channels = {"t": {"quantity": "temperature", "unit": "K", "decimals": 1}}
    assert checked("sht3x", channels=channels) == []
    assert checked.entry["channels"]["t"]["unit"] == "K"
    assert checked.entry["channels"]["t"]["decimals"] == 1


def test_an_only_quantity_need_not_be_named(checked):
    assert checked("bh1750", channels={"garden": {}}) == []
    assert checked.entry["channels"]["garden"]["quantity"] == "illuminance"
    assert checked.entry["channels"]["garden"]["unit"] == "lx"


def test_a_total_of_pulses_is_a_counter_to_the_frames(checked):
    assert checked("pulse", channels={"total": {}, "pulses": {}}) == []
    assert checked.entry["channels"]["total"]["kind"] == "count"
    assert checked.entry["channels"]["pulses"]["kind"] is None


def test_the_host_s_check_knows_the_drivers_too(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"sensors": [{**MINIMAL["bme280"], "scl": -1}]}))
    assert verdict(file) == [
        "sensors[0].scl: -1 found; a whole number from 0 to 60 is allowed"
    ]


def test_every_driver_is_in_the_readme_s_table():
    rows = reference.sensors().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == DRIVERS


# ---- on a board that has not got it


def test_a_board_without_the_hardware_says_so_and_ends(device):
    """Here the Unix port: it has no I2C. Not a traceback."""
    started = device({"device": {"id": "d1"}, "sensors": [MINIMAL["bme280"]]})
    assert started.wait_exit(20) == 2
    (line,) = [line for line in started.logs() if "sensors[0]" in line]
    assert "bme280 can't be used on this board: can't import name" in line
    assert not any("Traceback" in line for line in started.logs())
