"""The formulas over their whole range, against exact or floating-point arithmetic on the host, and
that they stay within 31 bits: with the heap locked a longer integer can't be made.
"""

import random
from fractions import Fraction

import pytest

from host_tests.sensors.cases import BOSCH_H, BOSCH_P, BOSCH_RAW_P, BOSCH_RAW_T, BOSCH_T

WORDS = range(0, 65536, 97)
LONG = range(0, 1 << 20, 1999)
EXACT = [
    ("sht3x", "temperature", WORDS, lambda raw: -4500 + Fraction(17500 * raw, 65535)),
    ("sht3x", "humidity", WORDS, lambda raw: Fraction(10000 * raw, 65535)),
    ("sht4x", "humidity", WORDS,
     lambda raw: min(max(-600 + Fraction(12500 * raw, 65535), 0), 10000)),
    ("aht20", "temperature", LONG, lambda raw: Fraction(20000 * raw, 1 << 20) - 5000),
    ("aht20", "humidity", LONG, lambda raw: Fraction(10000 * raw, 1 << 20)),
    ("bh1750", "illuminance", WORDS, lambda raw: Fraction(1000 * raw, 12)),
    ("ds18b20", "temperature", WORDS,
     lambda raw: Fraction((raw ^ 0x8000) - 0x8000, 16) * 10000),
]


@pytest.mark.parametrize(("driver", "function", "raws", "exact"), EXACT)
def test_a_formula_is_rounded_exactly(bench, driver, function, raws, exact):
    raws = [*raws, raws.stop - 1]
    results, allocated = bench.call("call", driver, function, [[raw] for raw in raws])
    for raw, result in zip(raws, results, strict=True):
        assert abs(result - exact(raw)) <= Fraction(1, 2), raw
    assert allocated == 0


@pytest.mark.parametrize(("driver", "function", "raws", "close", "about"), [
    # RP2040 data sheet, section 4.9.5, at a reference of 3.3 V; the range of the chip
    ("chip", "rp2040", range(10200, 20000, 7), 2,
     lambda u16: 2700 - (u16 * 3.3 / 65535 - 0.706) / 0.001721 * 100),
    ("chip", "fahrenheit", range(256), 1, lambda f: (f - 32) * 500 / 9),
    ("adc", "share", WORDS, 0.51, lambda u16: u16 * 33000 / 65535),
])
def test_a_formula_is_close(bench, driver, function, raws, close, about):
    arguments = [[raw, 3300][: 2 if function == "share" else 1] for raw in raws]
    results, allocated = bench.call("call", driver, function, arguments)
    for raw, result in zip(raws, results, strict=True):
        assert abs(result - about(raw)) <= close, raw
    assert allocated == 0


@pytest.mark.parametrize(("raw", "tenthousandths"), [
    # DS18B20 data sheet 19-7487, table 1
    (0x07D0, 1250000), (0x0550, 850000), (0x0191, 250625), (0x00A2, 101250), (0x0008, 5000),
    (0x0000, 0), (0xFFF8, -5000), (0xFF5E, -101250), (0xFE6F, -250625), (0xFC90, -550000),
])
def test_the_table_of_the_ds18b20(bench, raw, tenthousandths):
    assert bench.call("call", "ds18b20", "temperature", [[raw]]) == [[tenthousandths], 0]


# ---- Bosch: section 8.1 of the BME280's data sheet has the same formulas in floating point


def bosch_t(trim, raw):
    t1, t2, t3 = trim
    v1 = (raw / 16384 - t1 / 1024) * t2
    return v1 + (raw / 131072 - t1 / 8192) ** 2 * t3


def bosch_p(trim, fine, raw):
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = trim
    v1 = fine / 2 - 64000
    v2 = v1 * v1 * p6 / 32768 + v1 * p5 * 2
    v2 = v2 / 4 + p4 * 65536
    v1 = (p3 * v1 * v1 / 524288 + p2 * v1) / 524288
    v1 = (1 + v1 / 32768) * p1
    p = (1048576 - raw - v2 / 4096) * 6250 / v1
    return p + (p9 * p * p / 2147483648 + p * p8 / 32768 + p7) / 16


def bosch_h(trim, fine, raw):
    h1, h2, h3, h4, h5, h6 = trim
    h = fine - 76800
    h = (raw - (h4 * 64 + h5 / 16384 * h)) * (
        h2 / 65536 * (1 + h6 / 67108864 * h * (1 + h3 / 67108864 * h))
    )
    return min(max(h * (1 - h1 * h / 524288), 0), 100)


def trimmings(count):
    """As of so many chips: scattered about the data sheet's."""
    random.seed(1)

    def near(values):
        return [value + random.randint(-abs(value) // 8, abs(value) // 8) for value in values]

    return [(near(BOSCH_T), near(BOSCH_P), near(BOSCH_H)) for _ in range(count)]


def test_bosch_s_worked_example(bench):
    """BMP280 data sheet, section 3.12: t_fine 128422, 25.08 degrees, 100653.27 Pa."""
    assert bench.call("call", "bme280", "fine_temperature", [[BOSCH_T, BOSCH_RAW_T]]) == [
        [128422], 0,
    ]
    (pressure,), _ = bench.call("call", "bme280", "pressure", [[BOSCH_P, 128422, BOSCH_RAW_P]])
    assert abs(pressure / 256 - 100653.27) < 0.02  # what t_fine's last bit is worth


def test_bosch_s_formulas_agree_with_floating_point(bench):
    """Over the operating range of chips of all sorts."""
    chips = trimmings(40)
    raws = [random.randint(420_000, 600_000) for _ in chips]
    fines, allocated = bench.call(
        "call", "bme280", "fine_temperature",
        [[t, raw] for (t, _, _), raw in zip(chips, raws, strict=True)],
    )
    for (t, _, _), raw, fine in zip(chips, raws, fines, strict=True):
        assert abs(fine - bosch_t(t, raw)) < 16  # three thousandths of a degree
    assert allocated == 0
    fines = [random.randint(-200_000, 430_000) for _ in chips]
    raws = [random.randint(330_000, 500_000) for _ in chips]
    results, _ = bench.call(
        "call", "bme280", "pressure",
        [[p, fine, raw] for (_, p, _), fine, raw in zip(chips, fines, raws, strict=True)],
    )
    for (_, p, _), fine, raw, result in zip(chips, fines, raws, results, strict=True):
        assert abs(result / 256 - bosch_p(p, fine, raw)) < 0.2
    raws = [random.randint(15_000, 45_000) for _ in chips]
    results, _ = bench.call(
        "call", "bme280", "humidity",
        [[h, fine, raw] for (_, _, h), fine, raw in zip(chips, fines, raws, strict=True)],
    )
    for (_, _, h), fine, raw, result in zip(chips, fines, raws, results, strict=True):
        assert abs(result / 1024 - bosch_h(h, fine, raw)) < 0.05
