"""Readings outside the schedule: contacts that change, bounce, chatter, and interrupts that are
lost.
"""

import pytest

from host_tests.chip import Chip

_chips = {}


@pytest.fixture(params=["64-bit", "32-bit"])
def chip(request, port):
    key = (request.param, port)
    if key not in _chips:
        _chips[key] = Chip("edging", request.param, PETREL_PORT=port)
    return _chips[key]


@pytest.fixture(scope="module", autouse=True)
def _end():
    yield
    while _chips:
        _chips.popitem()[1].__exit__()


def run(chip, happens, until_ms=10_000, lose=(), **options):
    """[(when, level)] of the readings, and what was dropped."""
    told = chip.call("run", options, happens, until_ms, lose)
    assert told["overdue"] == []
    assert "edges" not in told["tasks"], "the collector's task has not ended with the sampler"
    return [(due, level) for due, (level,) in told["readings"]], told["dropped"]


def test_a_change_is_a_reading_at_its_time(chip):
    readings, dropped = run(chip, [(1003, 0), (2500, None), (7777, 0)])
    assert readings == [(0, 1), (1003, 0), (2500, 1), (7777, 0)]
    assert dropped == 0


def test_a_contact_that_bounces_is_one_reading_at_the_end_of_its_bouncing(chip):
    bouncing = [(1000 + 2 * n, n % 2) for n in range(9)]  # it ends at 1016, low
    readings, _ = run(chip, [*bouncing, (3000, None), (3005, 0), (3010, None)])
    assert readings == [(0, 1), (1016, 0), (3010, 1)]


def test_a_disturbance_shorter_than_the_debounce_is_none(chip):
    readings, _ = run(chip, [(1000, 0), (1015, None), (2000, 0), (2019, None)])
    assert readings == [(0, 1)]


def test_without_debouncing_every_edge_counts(chip):
    readings, _ = run(chip, [(1000, 0), (1001, None), (1002, 0)], debounce_ms=0)
    assert readings == [(0, 1), (1000, 0), (1001, 1), (1002, 0)]


def test_a_contact_to_ground_may_be_called_closed(chip):
    readings, _ = run(chip, [(1000, 0)], invert=True)
    assert readings == [(0, 0), (1000, 1)]


def test_edges_while_the_loop_is_blocked_keep_their_times(chip):
    """As by a look-up of a name: the interrupt has the time, whoever is busy."""
    readings, _ = run(chip, [(1000, 0), (1500, "block", 3000), (4600, None)])
    assert readings == [(0, 1), (1000, 0), (4600, 1)]


def test_a_lost_interrupt_is_found_by_the_level(chip):
    readings, _ = run(chip, [(1000, 0), (2000, None)], lose=[1000])
    assert readings[0] == (0, 1)
    assert 1000 <= readings[1][0] <= 1030 and readings[1][1] == 0
    assert readings[2] == (2000, 1)


def test_a_contact_that_chatters_is_held_to_its_measure_and_counted(chip):
    """2,000 changes in 10 s: twenty at once and ten a second go through."""
    chatter = [(n * 5 + 5, n % 2) for n in range(2000)]
    readings, dropped = run(chip, chatter, 10_100, debounce_ms=0)
    assert 100 <= len(readings) - 1 <= 125
    assert len(readings) - 1 + dropped >= 1990


def test_more_edges_than_the_ring_has_room_for_end_at_the_right_level(chip):
    burst = [(1000, "block", 100), *[(1000, n % 2) for n in range(40)], (1000, None)]
    readings, _ = run(chip, burst, debounce_ms=0)
    assert readings[-1][1] == 1


def test_without_edges_the_schedule_is_all(chip):
    readings, dropped = run(chip, [(1500, 0)], 4500, edges=False, every_s=1)
    assert readings == [(0, 1), (1000, 1), (2000, 0), (3000, 0), (4000, 0)]
    assert dropped is None


def test_the_schedule_goes_on_beside_the_edges(chip):
    readings, _ = run(chip, [(1500, 0), (3200, None)], 4500, every_s=1)
    assert readings == [(0, 1), (1000, 1), (1500, 0), (2000, 0), (3000, 0), (3200, 1), (4000, 1)]


def test_an_edge_allocates_nothing(chip):
    assert chip.call("locked", 100) == 100
