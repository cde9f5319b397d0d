"""firmware/board for ESP32 and Pico W on stand-ins, in virtual time: WiFi, the clock, the
watchdog, what outlives a reset, the LED.
"""

import itertools
import json
import os

import pytest

from host_tests.chip import Chip
from host_tests.harness import data
from host_tests.harness.config import config as config_of

HOME = {"ssid": "home", "password": "secret"}
SHED = {"ssid": "shed", "password": "spade"}
BARN = {"ssid": "barn", "password": "hay"}
_chips = {}


@pytest.fixture(params=["esp32", "rp2"])
def port(request):
    return request.param


@pytest.fixture
def chip(port):
    if port not in _chips:
        _chips[port] = Chip("boarding", heap="16M", PETREL_PORT=port)
    return _chips[port]


@pytest.fixture(scope="module", autouse=True)
def off():
    yield
    while _chips:
        _chips.popitem()[1].__exit__()


def up(chip, networks, there, **more):
    return chip.call("up", networks, there, *more.values())


# ---- WiFi


def test_the_strongest_network_is_tried_first(chip):
    there = [{**HOME, "rssi": -80}, {**SHED, "rssi": -50}, {**BARN, "rssi": -65}]
    told = up(chip, [HOME, SHED, BARN], there)
    assert told["tries"][0][0] is None
    assert told["joins"] == ["shed"]


def test_one_that_will_not_have_us_is_followed_by_the_next(chip):
    there = [{**HOME, "rssi": -80}, {**SHED, "rssi": -50, "password": "other"}]
    told = up(chip, [HOME, SHED, BARN], there)
    assert told["tries"][0][0] is None
    assert told["joins"] == ["shed", "home"]


def test_what_no_scan_shows_comes_last_in_the_config_s_order(chip):
    told = up(chip, [HOME, BARN, SHED], [{**SHED, "password": "other"}])
    assert told["joins"] == ["shed", "home", "barn"]
    assert "home: no such network here; barn: no such network here" in told["tries"][0][0]


def test_a_single_network_is_never_scanned_for(chip):
    assert up(chip, [HOME], [HOME])["scans"] == 0
    assert up(chip, [HOME, SHED], [HOME])["scans"] == 1


def test_power_is_saved_again_after_success_and_failure(chip):
    assert up(chip, [HOME], [HOME])["pm"] == [True]
    assert up(chip, [HOME], [])["pm"] == [True]


@pytest.mark.parametrize(
    "there, words",
    [
        ([], "home: no such network here"),
        ([{**HOME, "password": "other"}], "home: wrong password"),
        ([{**HOME, "dhcp": False}], "home: no address (DHCP does not answer)"),
        ([{**HOME, "up": False}], "home: no such network here"),
    ],
)
def test_the_reason_is_said_in_words(chip, there, words):
    assert up(chip, [HOME], there)["tries"][0][0] == words


@pytest.mark.parametrize("networks", [[], [{"ssid": "", "password": ""}]])
def test_a_config_without_a_network_says_so(chip, networks):
    told = up(chip, networks, [HOME])
    assert told["tries"][0] == ["the config names no network; give `wifi`", 0]


def test_no_attempt_is_longer_than_its_deadline(chip):
    why, took_ms = up(chip, [HOME], [{**HOME, "dhcp": False}])["tries"][0]
    assert why and 15_000 <= took_ms < 16_000


def test_a_round_is_bounded_and_the_next_goes_on_where_it_ended(chip):
    networks = [{"ssid": f"n{i}", "password": ""} for i in range(5)]
    there = [{**network, "dhcp": False, "rssi": -50 - i} for i, network in enumerate(networks)]
    there[4]["dhcp"] = True
    told = up(chip, networks, there, later=(), tries=3)
    assert [why is None for why, _ in told["tries"]] == [False, False, True]
    assert all(took_ms < 36_000 for _, took_ms in told["tries"])
    assert told["joins"] == ["n0", "n1", "n2", "n3", "n4"]


def test_the_status_of_the_attempt_before_is_not_believed(chip):
    """ESP32 goes on telling the last failure while the next attempt is under way."""
    back = [[8_000, "home", {"up": True}]]
    told = up(chip, [HOME], [{**HOME, "up": False}], later=back, tries=2, apart_ms=8_000)
    assert told["tries"][0][0] == "home: no such network here"
    assert told["tries"][1][0] is None


def test_who_comes_during_a_round_shares_its_outcome(chip):
    came, joins = chip.call("together")
    assert came == ["home: no such network here"] * 2
    assert joins == 1


def test_a_short_absence_is_not_even_noticed(chip):
    assert chip.call("lost_and_found", 3_000) == []


def test_a_lost_network_is_joined_again_without_being_asked(chip):
    (lost, lost_ms), (found, found_ms) = chip.call("lost_and_found", 7_000)
    assert (lost, found) == (False, True)
    assert lost_ms < 7_500 and found_ms < 20_000


# ---- the clock


