"""A long life: nothing leaks, opening takes as long as on the first day, no block wears out first.

`make soak` (PETREL_SOAK=1) makes it 10 million records, which takes an hour or two.
"""

import os

import pytest

from host_tests.journal import board

SOAK = bool(os.environ.get("PETREL_SOAK"))
COUNT = 10_000_000 if SOAK else 100_000


@pytest.mark.long
@pytest.mark.timeout(COUNT // 500)
def test_many_records():
    options = {"looks": 100 if SOAK else 10, "aloud": SOAK, "deadline_s": COUNT // 500}
    answer = board.call("enduring", "endure", COUNT, heap="4M", **options)
    print(f"\nerases of each block: {answer['erases']}")
    print(f"opening: {answer['opening_us']} us; heap: {answer['heap']}")
    assert (answer["dropped"], answer["damaged"], answer["left"]) == (0, 0, 0)
    assert max(answer["heap"][1:]) - min(answer["heap"][1:]) < 1024
    middle = sorted(answer["opening_us"])[len(answer["opening_us"]) // 2]
    assert answer["opening_us"][-1] < 3 * middle
    worn = answer["erases"][2:]  # the first two hold the root
    assert max(worn) < 4 * sum(worn) / len(worn)


def test_opening_takes_no_longer_for_a_full_queue():
    openings = board.call("enduring", "openings")
    print(f"\n{openings}")
    took = [took for _, took in openings[1:]]
    quarter = len(took) // 4  # more than a segment: opening reads the last one
    assert openings[-1][0] > 700
    assert max(took[-quarter:]) < 2.5 * max(took[:quarter])


@pytest.mark.parametrize("size", [1, 12, 60, 100, 400, 900, 0])
@pytest.mark.parametrize("limit", [40960, 65536, 102400, 262144])
@pytest.mark.parametrize("program", [32, 256])
def test_it_never_occupies_more_than_its_limit(program, limit, size):
    most, more = board.call("enduring", "occupied", program, limit, size)
    assert most <= limit
    assert more <= 0
