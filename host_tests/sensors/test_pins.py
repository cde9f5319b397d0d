"""Sensors that are no chips on an I2C bus: 1-Wire, DHT, analog, pulses, contacts, the chip."""

import errno

import pytest

from host_tests.chip import Raised
from host_tests.sensors.cases import hexed

ROM = "28ff64020000001c"
OTHER = "28aa01020304052b"


@pytest.fixture
def probe(bench):
    """Makes a DS18B20, and returns the function that reads the n-th."""

    def make(*roms, alone=False):
        for rom in roms:
            bench.call("put", rom, "Ds18b20", 4, hexed(bytes.fromhex(rom)), 0x0191)
            entry = {"driver": "ds18b20", "pin": 4, "channels": {"t": {"decimals": 4}}}
            bench.call("make", entry if alone else {**entry, "rom": rom})
        bench.keys = ["t"]
        return lambda number=0, **how: bench.take(number=number, **how)["t"]

    return make


# ---- DS18B20


@pytest.mark.parametrize("alone", [True, False])
def test_a_ds18b20(bench, probe, alone):
    take = probe(ROM, alone=alone)
    assert take() == 250625
    assert bench.waited_ms == 750


def test_several_on_one_bus_are_told_apart(bench, probe):
    take = probe(ROM, OTHER)
    bench.call("tell", OTHER, "raw", 0xFC90)
    assert (take(0), take(1)) == (250625, -550000)


def test_one_that_is_unplugged_leaves_the_other_alone(bench, probe):
    take = probe(ROM, OTHER)
    assert (take(0), take(1)) == (250625, 250625)
    bench.call("plug", OTHER, False)
    assert take(0) == 250625
    assert f"{errno.ENODEV}" in bench.failure(number=1).text
    bench.call("plug", OTHER, True)
    assert take(1) == 250625


def test_a_bus_without_any(bench, probe):
    take = probe(ROM)
    bench.call("plug", ROM, False)
    error = bench.failure()
    assert (error.kind, str(errno.ENODEV) in error.text) == ("OSError", True)
    bench.call("plug", ROM, True)
    assert take() == 250625


def test_a_line_that_is_short_to_ground_is_no_zero_degrees(bench, probe):
    take = probe(ROM)
    take()
    bench.call("short", 4)
    assert bench.failure().kind == "ValueError"


def test_a_ds18b20_with_a_wrong_checksum(bench, probe):
    take = probe(ROM)
    for place in range(9):
        bench.call("tell", ROM, "spoil", place)
        assert bench.failure().kind in ("ValueError", "OSError")
        bench.call("tell", ROM, "spoil", None)
    assert take() == 250625


def test_the_85_degrees_after_a_loss_of_power_are_none(bench, probe):
    take = probe(ROM)
    error = bench.failure(between=["plug", [ROM, True]])
    assert error.text == "it has lost its power while it converted"
    bench.call("tell", ROM, "raw", 0x0550)
    assert take() == 850000  # a true one


def test_two_without_ids_on_one_bus_are_noticed(bench, probe):
    """They answer at the same time, and the line carries what both have in common."""
    probe(ROM, OTHER)
    bench.call("tell", OTHER, "raw", 0x0222)
    bench.call("make", {"driver": "ds18b20", "pin": 4, "channels": {"t": {}}})
    assert bench.failure(number=2).kind == "ValueError"


def test_a_ds18b20_allocates_nothing(bench, probe):
    take = probe(ROM)
    take()
    assert bench.call("locked") == [[250625], [250625]]


# ---- DHT

# AM2302 data sheet, section 7: 65.2 %, 35.1 degrees; and -10.1 degrees.
DHT22 = "028c015fee"
COLD = "028c806573"
DHT11 = "230019043f"[:8] + "40"  # 35 %, 25.4 degrees


def dht(bench, kind, answer):
    channels = {name: {} for name in ("humidity", "temperature")}
    bench.call("make", {"driver": "dht", "pin": 15, "type": kind, "channels": channels})
    bench.keys = ["humidity", "temperature"]
    bench.call("answer", 15, answer and "hex:" + answer)


@pytest.mark.parametrize(("kind", "answer", "values"), [
    ("dht22", DHT22, (652, 351)), ("dht22", COLD, (652, -101)), ("dht11", DHT11, (350, 254)),
])
def test_a_dht(bench, kind, answer, values):
    dht(bench, kind, answer)
    assert tuple(bench.take().values()) == values


def test_a_dht_with_a_wrong_checksum_or_impossible_values(bench):
    dht(bench, "dht22", "028c015fef")
    assert bench.failure().text == "a wrong checksum came over the wire"
    bench.call("answer", 15, "hex:0400015f64")  # 102.4 %
    assert bench.failure().text == "humidity of 102.4 is beyond 0 to 100"


def test_a_dht_that_is_away(bench):
    dht(bench, "dht22", DHT22)
    bench.call("answer", 15, None)
    assert bench.timed_out in bench.failure().text
    bench.call("answer", 15, "hex:" + DHT22)
    assert bench.take() == {"humidity": 652, "temperature": 351}


