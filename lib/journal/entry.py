"""The bytes of an entry: one record with its numbers (docs/JOURNAL.md).

    tag      varint   length of the record << 1 | full
    numbers  16 bytes if full: seq, stream, n, floor, 32 bits each
    record   length bytes
    check    32 bits  CRC-32 of the record, then of the numbers: seq, stream, n, and floor if full

An entry that is not full has the numbers of the entry before it, plus one: the check tells, so
that a reader that lost its place notices. All little-endian.
"""

from binascii import crc32
from struct import pack, unpack

_NUMBERS = 16
_MOST_TAG = 3
_CHECK = 4
MOST_BYTES = _MOST_TAG + _NUMBERS + _CHECK  # that an entry takes beside its record

_MOST_LOST = 4  # neighbours that may be damaged before a reader waits for a full entry

# An entry in memory: (seq, stream, n, floor or None, record, where the next one starts).
SEQ, STREAM, N, FLOOR, RECORD, NEXT = range(6)


def encode(seq, stream, n, record, floor=None):
    """The entry as bytes; full if there is a `floor`. `record` is bytes."""
    tag = len(record) << 1
    numbers = pack("<III", seq, stream, n)
    shown = b""
    if floor is not None:
        tag |= 1
        shown = numbers = numbers + pack("<I", floor)
    head = b""
    while tag > 0x7F:
        head += bytes((tag & 0x7F | 0x80,))
        tag >>= 7
    return head + bytes((tag,)) + shown + record + pack("<I", crc32(numbers, crc32(record)))


def first(file, at, end, before=None):
    """The first whole entry of `file` from `at` on, or None if there is none until `end`.

    `before` is the entry in front of `at`. What is damaged is stepped over, at once when its
    length still holds, else byte by byte; an entry that is found behind it has a higher number
    than `before` and the right check.
    """
    entry, behind = _parse(file, at, end, before, 0)
    if entry is None and behind:
        entry = _parse(file, behind, end, before, _MOST_LOST)[0]
    while entry is None and at + _CHECK < end:
        at += 1
        entry = _parse(file, at, end, before, _MOST_LOST)[0]
    return entry


def _parse(file, at, end, before, lost):
    """(entry, where it ends): (None, end) if its check fails, (None, 0) if it cannot be one.

    Up to `lost` entries may be missing between `before` and this one.
    """
    file.seek(at)
    head = file.read(min(_MOST_TAG + _NUMBERS, end - at))
    tag, used = _tag(head)
    full = tag & 1
    start = at + used + (_NUMBERS if full else 0)
    behind = start + (tag >> 1) + _CHECK
    if not used or behind > end:
        return None, 0
    file.seek(start)
    record = file.read(tag >> 1)
    check = unpack("<I", file.read(_CHECK))[0]
    so_far = crc32(record)
    if full:
        numbers = head[used : used + _NUMBERS]
        if crc32(numbers, so_far) == check:
            seq, stream, n, floor = unpack("<IIII", numbers)
            if before is None or seq > before[SEQ]:
                return (seq, stream, n, floor, record, behind), behind
    elif before is not None:
        for step in range(1, lost + 2):
            seq, stream, n = before[SEQ] + step, before[STREAM], before[N] + step
            if crc32(pack("<III", seq, stream, n), so_far) == check:
                return (seq, stream, n, None, record, behind), behind
    return None, behind


def _tag(head):
    """(tag, its bytes), or (0, 0) if there is none."""
    tag = 0
    for used in range(min(_MOST_TAG, len(head))):
        tag |= (head[used] & 0x7F) << 7 * used
        if head[used] < 0x80:
            return tag, used + 1
    return 0, 0
