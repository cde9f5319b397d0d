"""boot.py and what follows: the count of crashes, safe mode, the black box. Lives of stand-in
boards on a real LittleFS, in virtual time.
"""

import pytest

from host_tests.chip import Chip

PORTS = pytest.mark.parametrize("port", ["esp32", "rp2"])
HOUR = 3600


@pytest.fixture(scope="module")
def chip():
    with Chip("booting", heap="16M") as chip:
        yield chip


@PORTS
def test_five_crashing_boots_give_safe_mode_with_the_reason(chip, port):
    *seen, config_kept = chip.call("lives", port, ["crash"] * 6, [["home", "secret"]])
    assert [life["app"] for life in seen] == [True] * 5 + [False]
    assert [life["reset"] for life in seen] == ["software"] * 5 + [None], "the REPL is reached"
    safe = seen[-1]
    assert safe["held_back"] == "5 boots in a row never became healthy"
    assert safe["wifi"]
    assert "safe mode: 5 boots in a row never became healthy" in safe["console"]
    assert "the last life left error: ValueError: as told" in safe["console"]
    assert config_kept
    kept = chip.call("files")["error"]
    assert '"safe_mode": "5 boots in a row never became healthy"' in kept
    assert '"error": "ValueError: as told"' in kept


@PORTS
def test_safe_mode_without_a_network_still_reaches_the_repl(chip, port):
    safe = chip.call("lives", port, ["crash"] * 6)[5]
    assert safe["held_back"] and safe["reset"] is None and not safe["wifi"]
    assert "no such network here" in safe["console"]


@PORTS
def test_after_safe_mode_the_application_gets_one_more_attempt(chip, port):
    *seen, _ = chip.call("lives", port, ["crash"] * 5 + ["none", "crash", "none", str(HOUR)])
    assert [life["app"] for life in seen[5:]] == [False, True, False, True]
    assert chip.call("files")["boots"] == "0"


@PORTS
def test_left_alone_safe_mode_ends_after_an_hour(chip, port):
    cause, minutes = chip.call("safe_for_an_hour", port)
    assert cause == "software"
    assert minutes in (59, 60)  # the first of them went into looking for a network


@PORTS
def test_a_healthy_hour_clears_the_count(chip, port):
    told = ["crash"] * 4 + [str(HOUR)] + ["crash"] * 4
    *seen, _ = chip.call("lives", port, told)
    assert all(life["app"] for life in seen)


@PORTS
def test_a_life_that_the_watchdog_ends_young_is_a_crash(chip, port):
    *seen, _ = chip.call("lives", port, ["30"] * 6)
    assert [life["app"] for life in seen] == [True] * 5 + [False]


@PORTS
def test_a_wanted_reset_is_none(chip, port):
    *seen, _ = chip.call("lives", port, ["reboot"] * 12)
    assert all(life["app"] for life in seen)


@PORTS
def test_the_pin_held_low_is_safe_mode_and_counts_nothing(chip, port):
    seen = chip.call("held_low", port)
    assert seen["held_back"] == "its pin is held low"
    assert not seen["app"]
    assert chip.call("files").keys() == {"error"}


@pytest.mark.parametrize("progsize", [32, 256])
@pytest.mark.parametrize(
    "before, after",
    [(None, "1"), ("0", "1"), ("3", "4"), ("4", "5"), ("5", "4"), ("9x", "1")],
)
def test_a_power_cut_at_any_write_of_the_count_leaves_old_or_new(chip, progsize, before, after):
    cuts, found = chip.call("cut_everywhere", "esp32", progsize, before)
    assert cuts > 5
    assert found == [before, after]
