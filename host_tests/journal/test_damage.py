"""Damaged bytes, torn ends, foreign files: what is lost, what is said, and what is not."""

import os
import shutil

import pytest

from host_tests.journal import board
from journal import Journal, JournalMissing, JournalNewer, JournalTaken, entry

SIZES = (60, 12, 400, 0, 60, 1, 100, 129)


def record(n):
    return (b"%d." % n * 400)[: SIZES[n % len(SIZES)]] + b"%d" % n


def filled(folder, count, together=False):
    folder.mkdir()
    journal = Journal(str(folder), stream=5)
    if together:
        journal.append_many((n, record(n)) for n in range(1, count + 1))
    else:
        for n in range(1, count + 1):
            journal.append(record(n))
    return journal


def opened(folder):
    journal = Journal(str(folder))
    return journal, {n: content for _, _, n, content in journal.entries()}


def flipped(file, at, bit):
    content = bytearray(file.read_bytes())
    content[at] ^= 1 << bit
    file.write_bytes(content)


def test_each_bit_flip_in_a_segment_takes_one_record_and_is_counted(tmp_path):
    filled(tmp_path / "q", 30, together=True)
    whole = {n: record(n) for n in range(1, 31)}
    (segment,) = (tmp_path / "q").glob("0*.j1")
    for at in range(segment.stat().st_size):
        flipped(segment, at, at % 8)
        journal, found = opened(tmp_path / "q")
        lost = whole.keys() - found.keys()
        assert found.items() <= whole.items(), at
        assert len(lost) == 1, (at, lost)
        assert journal.damaged == 1 or lost == {30}  # of the last one nothing tells
        flipped(segment, at, at % 8)


def test_each_bit_flip_in_a_slot_takes_one_record_and_is_counted(tmp_path):
    filled(tmp_path / "q", 6)
    whole = {n: record(n) for n in range(1, 7)}
    for slot in (tmp_path / "q").glob("s*.j1"):
        for at in range(slot.stat().st_size):
            flipped(slot, at, at % 8)
            journal, found = opened(tmp_path / "q")
            assert found.items() <= whole.items()
            assert len(found) == 5, (slot, at)
            assert len([*journal.entries()]) == len(journal) == 5
            assert journal.damaged == 1, (slot, at)
            flipped(slot, at, at % 8)


@pytest.mark.parametrize("hole", [1, 50, 512])
def test_a_damaged_stretch_takes_what_it_touches_and_at_most_a_few_behind_it(tmp_path, hole):
    filled(tmp_path / "q", 60, together=True)
    segment = min((tmp_path / "q").glob("0*.j1"))
    content = segment.read_bytes()
    for start in range(0, len(content) - hole, 97):
        segment.write_bytes(content[:start] + b"\0" * hole + content[start + hole :])
        journal, found = opened(tmp_path / "q")
        assert len(found) + journal.damaged >= 59, start
        assert journal.damaged <= hole // 20 + 2 + 16
        assert all(record(n) == found[n] for n in found)


def test_an_end_torn_off_anywhere_leaves_the_records_before_it(tmp_path):
    filled(tmp_path / "q", 30, together=True)
    (segment,) = (tmp_path / "q").glob("0*.j1")
    content = segment.read_bytes()
    ends, before = [], None
    with segment.open("rb") as file:
        while before := entry.first(file, before[entry.NEXT] if before else 0, 9999, before):
            ends.append(before[entry.NEXT])
    for length in range(len(content)):
        segment.write_bytes(content[:length])
        for name in ("m0.j1", "m1.j1"):
            (tmp_path / "q" / name).unlink(missing_ok=True)
        journal, found = opened(tmp_path / "q")
        assert sorted(found) == list(range(1, sum(end <= length for end in ends) + 1))
        assert journal.damaged == 0
    Journal(str(tmp_path / "q")).append(b"behind the torn end")
    records = [content for _, content in opened(tmp_path / "q")[0].pending()]
    assert records == [*(record(n) for n in range(1, 30)), b"behind the torn end"]


def test_what_was_damaged_goes_with_what_is_released(tmp_path):
    filled(tmp_path / "q", 30, together=True)
    (segment,) = (tmp_path / "q").glob("0*.j1")
    flipped(segment, 30, 0)
    journal, found = opened(tmp_path / "q")
    assert len(journal) == len(found) == 29
    assert list(journal.pending())  # once more: it is counted once
    assert journal.damaged == 1
    journal.release(30)
    assert len(journal) == 0
    assert not segment.exists()


