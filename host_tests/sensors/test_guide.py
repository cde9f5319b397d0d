"""The driver that docs/drivers.md walks through works as the page says."""

import re

from host_tests.sensors.cases import Case
from petrel import ROOT

PAGE = (ROOT / "docs" / "drivers.md").read_text()
(SOURCE,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
CASE = Case("tmp117", 0x48, ("Tmp117", 0x0C80), {"temperature": 2500}, 18)


def start(bench):
    bench.call("source", "tmp117", SOURCE)
    return bench.start(CASE)


def test_the_example_reads_a_temperature(bench):
    assert start(bench) == [["temperature", "Cel", 2, None]]
    assert bench.take() == {"temperature": 2500}
    bench.call("tell", "it", "raw", 0xE480)
    assert bench.take() == {"temperature": -5500}


def test_the_example_fails_as_the_page_says(bench):
    start(bench)
    assert bench.failure(hurry_ms=1).text == "the measurement has not ended in time"
    bench.call("plug", "it", False)
    assert bench.absent in bench.failure().text
    bench.call("plug", "it", True)
    bench.call("tell", "it", "raw", 0x8000)
    assert bench.failure().text == "temperature of -256 is beyond -55 to 150"


def test_the_example_allocates_nothing(bench):
    start(bench)
    assert bench.call("locked") == [[2500], [2500]]


def test_the_example_is_as_short_as_a_driver_should_be():
    assert len(SOURCE.splitlines()) <= 60
