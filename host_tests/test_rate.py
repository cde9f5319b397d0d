"""lib/rate.py: so many events a second and no more, however they are asked for."""

from hypothesis import given
from hypothesis import strategies as st

from rate import RateLimit

PER_S = st.sampled_from([1, 2, 3, 49, 50, 51, 300, 999, 1000, 1001, 20_000])


def burst(per_s):
    """Thousandths of an event that may happen at one moment: 20 ms' worth, at least one event."""
    return max(1000, per_s * 20)


@given(PER_S, st.lists(st.integers(0, 200) | st.integers(0, 10**9), max_size=20))
def test_never_above_the_limit_in_any_stretch_of_time(per_s, pauses):
    now, events = 5, []
    rate = RateLimit(per_s, now)
    for pause in pauses:
        now += pause
        while rate.wait_ms(now) == 0:
            rate.take()
            events.append(now)
    # Events i to j are j - i + 1: what any two of them may be apart, each `ahead` of the rate.
    ahead = [number * 1000 - event * per_s for number, event in enumerate(events)]
    lowest = float("inf")
    for here in ahead:
        lowest = min(lowest, here)
        assert here - lowest + 1000 <= burst(per_s)


@given(PER_S, st.lists(st.integers(0, 50), max_size=40))
def test_the_wait_is_as_long_as_it_says_and_no_longer(per_s, pauses):
    now = 0
    rate = RateLimit(per_s, now)
    for pause in pauses:
        now += pause
        wait = rate.wait_ms(now)
        if wait:
            assert rate.wait_ms(now + wait - 1) > 0
            now += wait
            assert rate.wait_ms(now) == 0
        rate.take()


@given(PER_S)
def test_the_limit_is_reached(per_s):
    """Who always has something to send gets the whole rate, save that waits are whole ms."""
    now = events = 0
    rate = RateLimit(per_s, now)
    while now < 2000 and events < 5000:
        wait = rate.wait_ms(now)
        if wait:
            now += wait
        else:
            rate.take()
            events += 1
    if per_s <= 1000:
        assert events >= now // -(-1000 // per_s)
    else:
        assert events * 1000 >= (now - 1) * per_s


def test_a_long_pause_saves_nothing_up():
    rate = RateLimit(50, 0)
    rate.take()
    assert rate.wait_ms(10**9) == 0
    rate.take()
    assert rate.wait_ms(10**9) == 20
