"""lib/tcp.py: is the name server asked seldom enough, and often enough?"""

import pytest

from host_tests.chip import Chip

MINUTE, HOUR = 60_000, 3_600_000
UP, AWAY = ["name server", ["a1", "a2"]], ["name server", None]


@pytest.fixture(scope="module")
def chip():
    # The test's clock wraps at 2**30 as a board's does; the 32-bit port's own does too.
    with Chip("resolving", "32-bit") as chip:
        yield chip


def resolved(chip, *steps):
    return chip.call("resolve", steps)[0]


def test_an_answer_lasts_an_hour(chip):
    steps = [UP, ["resolve"], ["wait", HOUR - 1], ["resolve"], ["wait", 1], ["resolve"]]
    assert resolved(chip, *steps) == [["a1", 1], ["a1", 1], ["a1", 2]]


def test_a_failure_takes_the_next_address_and_doubts_the_answer(chip):
    steps = [UP, ["resolve"], ["failed"], ["resolve"], ["failed"], ["resolve"],
             ["wait", 5 * MINUTE], ["resolve"]]
    assert resolved(chip, *steps) == [["a1", 1], ["a2", 1], ["a1", 1], ["a1", 2]]


def test_while_the_network_is_away_it_is_asked_every_five_minutes_at_most(chip):
    """Every asking blocks the device then."""
    steps = [UP, ["resolve"], AWAY]
    for _ in range(60):
        steps += [["failed"], ["wait", MINUTE], ["resolve"]]
    found = resolved(chip, *steps)
    assert {address for address, _ in found} <= {"a1", "a2"}, "the old answer is used again"
    assert found[-1][1] <= 1 + 60 // 5


def test_a_name_that_never_resolved_is_told(chip):
    assert resolved(chip, AWAY, ["resolve"], UP, ["resolve"]) == [
        ["dns: the name broker does not resolve (-2)", 1], ["a1", 2],
    ]


def test_a_broker_that_moved_is_found(chip):
    steps = [UP, ["resolve"], ["name server", ["b1"]], ["failed"], ["wait", 5 * MINUTE],
             ["resolve"]]
    assert resolved(chip, *steps)[-1][0] == "b1"


def test_the_slowest_look_up_is_known(chip):
    steps = [UP, ["slow", 1500], ["resolve"], ["slow", 20], ["wait", 2 * HOUR], ["resolve"]]
    assert chip.call("resolve", steps)[1] == 1500
