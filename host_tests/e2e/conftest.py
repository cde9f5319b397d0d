"""Figures that the end-to-end tests measure: kept with their results, printed at the end."""

import pytest

_FIGURES = "figure: "


@pytest.fixture
def figure(record_property):
    """Keeps what a test measured: figure("latest reading", 3, "ms")."""
    return lambda name, value, unit: record_property(_FIGURES + name, f"{value} {unit}")


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