def test_noise_in_every_file_is_survived(tmp_path):
    filled(tmp_path / "q", 40)
    for file in (tmp_path / "q").iterdir():
        file.write_bytes(os.urandom(file.stat().st_size))
    journal, found = opened(tmp_path / "q")
    assert not found
    assert journal.damaged > 0
    journal.append(b"on we go")
    assert [r for _, r in opened(tmp_path / "q")[0].pending()] == [b"on we go"]


def test_a_newer_version_is_refused_in_one_line(tmp_path):
    filled(tmp_path / "q", 3)
    (tmp_path / "q" / "00000001.j2").write_bytes(b"")
    with pytest.raises(JournalNewer, match=r"newer version .*; update the firmware"):
        Journal(str(tmp_path / "q"))


def test_a_missing_directory_is_told_in_one_line(tmp_path):
    with pytest.raises(JournalMissing, match="create it"):
        Journal(str(tmp_path / "nowhere"))
    journal = filled(tmp_path / "q", 3)
    shutil.rmtree(tmp_path / "q")
    with pytest.raises(JournalMissing, match="create it"):
        journal.append(b"x")


def test_of_two_that_write_the_first_is_told(tmp_path):
    first = filled(tmp_path / "q", 3)
    second = Journal(str(tmp_path / "q"))
    assert second.append(b"mine") == 4
    for _ in range(2):
        with pytest.raises(JournalTaken, match="end one of the two"):
            first.append(b"no")
    assert [r for _, r in second.pending()][-1] == b"mine"
    assert second.append(b"again") == 5


def test_what_the_first_wrote_before_the_second_is_kept(tmp_path):
    first = filled(tmp_path / "q", 3)
    second = Journal(str(tmp_path / "q"))
    first.append(b"late")
    second.append(b"later")
    assert [r for _, r in second.pending()][-2:] == [b"late", b"later"]


def test_files_of_others_are_left_alone(tmp_path):
    filled(tmp_path / "q", 3)
    (tmp_path / "q" / "README").write_text("hello")
    journal, found = opened(tmp_path / "q")
    assert len(found) == 3
    journal.append(b"x")
    assert (tmp_path / "q" / "README").read_text() == "hello"


@pytest.mark.parametrize("program", [32, 256])
def test_bit_flips_below_littlefs(program):
    """In records that lie in blocks of their own each takes one; elsewhere, what LittleFS still
    gives is delivered, and the journal goes on.
    """
    answer = board.call("breaking", "flips", program)
    assert not answer["complaints"]
    assert answer["in records"] > 100


@pytest.mark.parametrize(
    ("program", "size", "count", "most"),
    [(32, 60, 8, 8), (256, 60, 8, 8), (256, 400, 2, 2), (32, 400, 2, 1)],
)
def test_bit_flips_in_the_newest_records(program, size, count, most):
    """Where they lie in LittleFS's own directory, those behind them may go too, but no more than
    the slots hold (docs/JOURNAL.md), and nothing is wrong or stuck.
    """
    answer = board.call("breaking", "flips_in_slots", program, size, count)
    print(f"\nrecords taken by a flip in each of {count}: {answer['taken']}")
    assert not answer["complaints"]
    assert all(1 <= taken <= most for taken in answer["taken"])


@pytest.mark.parametrize("program", [32, 256])
def test_blocks_that_are_gone(program):
    """Whatever LittleFS kept there, data or its own: what it still gives is delivered, holes are
    counted, and the journal goes on. One block has the only memory of the directory.
    """
    answer = board.call("breaking", "blocks_gone", program)
    assert not answer["complaints"]
    assert answer["counts"]["some"] > 10
    assert answer["counts"]["refused"] <= 3


@pytest.mark.parametrize("kind", ["worn", "failing"])
def test_blocks_that_wear_out(kind):
    answer = board.call("breaking", "bad_blocks", kind)
    assert not answer["complaints"]


def test_a_full_flash_is_told_in_one_line_and_nothing_is_lost():
    assert board.call("breaking", "full") == ["JournalFull", True, True]


@pytest.mark.parametrize("way", ["mounted", "refusing", "failing"])
def test_a_flash_that_cannot_be_written(way):
    name, kept, resumed = board.call("breaking", "read_only", way)
    assert name == ("JournalFault" if way == "failing" else "JournalReadOnly")
    assert kept
    assert resumed
