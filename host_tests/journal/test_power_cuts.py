"""After a power cut at any operation of the flash: is every record there that should be?

For each cut the file system is mounted anew and the journal opened; every record that was appended
and not released must be there, in order and unchanged, and nothing else; another is appended; all
is delivered. At depth 2 the power fails again at each operation of that recovery.
"""

import pytest

from host_tests.journal import board

KINDS = ("littlefs 32", "littlefs 256", "fat")
PARTS = 4  # of the exhaustive test, so that they can run side by side


def right(answer, about):
    operations, states, inner, broken, complaints = answer
    assert not complaints, f"{about}: {complaints}"
    return operations, states, inner, broken


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_at_every_operation_and_at_every_operation_of_the_recovery(kind, part):
    _, states, inner, broken = right(board.call("cutting", "exhaustive", kind, part, PARTS), kind)
    assert states > 50
    assert inner > 300
    assert not broken


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_at_every_operation_of_a_queue_that_refuses_the_newest(kind):
    answer = board.call("cutting", "exhaustive", kind, depth=1, when_full="refuse_newest")
    right(answer, kind)


@pytest.mark.long
def test_a_cut_at_every_operation_with_words_of_32_bits():
    right(board.call("cutting", "exhaustive", "littlefs 32", depth=1, words="32-bit"), "32-bit")


@pytest.mark.parametrize("kind", KINDS)
def test_cuts_of_a_long_story_made_by_chance(kind, seed):
    operations, *_ = right(board.call("cutting", "by_chance", kind, seed, 150, 23), f"seed {seed}")
    assert operations > 300


# Cuts that once lost a record: its slot was taken again while the flash held it for unreleased.
@pytest.mark.parametrize("chance", (3388189675, 1712595790, 658384641))
def test_cuts_that_once_lost_a_record(chance):
    right(board.call("cutting", "by_chance", "fat", chance, 150, 23), f"seed {chance}")


def test_a_journal_that_forgets_to_mark_is_caught():
    """The proof is worth what it notices: without the marks, segments vanish unexplained."""
    *_, complaints = board.call("cutting", "without_marks", "littlefs 256")
    assert complaints
