"""Does every reading come back as it went in?"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frame.encoder import Encoder
from frame.schema import Schema, channel
from frame.train import Trainer
from host_tests.frame.samples import STREAM, check, encode, kept_series, random_readings, train
from petrel import frame_bench

SERIES = kept_series()
NAMES = ("weather_station_10min", "astro_pi_10s", "airport_1h", "mote_5s")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1, 2, 3, 10, 60, 240])
def test_recorded_series(name, size):
    if name not in SERIES:
        pytest.skip(f"the series {name} is not kept here")
    schema, times, rows = frame_bench.load(*SERIES[name])
    cut = min(len(rows) // 5, 1200)
    blob = train(schema, times[:cut], rows[:cut])
    places = frame_bench.starts(len(rows), size)[::10]
    for start in places:
        part = slice(start, start + size)
        check(schema, times[part], rows[part], start + 1)
        check(schema, times[part], rows[part], start + 1, blob)


@pytest.mark.parametrize("seed", range(300))
def test_random_readings_self(seed):
    check(*random_readings(seed))


@pytest.mark.parametrize("seed", range(120))
def test_random_readings_by_a_profile_of_their_own(seed):
    schema, times, rows = random_readings(1000 + seed)
    blob = train(schema, times, rows)
    check(schema, times, rows, 7, blob)


@pytest.mark.parametrize("seed", range(60))
def test_random_readings_by_a_profile_that_does_not_fit(seed):
    schema, times, rows = random_readings(2000 + seed)
    quiet = [(None, *(5 for _ in schema.channels[1:]))] * 60
    blob = train(schema, [i * schema.interval_ms for i in range(60)], quiet)
    check(schema, times, rows, 7, blob)


VALUE = st.one_of(st.none(), st.integers(-2**31, 2**31 - 1), st.integers(-100, 100),
                  st.sampled_from([-2**31, 2**31 - 1, 2**30, -2**30 - 1, 2**27, -2**27]))
TIME = st.one_of(st.integers(0, 2**48 - 1), st.integers(0, 10**6),
                 st.integers(1732265000000, 1732266000000))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_mix(data):
    width = data.draw(st.integers(1, 32))
    count = data.draw(st.integers(1, 12))
    schema = Schema(tuple(channel(f"k{i}") for i in range(width)),
                    data.draw(st.sampled_from([0, 1, 999, 1000, 60000, 2**28 - 1])))
    times = data.draw(st.lists(TIME, min_size=count, max_size=count))
    row = st.tuples(*[VALUE] * width)
    rows = data.draw(st.lists(row, min_size=count, max_size=count))
    check(schema, times, rows, data.draw(st.integers(0, 2**30 - 100)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 2**32 - 1)), min_size=1, max_size=30))
def test_counts_of_32_bits(values):
    schema = Schema((channel("n", "count", kind="count"),), 1000)
    check(schema, [1000 * i for i in range(len(values))], [(v,) for v in values])


def test_a_counter_that_wraps_and_resets_stays_small():
    schema = Schema((channel("n", "count", kind="count"),), 1000)
    values = [(2**32 - 300 + 10 * i) % 2**32 for i in range(60)]
    values[50:] = [10 * i for i in range(10)]
    size = check(schema, [1000 * i for i in range(60)], [(v,) for v in values])
    assert size < 60


def test_part_of_the_readings():
    schema, times, rows = random_readings(3)
    encoder = Encoder(schema, len(rows))
    for time_ms, row in zip(times, rows, strict=True):
        encoder.add(time_ms, row)
    out = bytearray(9000)
    whole = encode(schema, times[:1], rows[:1], 9, stream=0)[0][0]
    size = encoder.encode_into(out, 9, 1)
    if not any(v is None for row in rows for v in row):
        assert bytes(out[:size]) == whole


def test_a_buffer_that_is_too_small_is_refused_and_nothing_is_lost():
    schema, times, rows = random_readings(11)
    (frame, _, _), *_ = encode(schema, times, rows)
    encoder = Encoder(schema, len(rows))
    encoder.begin(0x5EED1234)
    for time_ms, row in zip(times, rows, strict=True):
        encoder.add(time_ms, row)
    for size in range(len(frame)):
        assert encoder.encode_into(bytearray(size), 1) == 0
    out = bytearray(len(frame))
    assert encoder.encode_into(out, 1) == len(frame)
    assert bytes(out) == frame


def test_a_profile_that_learnt_nothing_of_the_times():
    """Whole seconds while it looked at the extents, odd ms ever after."""
    schema = one_channel()
    encoder = Encoder(schema, 10)
    encoder.begin(STREAM)
    trainer = Trainer(encoder)
    for turn in range(Trainer.PASSES):
        encoder.clear()
        for i in range(10):
            encoder.add(1000 * i + turn * i * 7, (i,))
        frame_bench.run(trainer.feed(1))
        frame_bench.run(trainer.next_pass())
    for odd in (0, 7):
        times = [1000 * i + odd * i for i in range(10)]
        check(schema, times, [(i,) for i in range(10)], 1, trainer.blob(1))


def test_a_profile_of_one_reading_and_of_nothing():
    schema = one_channel()
    for rows in ([(5,)], [(None,)]):
        blob = train(schema, [0], rows)
        check(schema, [1000 * i for i in range(10)], [(i,) for i in range(10)], 1, blob)
        check(schema, [0], [(None,)], 1, blob)


# -- what closes a frame ----------------------------------------------------------------


def one_channel(interval=1000):
    return Schema((channel("t", "Cel", 2),), interval)


def test_a_full_frame_takes_no_more():
    encoder = Encoder(one_channel(), 2)
    assert encoder.add(0, (1,)) and encoder.add(1000, (2,))
    assert encoder.add(2000, (3,)) is False
    assert encoder.count == 2


def test_a_leap_of_the_clock_closes_the_frame():
    encoder = Encoder(one_channel(), 9)
    assert encoder.add(0, (1,))
    assert encoder.add(1732265000000, (2,)) is False
    assert encoder.count == 1


def test_another_stream_closes_the_frame():
    encoder = Encoder(one_channel(), 9)
    encoder.begin(7)
    encoder.add(0, (1,))
    with pytest.raises(ValueError, match="close the frame"):
        encoder.begin(8)      # the device came up again
    encoder.clear()
    encoder.begin(8)


def test_another_schema_or_interval_needs_another_encoder_and_profile():
    encoder = Encoder(one_channel(), 60)
    rows = [(i,) for i in range(60)]
    times = [1000 * i for i in range(60)]
    encoder.use(train(one_channel(), times, rows))
    for other in (one_channel(2000), Schema((channel("t", "Cel", 1),), 1000)):
        with pytest.raises(ValueError, match="no profile of these"):
            encoder.use(train(other, times, rows))


def test_mistakes_of_the_caller():
    encoder = Encoder(one_channel(), 9)
    for time_ms, values in ((-1, (1,)), (2**48, (1,)), (0, (1, 2)), (0, ()), (0, (2**31,)),
                            (0, (-2**31 - 1,))):
        with pytest.raises(ValueError):
            encoder.add(time_ms, values)
    with pytest.raises(ValueError):
        encoder.encode_into(bytearray(99), 1)
    with pytest.raises(TypeError):
        encoder.add(0, (1.5,))
    assert encoder.count == 0
    encoder.add(0, (1,))
    with pytest.raises(ValueError):
        encoder.encode_into(bytearray(99), 2**30)
    for bad in (0, 1025):
        with pytest.raises(ValueError):
            Encoder(one_channel(), bad)
    for schema in (Schema((), 1), Schema((channel("t"),) * 33, 1), Schema((channel(""),), 1),
                   Schema((channel("t", decimals=10),), 1), Schema((channel("t"),), 2**28),
                   Schema((channel("t", step=(0, 0)),), 1), Schema((channel("t", kind="x"),), 1)):
        with pytest.raises(ValueError):
            Encoder(schema, 1)
