"""firmware/reading.py: what goes into a record comes out of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tests.chip import WORDS, Chip
from host_tests.on_cpython import load

reading = load("reading")

INT32 = st.integers(-(2**31), 2**31 - 1)
VALUES = st.lists(st.none() | INT32 | st.sampled_from([-(2**31), 2**31 - 1, 0, -1]), max_size=16)
DUE = st.integers(0, 2**49 - 1)
UNIX = st.none() | st.integers(0, 2**49 - 1)
TODAY_MS = 1_763_800_000_123


def packed(due_ms, values, unix_ms=None):
    buffer = bytearray(reading.most_bytes(len(values)))
    return bytes(buffer[: reading.pack_into(buffer, due_ms, values, unix_ms)])


@given(DUE, VALUES, UNIX)
def test_a_record_gives_back_what_went_in(due_ms, values, unix_ms):
    record = packed(due_ms, values, unix_ms)
    out = ["stale"] * len(values)
    assert reading.unpack_into(memoryview(record), out) == (due_ms, unix_ms)
    assert out == values
    assert reading.due_ms(record) == due_ms


def test_the_longest_record_fits_exactly():
    values = [-(2**31)] * 5
    assert len(packed(2**49 - 1, values, 2**49 - 1)) == reading.most_bytes(5)


def test_a_buffer_that_is_used_again_leaves_nothing_behind():
    buffer = bytearray(reading.most_bytes(2))
    reading.pack_into(buffer, 2**40, [-(2**31), 2**31 - 1], 2**40)
    length = reading.pack_into(buffer, 5, [None, 3])
    assert bytes(buffer[:length]) == packed(5, [None, 3])


def test_three_channels_take_at_most_twelve_bytes():
    """As the docstring says: on the first day, with values up to 81.91 that have two decimals."""
    assert len(packed(86_400_000, [2550, -8191, 0])) <= 12


@pytest.mark.parametrize("unix_ms", [None, 0, TODAY_MS, 2**49 - 1])
@WORDS
def test_the_device_packs_the_same_at_the_edges_of_its_ints(words, unix_ms):
    values = [2**29 - 1, 2**29, 2**30 - 1, 2**30, 2**31 - 1]
    values += [-(2**29), -(2**30) - 1, -(2**31), None, 0]
    with Chip("libraries", words) as chip:
        for due_ms in (0, 2**30 - 1, 2**30, 2**31, 2**32, 2**40):
            record = packed(due_ms, values, unix_ms)
            assert chip.call("pack", due_ms, values, unix_ms) == record.hex()
            assert chip.call("unpack", record.hex(), len(values)) == [due_ms, unix_ms, values]
