"""A device behind a proxy, and figures: kept with the tests' results, printed at the end."""

import pytest

from host_tests.e2e.proofs import SOON_S, quick

_FIGURES = "figure: "


@pytest.fixture
def figure(record_property):
    """Keeps what a test measured: figure("latest reading", 3, "ms")."""
    return lambda name, value, unit: record_property(_FIGURES + name, f"{value} {unit}")


@pytest.fixture
def running(proxy, receiver, device):
    """A device that has been sending for a moment."""
    started = device(quick(proxy.port))
    receiver.wait_readings("d1", 20, SOON_S)
    return started


def pytest_terminal_summary(terminalreporter):
    lines = []
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        test = report.nodeid.rpartition("::")[2]
        for name, value in report.user_properties:
            if report.when == "call" and name.startswith(_FIGURES):
                lines.append(f"{test}: {name.removeprefix(_FIGURES)} {value}")
    if lines:
        terminalreporter.section("measured end to end")
        terminalreporter.write_line("\n".join(lines))
