"""Every I2C driver: the data sheet's example, and all that can go wrong on the bus."""

import pytest

from host_tests.sensors.cases import (
    AHT20,
    BME280,
    BMP280,
    BOSCH_RAW_T,
    BOSCH_T,
    I2C,
    SCD4X,
    SHT3X,
    SHT4X,
)
from host_tests.sensors.test_formulas import bosch_t

CASES = pytest.mark.parametrize("case", I2C.values(), ids=I2C.keys())


@CASES
def test_the_data_sheet_s_example(bench, case):
    bench.start(case)
    assert bench.take() == case.values
    assert bench.waited_ms == case.wait_ms


@pytest.mark.parametrize("case", [BME280, BMP280, SHT3X, SHT4X, AHT20], ids=lambda c: c.driver)
def test_a_conversion_takes_as_long_as_the_driver_says(bench, case):
    """A millisecond sooner the chip is not ready, and the driver does not take an old value."""
    bench.start(case)
    error = bench.failure(hurry_ms=2)
    assert error.kind in ("OSError", "ValueError")
    assert bench.take() == case.values


@CASES
def test_a_chip_that_is_not_there(bench, case):
    """The error is the port's, at the first word to the chip."""
    bench.call("make", case.entry)
    bench.keys = list(case.values)
    for _ in range(2):
        error = bench.failure()
        assert (error.kind, bench.absent in error.text) == ("OSError", True)


@CASES
def test_unplugged_while_it_converts_and_plugged_in_again(bench, case):
    bench.start(case)
    assert bench.take() == case.values
    if case.restarts:
        bench.call("wait", 5000)
    assert bench.failure(between=["plug", ["it", False]]).kind == "OSError"
    assert bench.failure().kind == "OSError"
    bench.call("plug", "it", True)
    if case.restarts:
        assert set(bench.take().values()) == {None}
        bench.call("wait", 5000)
    assert bench.take() == case.values


@CASES
def test_a_bus_that_is_held_times_out_and_is_freed_by_nine_clocks(bench, case):
    bench.start(case)
    bench.call("stick", 9)
    error = bench.failure()
    assert (error.kind, bench.timed_out in error.text) == ("OSError", True)
    if case.restarts:
        bench.call("wait", 5000)
    assert bench.take() == case.values
    assert 9 <= bench.call("bus")["clocks"] <= 11  # one is the pin's release, one the STOP's


@CASES
def test_a_bus_that_stays_held_costs_one_time_out_a_reading(bench, case):
    bench.start(case)
    bench.call("stick", 10**6)
    before = bench.call("now")
    for _ in range(3):
        assert bench.timed_out in bench.failure().text
    assert bench.call("now") - before == 150


@pytest.mark.parametrize("name", [name for name, case in I2C.items() if case.spoil])
def test_a_checksum_that_is_wrong(bench, name):
    """One bit of any byte that is protected, the checksum's own included."""
    case = I2C[name]
    for place in case.spoil:
        bench.start(case)
        bench.call("tell", "it", "spoil", place)
        assert bench.failure().text == "a wrong checksum came over the wire"
        bench.call("tell", "it", "spoil", None)
        if case.restarts:
            bench.call("wait", 5000)
        assert bench.take() == case.values


@CASES
def test_the_bus_is_opened_as_configured(bench, case):
    pins = {"scl": 7, "sda": 6, "bus": 1, "bus_khz": 50}
    bench.call("make", {**case.entry, **pins})
    assert bench.call("opened", 1) == [[7, 6, 50_000]]


@CASES
def test_a_reading_allocates_nothing(bench, case):
    """But the pressure of a BME280, whose products need 64 bits."""
    entry = {**case.entry, "channels": dict(case.entry["channels"])}
    entry["channels"].pop("pressure", None)
    bench.start(case)
    bench.call("make", entry)
    for _ in range(2):
        bench.call("wait", 5000)
        bench.call("take", 1)
    bench.call("wait", 5000)
    values, expected = bench.call("locked", 1)
    assert values == expected and None not in values


# ---- what single chips have of their own


def test_a_bme280_is_set_up_anew_when_another_one_is_plugged_in(bench):
    """Its trimming is not the first one's."""
    bench.start(BME280)
    bench.take()
    bench.call("plug", "it", False)
    bench.failure()
    low = bytearray(bytes.fromhex(BME280.chip[5][4:]))
    low[0:2] = (27404).to_bytes(2, "little")
    bench.call("put", "it", *BME280.chip[:1], 0x76, *BME280.chip[1:5], "hex:" + low.hex(),
               BME280.chip[6])
    exact = bosch_t((27404, *BOSCH_T[1:]), BOSCH_RAW_T) / 51.2
    assert abs(bench.take()["temperature"] - exact) < 1
    assert exact > 2550


def test_a_bme280_that_does_not_end_its_measurement(bench):
    bench.start(BME280)
    bench.call("tell", "it", "measures", False)
    assert bench.failure().text == "the measurement has not ended in time"


def test_a_bme280_that_was_reset_while_it_measured(bench):
    bench.start(BME280)
    error = bench.failure(between=["plug", ["it", True]])
    assert error.text == "the chip was reset while it measured"
    assert bench.take() == BME280.values


def test_a_bmp280_has_no_humidity(bench):
    bench.start(BMP280)
    bench.call("make", {**BMP280.entry, "channels": {"humidity": {}}})
    bench.keys = ["humidity"]
    assert bench.failure(number=1).text.startswith("no BME280, so no humidity; leave that")


@pytest.mark.parametrize(("times", "wait_ms"), [(1, 10), (2, 17), (4, 31), (8, 58), (16, 113)])
def test_oversampling_takes_its_time(bench, times, wait_ms):
    """Data sheet, section 9.1; the stand-in checks that it is enough."""
    bench.start(BME280)
    bench.call("make", {**BME280.entry, "oversampling": times})
    assert bench.take(number=1) == BME280.values
    assert bench.waited_ms == wait_ms


def test_an_aht20_that_is_not_calibrated_calibrates_itself_first(bench):
    bench.start(AHT20)
    bench.call("put", "it", "Aht20", 0x38, *AHT20.chip[1:], False)
    assert bench.failure().text == "the chip has to calibrate itself first"
    assert bench.take() == AHT20.values


def test_an_scd4x_without_a_new_value_has_none(bench):
    bench.start(SCD4X)
    assert bench.take() == SCD4X.values
    assert set(bench.take().values()) == {None}
    bench.call("wait", 5000)
    assert bench.take() == SCD4X.values


def test_an_scd4x_that_measures_already_goes_on(bench):
    """After a reset of ours: the chip has kept its power, and refuses to start once more."""
    bench.start(SCD4X)
    bench.call("make", SCD4X.entry)
    assert bench.take(number=1) == SCD4X.values
