"""firmware/uplink.py in virtual time, over a link that fails when it is told to."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.chip import Chip

HOUR_MS = 3_600_000
FOR_EVER = 10**9


@pytest.fixture(scope="module")
def chip():
    with Chip("uplinking", heap="16M") as chip:
        yield chip


def connection(**told):
    """What the link does on one connection.

    open_ms: how long open() takes. refused: (stage, retry) of the LinkError that it then raises.
    send_ms: how long send() takes. sends: so many are taken, the next one fails. refuses: kinds of
    message that raise ValueError. lives_ms: then run() raises LinkError, or RuntimeError(breaks).
    """
    usual = {
        "open_ms": 10, "refused": None, "send_ms": 5, "sends": FOR_EVER, "refuses": [],
        "lives_ms": FOR_EVER, "breaks": None, "close_ms": 5,
    }
    assert told.keys() <= usual.keys()
    return usual | told


def run(chip, events, until_ms, *connections, **options):
    usual = {
        "window": 1, "batch": 1, "max_age_ms": 60_000, "per_s": 1000,
        "first_ms": 1000, "max_ms": 120_000, "queue_bytes": 20_000,
    }
    assert options.keys() <= usual.keys()
    told = connections or [connection()]
    return chip.call("run", events, until_ms, told, *(usual | options).values())


def numbers(result):
    """The numbers of all readings in all messages that arrived."""
    return [number for batch, *_ in result["data"] for number in batch]


def pauses(result, after_ms=0):
    """From each failure to the next open(); failures are immediate in these tests."""
    return [b - a - after_ms for a, b in itertools.pairwise(result["opens"])]


# ---- moving messages


def test_what_is_put_arrives_once_and_in_order(chip):
    result = run(chip, [["put", at_ms, 7] for at_ms in range(0, 5000, 100)], 10_000)
    assert numbers(result) == list(range(1, 351))
    assert (result["queued"], result["dropped"], result["acked"]) == (0, 0, 350)
    assert (result["connects"], result["acks"]) == (1, 350)


def test_a_reading_leaves_as_soon_as_it_is_put(chip):
    result = run(chip, [["put", 12_345, 1]], 20_000)
    assert [began for _, began, _ in result["data"]] == [12_345]


def test_a_batch_leaves_when_it_is_full_or_old(chip):
    result = run(chip, [["put", 100, 3], ["put", 200, 2]], 10_000, batch=3, max_age_ms=4000)
    assert [began for _, began, _ in result["data"]] == [100, 4200]
    assert [batch for batch, *_ in result["data"]] == [[1, 2, 3], [4, 5]]


def test_a_link_with_a_window_is_used_up(chip):
    result = run(chip, [["put", 100, 20]], 10_000, connection(send_ms=100), window=4)
    assert result["most_under_way"] == 4
    assert sorted(numbers(result)) == list(range(1, 21))
    assert result["data"][-1][2] <= 100 + 20 // 4 * 100 + 50


@settings(max_examples=60, deadline=None, print_blob=True)
@given(
    lives=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 20)), max_size=6),
    window=st.integers(1, 3), batch=st.integers(1, 5),
    puts=st.lists(st.tuples(st.integers(0, 8000), st.integers(1, 10)), max_size=8),
)
def test_whatever_breaks_nothing_is_lost(chip, lives, window, batch, puts):
    """Readings may come twice; none is missing, and the first of each come in order."""
    told = [connection(lives_ms=lives_ms, sends=sends) for lives_ms, sends in lives]
    events = [["put", at_ms, count] for at_ms, count in puts]
    result = run(
        chip, events, 60_000, *told, connection(),
        window=window, batch=batch, first_ms=100, max_ms=1000, max_age_ms=500,
    )
    total = sum(count for _, count in puts)
    arrived = list(dict.fromkeys(numbers(result)))
    assert sorted(arrived) == list(range(1, total + 1))
    if window == 1:
        assert arrived == sorted(arrived)
    assert (result["queued"], result["acked"], result["dropped"]) == (0, total, 0)
    assert result["overdue"] == []


def test_never_more_messages_a_second_than_allowed(chip):
    result = run(chip, [["put", 0, 200]], 30_000, connection(send_ms=0), per_s=20)
    times = [began for _, began, _ in result["data"]]
    assert len(times) == 200
    assert all(later - sooner >= 50 for sooner, later in itertools.pairwise(times))
    assert times[-1] - times[0] <= 200 * 50


# ---- reconnecting


@pytest.mark.parametrize("stage", ["dns", "tcp", "tls", "connack", "ack", "lost", "protocol"])
def test_every_failure_to_open_backs_off(chip, stage):
    told = connection(open_ms=0, refused=[stage, True])
    delays = pauses(run(chip, [], HOUR_MS, told))
    for n, delay in enumerate(delays, 1):
        assert 1000 <= delay <= min(120_000, 1000 * 2**n)
    assert max(delays[:7]) <= 120_000 and len(delays) >= 25
    assert len(set(delays)) > len(delays) // 2, "no jitter"


def test_a_lost_connection_backs_off_too(chip):
    """Also one that worked: it comes back soon after `first_s`, not at once."""
    told = connection(open_ms=0, lives_ms=5000)
    delays = pauses(run(chip, [], 60_000, told), after_ms=5000)
    for n, delay in enumerate(delays, 1):
        assert 1000 <= delay <= 1000 * 2**n


def test_an_acknowledgement_that_does_not_come_backs_off_too(chip):
    told = connection(open_ms=0, sends=0, send_ms=0)
    result = run(chip, [["put", 0, 1]], 60_000, told)
    assert all(1000 <= delay <= 1000 * 2**n for n, delay in enumerate(pauses(result), 1))
    assert len(result["opens"]) <= 12


def test_what_only_a_change_can_mend_waits_the_longest_delay(chip):
    told = connection(open_ms=0, refused=["connack", False])
    delays = pauses(run(chip, [], HOUR_MS, told))
    assert set(delays) == {120_000}


def test_a_change_of_mind_is_noticed(chip):
    """Once the password is right the device is online, whatever it has waited before."""
    bad = connection(refused=["connack", False])
    result = run(chip, [["put", 0, 3]], 300_000, bad, bad, connection())
    assert numbers(result) == [1, 2, 3]


def down_then(chip, proven):
    """Ten failures, a connection that ends as `proven` says, and refusals: the delay after it."""
    refused = connection(open_ms=0, refused=["tcp", True])
    result = run(
        chip, [["put", 0, 1]], 4 * HOUR_MS, *[refused] * 10, proven, refused,
    )
    return result["opens"][11] - result["births"][0] - proven["lives_ms"]


@pytest.mark.parametrize("lives_ms", [10_000, 60_000])
def test_a_connection_that_lasted_and_was_acknowledged_starts_at_the_bottom(chip, lives_ms):
    assert down_then(chip, connection(lives_ms=lives_ms)) <= 2000


def test_a_connection_that_did_not_last_proves_nothing(chip):
    """A broker that takes one message and falls over must not be hammered at the first delay."""
    delays = [down_then(chip, connection(lives_ms=9_900)) for _ in range(6)]
    assert max(delays) > 4000  # of 1 to 120 s: six below 4 s is one case in 4 * 10^9


def test_a_connection_without_an_acknowledgement_proves_nothing(chip):
    silent = connection(lives_ms=15_000, send_ms=FOR_EVER)
    delays = [down_then(chip, silent) for _ in range(6)]
    assert max(delays) > 4000


def test_every_birth_is_told(chip):
    short = connection(lives_ms=3000)
    result = run(chip, [], 60_000, short, short, connection())
    assert len(result["births"]) == result["connects"] == 3


# ---- posts


def test_posts_go_ahead_of_the_readings(chip):
    events = [["put", 0, 100], ["post", 200, "responses", "urgent"]]
    result = run(chip, events, 60_000, connection(send_ms=50))
    (kind, payload, began, _), = result["sent"]
    assert (kind, payload) == ("responses", "urgent")
    assert began <= 200 + 50


def test_a_newer_health_replaces_an_older_one(chip):
    events = [["post", at_ms, "health", str(at_ms)] for at_ms in range(100, 2000, 100)]
    events.append(["post", 150, "responses", "kept"])
    result = run(chip, events, 10_000, connection(open_ms=5000))
    assert [payload for _, payload, *_ in result["sent"]] == ["kept", "1900"]
    assert result["posts_dropped"] == 0


def test_posts_that_find_no_connection_are_bounded_and_counted(chip):
    events = [["post", at_ms, "responses", str(at_ms)] for at_ms in range(100, 1300, 100)]
    result = run(chip, events, 10_000, connection(open_ms=5000))
    newest = [str(at_ms) for at_ms in range(500, 1300, 100)]
    assert [payload for _, payload, *_ in result["sent"]] == newest
    assert result["posts_dropped"] == 4


def test_a_post_that_was_under_way_when_the_link_broke_is_sent_again(chip):
    events = [["post", 100, "responses", "first"], ["post", 110, "responses", "second"]]
    result = run(chip, events, 30_000, connection(sends=0, send_ms=500), connection())
    assert [payload for _, payload, *_ in result["sent"]] == ["first", "second"]


def test_a_post_that_can_never_be_sent_is_dropped_and_no_success(chip):
    """Too long for the link: the others go on, and nobody acknowledged anything."""
    events = [["post", 100, "responses", "too long"], ["put", 200, 1]]
    result = run(chip, events, 5000, connection(refuses=["responses"]))
    assert result["sent"] == []
    assert numbers(result) == [1]
    assert result["posts_dropped"] == 1
    assert result["acks"] == 1


# ---- stopping


def test_a_stop_delivers_what_is_queued_and_says_why(chip):
    result = run(chip, [["put", 1000, 50], ["stop", 1000, 8000]], 20_000, connection(send_ms=10))
    assert numbers(result) == list(range(1, 51))
    assert result["closed"][0] == "told to"
    assert result["stopped_ms"] <= 1000 + 50 * 10 + 200
    assert result["ran_ms"] is not None


def test_a_stop_does_not_wait_for_a_batch_to_fill(chip):
    result = run(chip, [["put", 1000, 3], ["stop", 2000, 8000]], 20_000, batch=10)
    assert numbers(result) == [1, 2, 3]
    assert result["closed"] is not None
    assert result["stopped_ms"] <= 2500


def test_a_stop_delivers_the_responses_too(chip):
    """To `reboot`, say."""
    events = [["post", 1000, "responses", "{}"], ["stop", 1000, 8000]]
    result = run(chip, events, 20_000)
    assert [payload for _, payload, *_ in result["sent"]] == ["{}"]


def test_a_stop_ends_although_the_peer_does_not_answer(chip):
    told = connection(send_ms=FOR_EVER, close_ms=3000)
    result = run(chip, [["put", 1000, 5], ["stop", 2000, 8000]], 60_000, told)
    assert 10_000 <= result["stopped_ms"] <= 10_100 + 3000
    assert result["queued"] == 5
    assert result["closed"][0] == "told to"


def test_a_stop_ends_although_the_link_breaks_meanwhile(chip):
    told = connection(send_ms=FOR_EVER, lives_ms=3000)
    result = run(chip, [["put", 1000, 5], ["stop", 2000, 8000]], 60_000, told)
    assert result["stopped_ms"] <= 10_100
    assert result["closed"] is None


def test_a_stop_while_connecting_delivers_over_that_connection(chip):
    result = run(chip, [["put", 0, 1], ["stop", 2000, 8000]], 300_000, connection(open_ms=5000))
    assert (result["births"], numbers(result)) == ([5000], [1])
    assert 5000 <= result["stopped_ms"] <= 5100
    assert result["closed"][0] == "told to"


@pytest.mark.parametrize("told, stopped_ms", [
    (connection(open_ms=5000, refused=["tcp", True]), 5000),
    (connection(open_ms=20_000), 10_000),
    (connection(open_ms=10, refused=["connack", False]), 2000),
], ids=["connecting in vain", "connecting for too long", "waiting"])
def test_a_stop_without_a_connection_begins_no_new_one(chip, told, stopped_ms):
    result = run(chip, [["put", 0, 1], ["stop", 2000, 8000]], 300_000, told)
    assert stopped_ms <= result["stopped_ms"] <= stopped_ms + 50
    assert len(result["opens"]) == 1
    assert result["births"] == []
    assert result["ran_ms"] is not None, "run() returns after stop()"


def test_after_a_stop_nothing_is_sent(chip):
    events = [["put", 0, 5], ["stop", 2000, 8000], ["put", 2500, 5], ["post", 2600, "health", "1"]]
    result = run(chip, events, 60_000)
    assert numbers(result) == [1, 2, 3, 4, 5]
    assert result["sent"] == []


# ---- what must not be hidden, and a sign of life


def test_an_error_that_nobody_expected_ends_the_app(chip):
    result = run(chip, [], 60_000, connection(lives_ms=1000, breaks="a bug"))
    assert result["raised"] == "a bug"


@pytest.mark.parametrize("told, options", [
    (connection(), {}),
    (connection(open_ms=60_000, refused=["tcp", True]), {}),
    (connection(open_ms=0, refused=["connack", False]), {"max_ms": 86_400_000}),
    (connection(send_ms=60_000), {}),
    (connection(lives_ms=50_000), {"per_s": 1}),
], ids=["idle", "slow open", "longest delay", "slow acknowledgements", "slow rate"])
def test_the_network_may_be_away_for_as_long_as_it_likes(chip, told, options):
    """The watchdog never depends on it."""
    result = run(chip, [["put", 10 * HOUR_MS // 10, 30]], 3 * HOUR_MS, told, **options)
    assert result["overdue"] == []