def test_a_dht_blocks_no_longer_than_its_docstring_says(bench):
    dht(bench, "dht22", DHT22)
    assert bench.call("blocked_ms") == [0, 273]


# ---- analog


def voltage(bench, **options):
    pin = {"esp32": 34, "rp2": 26}[bench.port]
    entry = {"driver": "adc", "pin": pin, "channels": {"v": {"decimals": 4}}, **options}
    bench.call("make", entry)
    bench.keys = ["v"]
    return pin


def test_a_voltage_through_a_divider(bench):
    """Within a step of the converter: 0.8 mV, and 1 mV where the port calibrates."""
    pin = voltage(bench, top_kohm=100, bottom_kohm=47)
    for microvolts in (0, 200_000, 1_234_567, 2_900_000):
        bench.call("volts", pin, microvolts)
        volts = bench.take()["v"] / 10_000
        assert abs(volts - microvolts * 147 / 47 / 1e6) < 0.001 * 147 / 47


def test_a_voltage_without_a_divider(bench):
    pin = voltage(bench)
    bench.call("volts", pin, 1_500_000)
    assert abs(bench.take()["v"] - 15_000) <= 8


def test_a_voltage_allocates_nothing(bench):
    voltage(bench, top_kohm=10_000, bottom_kohm=1000, samples=64)
    values, expected = bench.call("locked")
    assert values == expected
    assert values[0] > 10_000


def test_a_pin_without_a_converter_is_an_error_of_the_config(bench):
    with pytest.raises(Raised) as raised:
        bench.call("make", {"driver": "adc", "pin": 2, "channels": {"v": {}}})
    assert raised.value.kind == "ValueError"


def test_the_chip_s_own_temperature(bench):
    bench.call("make", {"driver": "chip", "channels": {"t": {"decimals": 1}}})
    bench.keys = ["t"]
    bench.call("volts", "core", 706_000 - 10 * 1721)  # RP2040: 10 degrees above 27
    degrees = bench.take()["t"] / 10
    assert abs(degrees - {"esp32": 41, "rp2": 37}[bench.port]) < 0.5


# ---- pulses


def gauge(bench, **options):
    channels = {name: {} for name in ("pulses", "total")}
    entry = {"driver": "pulse", "pin": 5, "channels": channels, **options}
    bench.keys = ["pulses", "total"]
    return bench.call("make", entry)


def pulses(bench, count, ms=10):
    for _ in range(count):
        bench.call("drive", 5, 0)
        bench.call("wait", ms)
        bench.call("drive", 5, None)
        bench.call("wait", ms)


def test_pulses_are_counted_between_readings_and_in_all(bench):
    channels = gauge(bench)
    assert channels == [["pulses", "count", 0, None], ["total", "count", 0, "count"]]
    pulses(bench, 3)
    assert bench.take() == {"pulses": 3, "total": 3}
    pulses(bench, 2)
    assert bench.take() == {"pulses": 2, "total": 5}
    assert bench.take() == {"pulses": 0, "total": 5}


def test_what_a_division_leaves_over_is_kept(bench):
    """A rain gauge of 0.2794 mm, shown in hundredths."""
    channels = {"pulses": {"unit": "mm", "decimals": 2}, "total": {"unit": "mm", "decimals": 2}}
    gauge(bench, multiply=2794, divide=10_000, channels=channels)
    shown = 0
    for count in (1, 1, 1, 5, 1, 2, 3):
        pulses(bench, count)
        reading = bench.take()
        shown += reading["pulses"]
        assert reading["total"] == shown
    assert shown == 14 * 2794 * 100 // 10_000


def test_a_contact_that_bounces_counts_once(bench):
    gauge(bench, debounce_ms=20)
    for _ in range(4):
        pulses(bench, 5, ms=1)
        bench.call("wait", 50)
    assert bench.take()["pulses"] == 4


@pytest.mark.parametrize("edge", ["falling", "rising"])
def test_one_edge_of_a_pulse_counts(bench, edge):
    gauge(bench, edge=edge)
    bench.call("drive", 5, 0)
    assert bench.take()["pulses"] == (edge == "falling")
    bench.call("drive", 5, None)
    assert bench.take()["pulses"] == (edge == "rising")


def test_the_counter_wraps(bench):
    """At 2^29, so that one more needs no long integer; the difference is right across it."""
    gauge(bench)
    bench.call("let", 0, "_counted", 2**29 - 2)
    bench.take()
    pulses(bench, 5)
    assert bench.take() == {"pulses": 5, "total": 3}


def test_an_interrupt_finds_the_heap_locked_and_needs_nothing(bench):
    """The hard one of RP2040: with the heap locked by the stand-in, as the port does."""
    gauge(bench, debounce_ms=5)
    pulses(bench, 40)
    assert bench.take()["pulses"] == 40


def test_the_hardware_s_counter_is_used_where_there_is_one(bench):
    bench.call("with_counter")
    gauge(bench)
    bench.call("count", 0, 1234)
    assert bench.take() == {"pulses": 1234, "total": 1234}
    bench.call("count", 0, 2**29 + 6)
    assert bench.take() == {"pulses": 2**29 + 6 - 1234, "total": 6}
    bench.call("without_counter")
