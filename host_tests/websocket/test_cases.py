"""Does each side take what RFC 6455 allows and refuse what it forbids?"""

import pytest

from host_tests.websocket.cases import LIMIT, cases
from host_tests.websocket.wire import (
    BINARY,
    CLOSE,
    KEY,
    SPLITS,
    close_payload,
    engine,
    feed,
    frame,
)

CASES = list(cases())
ROLES = pytest.mark.parametrize("client", [True, False], ids=["client", "server"])


def sent_by_peer(client, frames):
    """A server masks nothing, a client everything."""
    return b"".join(frame(*_with_key(entry, None if client else KEY)) for entry in frames)


def _with_key(entry, key):
    opcode, payload, final, _, rsv, size = (*entry, *(True, None, 0, None)[len(entry) - 2 :])
    return opcode, payload, final, key, rsv, size


def has_large(frames):
    return any(len(entry[1]) > 1000 for entry in frames)


@ROLES
@pytest.mark.parametrize("split", SPLITS)
def test_cases(client, split):
    for case in CASES:
        name, frames = case[:2]
        if split.__name__ == "bytewise" and has_large(frames):
            continue
        side = engine(client, message_bytes=LIMIT, out_bytes=200)
        outcome = feed(side, sent_by_peer(client, frames), split)
        assert not complaint(case, *outcome), name


def complaint(case, events, answered, failure):
    """What came of a case that should not have, or None."""
    _, _, wanted_events, wanted_answers, code = case
    if events != wanted_events or getattr(failure, "code", None) != code:
        return events, failure
    if code is not None:  # the last word is a Close that says so
        wanted_answers = [(CLOSE, close_payload(code, str(failure).encode()))]
    wanted = [(opcode, True, payload) for opcode, payload in wanted_answers]
    return None if answered == wanted else answered


@ROLES
def test_what_follows_a_good_message_is_not_lost(client):
    """Trailing data: three messages and a half in one segment."""
    data = sent_by_peer(client, [(BINARY, bytes([i]) * 300) for i in range(4)])
    side = engine(client)
    events, _, failure = feed(side, data[:-150])
    assert failure is None
    assert events == [("binary", bytes([i]) * 300) for i in range(3)]
    assert feed(side, data[-150:])[0] == [("binary", bytes([3]) * 300)]


@ROLES
def test_a_mask_where_there_must_be_none_or_none_where_there_must_be_one(client):
    data = frame(BINARY, b"hello", key=KEY if client else None)
    _, answered, failure = feed(engine(client), data)
    assert failure.code == 1002
    assert answered == [(CLOSE, True, close_payload(1002, str(failure).encode()))]


@ROLES
def test_every_truncation_waits_and_every_flipped_bit_is_taken_or_refused(client):
    """No byte of a conversation, wrong or missing, leads to anything but events or an error."""
    frames = [
        (1, "text ä".encode()), (9, b"ping"), (2, b"one", False), (0, b"two"),
        (2, bytes(130)), (10, b""), (8, close_payload(1000, b"bye")),
    ]
    data = sent_by_peer(client, frames)
    everything, _, _ = feed(engine(client), data)
    for end in range(len(data)):
        events, _, failure = feed(engine(client), data[:end])
        assert failure is None
        assert events == everything[: len(events)]
    outcomes = {"refused": 0, "taken": 0}
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        _, answered, failure = feed(engine(client), bytes(damaged))
        outcomes["refused" if failure else "taken"] += 1
        if failure:
            assert answered[-1][2][:2] in {close_payload(code) for code in (1002, 1007, 1009)}
    assert min(outcomes.values()) > 100, outcomes


def test_a_negative_length_is_refused():
    data = bytes((0x82, 127)) + (1 << 63).to_bytes(8, "big")
    assert feed(engine(True, message_bytes=0), data)[2].code == 1002
