"""`petrel energy`: the model against an example worked by hand, and figures of a real device."""

import json

import pytest

from petrel import energy, energy_command
from petrel.energy import Cycle, Phase
from petrel.errors import Misuse

WORDS = "start 400, wait 10, sample 20, store 30, prepare 100, connect 2000, deliver 500, end 50"


def phase(ms, ma):
    return Phase(ms, ma, "assumed", "a test")


# Waking: 500 ms x 36 mA = 18 mC. Delivering: 1 s x 72 mA + 2 s x 108 mA = 288 mC.
CYCLE = Cycle(
    {"start": phase(500, 36), "join": phase(1000, 72), "listen": phase(2000, 108)}, sleep_ma=0.1
)


def test_a_day_worked_by_hand():
    """A reading every 100 s: 864 a day; every tenth is delivered: 86.4 a day."""
    day = energy.day(CYCLE, every_s=100, deliver_every=10)
    assert day.waking == pytest.approx(864 * 18 / 3600)  # 4.32 mAh
    assert day.delivering == pytest.approx(86.4 * 288 / 3600)  # 6.912 mAh
    awake_s = 864 * 0.5 + 86.4 * 3
    assert day.sleeping == pytest.approx((86_400 - awake_s) * 0.1 / 3600)  # 2.381 mAh
    assert day.mah == pytest.approx(13.613, abs=0.001)
    assert day.life_days(2000) == pytest.approx(146.9, abs=0.1)


def test_a_device_that_never_sleeps_sleeps_for_no_negative_time():
    assert energy.day(CYCLE, every_s=1, deliver_every=1).sleeping == 0


@pytest.mark.parametrize(
    ("sleep_ma", "every_s", "k", "words"),
    [(5, 600, 60, "asleep"), (0.01, 60, 60, "measure"), (0.01, 600, 1, "listen_s 0")],
)
def test_what_saves_most_is_where_most_goes(sleep_ma, every_s, k, words):
    change, saved = energy.saves_most(Cycle(CYCLE.phases, sleep_ma), every_s, k)
    assert words in change and saved > 0


def test_the_mean_of_a_log_leaves_out_the_start_from_power_on():
    lines = ["start 900, store 90", "start 100, store 10", "start 200, store 20, connect 7"]
    log = "\n".join(f"  1.0 sleep: for 900 ms; awake: {line}" for line in lines)
    assert energy_command.mean(log) == {"start": 150, "store": 15, "connect": 7}


def test_words_of_a_log_without_a_delivery_are_refused():
    assert energy_command.phases(f"0.2 sleep: for 9 ms; awake: {WORDS}")["connect"] == 2000
    with pytest.raises(Misuse, match="connect"):
        energy_command.phases("start 400, sample 20, store 30")


def test_figures_of_a_board_s_own_log_take_the_place_of_published_ones(tmp_path, capsys):
    sensor = {"driver": "sht4x", "scl": 22, "sda": 21, "every_s": 60,
              "channels": {"t": {"quantity": "temperature"}}}
    config = {"sleep": {"deep": True, "deliver_every": 12}, "sensors": [sensor]}
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    assert energy_command.run_energy(file, 2000, WORDS, 25) == 0
    said = capsys.readouterr().out
    assert "connect    2000 ms   140.3 mA  measured: the board's log" in said
    assert "0.025 mA  measured: --sleep-ua" in said
    assert said.count("<- this config") == said.count("saves most") == 2
    file.write_text(json.dumps({**config, "sleep": {}}))
    with pytest.raises(Misuse, match="deep"):
        energy_command.run_energy(file, 2000, WORDS, None)


@pytest.mark.long
def test_the_firmware_is_measured_by_phase():
    measured = energy_command.measure()
    assert {"start", "wait", "sample", "store", "prepare", "connect", "deliver"} <= set(measured)
    assert 1 < measured["start"] < 5_000