def test_the_clock_is_set_whatever_the_epoch(chip):
    told = chip.call("times", ["a"], {"a": 0}, 1)
    assert told["unset"]
    assert -1000 < told["wrong_ms"] <= 0, "ntptime knows whole seconds only"
    assert -1000 < told["clock_ms"] <= 0


def test_an_rtc_that_a_nap_lost_is_set_before_a_connection_judges_a_certificate_by_it(chip):
    assert chip.call("woken") == [True, True]


def test_a_server_that_does_not_answer_is_followed_by_the_next(chip):
    told = chip.call("times", ["dead", "b"], {"dead": None, "b": 0}, 1)
    assert [server for server, *_ in told["asked"]] == ["dead", "b"]


def test_the_clock_is_compared_when_that_is_due_between_readings(chip):
    told = chip.call("times", ["a"], {"a": 0}, 5, 60, [], 3600)
    moments = [at for _, at, _ in told["asked"]]
    assert len(moments) == 5
    assert all(abs(b - a - 3_600_000) < 60_000 for a, b in itertools.pairwise(moments))
    assert all(gap_ms >= 1_200 for *_, gap_ms in told["asked"][1:])


def test_servers_that_are_all_dead_are_asked_ever_more_rarely(chip):
    told = chip.call("times", ["dead", "gone"], {"dead": None, "gone": None}, 6)
    assert 25 < len(told["asked"]) < 35  # every 15 minutes in the end


def test_drift_is_reported_and_mended(chip):
    told = chip.call("times", ["a"], {"a": 0}, 3, 10, [[1, 3]], 7200)
    assert told["health"]["drift_s"] == -3
    assert told["health"]["drift_over_s"] == pytest.approx(7200, abs=60)
    assert abs(told["wrong_ms"]) <= 1000


# ---- the watchdog


def test_a_name_server_that_blocks_for_14_s_does_not_bite(chip):
    assert not chip.call("watchdog", 5, 14_000)


def test_a_hang_bites_after_a_minute(chip):
    assert chip.call("watchdog", 5, 75_000)
    assert not chip.call("watchdog", 5, 55_000)


# ---- what outlives a reset


@pytest.mark.parametrize("cause", ["watchdog", "software", "deepsleep"])
def test_the_black_box_outlives_a_reset(chip, port, cause):
    now, told = chip.call("remembers", cause)
    assert now == cause
    wifi = 201 if port == "esp32" else -2
    assert told == {"wifi": wifi, "stage": "wifi", "failures": 2, "up_min": 7}


@pytest.mark.parametrize("carried", [5, 48])
def test_a_deep_sleep_lasts_and_carries_what_it_was_given(chip, port, carried, tmp_path):
    """RP2's is a light sleep with the watchdog counting, then a reset that forgets the time."""
    took_ms, cause, given, clock_set, radio = chip.call("slept", 60_000, carried)
    assert 60_000 <= took_ms < 60_100
    assert (cause, given) == ("deepsleep", True)
    assert clock_set == (port == "esp32")
    assert port == "esp32" or not radio


def test_a_power_cut_empties_it(chip):
    assert chip.call("remembers", "power") == ["power", {}]


def test_what_has_no_room_is_refused_and_the_rest_stays(chip, port):
    fits, read = chip.call("kept", [5, 1, 600, 3])
    if port == "esp32":
        assert (fits, read) == ([True] * 4, [5, 1, 600, 3])
    else:
        assert (fits, read) == ([True, True, False, False], [5, 1, 0, 0])


def test_a_flipped_bit_is_noticed(chip):
    taken, length, slots = chip.call("damaged")
    assert (taken, slots) == (0, 2)
    assert length <= 16, "RP2040 has no more"


# ---- the LED


def test_what_the_led_shows(chip):
    shown = chip.call("leds")
    assert shown["connecting"] == [65535, 0] * 4
    assert shown["online"] == [2000] * 8
    assert sorted(shown["offline"]) == [0] * 6 + [65535] * 2
    assert shown["safe mode"] == 32768


# ---- the whole application


@pytest.mark.long
@pytest.mark.parametrize("port", ["esp32", "rp2"] if os.environ.get("PETREL_SOAK") else ["rp2"])
def test_a_day_without_a_network_resets_nothing(port, tmp_path):
    """A network failure is never a boot failure, and readings go on being taken."""
    config = config_of(1883, wifi=[HOME, SHED], sensor={"every_s": 60, "speed": 1, "loop": True})
    config["reconnect"] = {"first_s": 1, "max_s": 120}
    config["sensors"][0]["file"] = str(data.DATA / data.MOTE)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with Chip("outaging", heap="16M", PETREL_FLASH=str(tmp_path), PETREL_PORT=port) as chip:
        told = chip.call("outage", 24, deadline_s=100)
    assert (told["reset"], told["bitten"], told["problem"]) == (None, False, None)
    assert (told["counted"], told["boots"]) == ("1", "0")
    assert told["sampled"] == 24 * 60
    assert told["failures"] > 300 and told["joins"] > 300
    assert told["retained"][1:3] == [1, 255], "the black box: WiFi, more than 255 times"
