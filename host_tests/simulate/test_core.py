"""A simulated device without a network: what follows from its seed, what it keeps and says."""

import json

import pytest

from petrel.profiles import Decoder
from petrel.simulate.device import FORMS, MODELS, MOST_QUEUED, MOST_READINGS, Device
from petrel.simulate.faults import DROP, GAP, OUTAGE, Faults

EPOCH_MS = 1_732_265_000_000


def made(number=0, seed=7, form="frame"):
    return Device(number, seed, EPOCH_MS, 1000, form)


def decoded(device):
    """[(number, values), ...] of its next message, as a receiver reads it."""
    return [(r.seq, r.values) for r in Decoder().decode(device.topic["data"], device.payload())]


@pytest.mark.parametrize("number", range(len(MODELS)))
def test_both_formats_say_the_same(number):
    frame, text = made(number), made(number, form="json")
    for device in (frame, text):
        for now in (0, 1000, 2000):
            device.sample(now)
    assert frame.stream == text.stream
    assert decoded(frame) == decoded(text)
    assert [n for n, _ in decoded(frame)] == [1, 2, 3]


@pytest.mark.parametrize("form", FORMS)
def test_what_it_does_follows_from_number_and_seed(form):
    devices = [made(form=form), made(form=form), made(seed=8, form=form)]
    for device in devices:
        device.sample(500)
    first, again, other = [device.payload() for device in devices]
    assert first == again != other


def test_another_run_is_another_stream():
    later = Device(0, 7, EPOCH_MS + 60_000, 1000)
    assert later.stream != made().stream and later.id == made().id


@pytest.mark.parametrize("form", FORMS)
def test_readings_stay_until_they_are_delivered(form):
    device = made(form=form)
    for now in range(MOST_READINGS + 5):
        device.sample(now * 1000)
    assert len(decoded(device)) == MOST_READINGS
    assert not device.has_something, "one message is on its way at a time"
    device.lost()
    assert decoded(device)[0][0] == 1, "the same once more"
    device.delivered()
    assert [n for n, _ in decoded(device)] == [*range(MOST_READINGS + 1, MOST_READINGS + 6)]
    device.delivered()
    assert (device.acked, len(device.queue), device.has_something) == (25, 0, False)


def test_a_full_queue_drops_its_oldest_but_not_what_is_on_its_way():
    device = made(form="json")
    device.sample(0)
    device.payload()
    for now in range(MOST_QUEUED + 2):
        device.sample(now)
    assert (device.dropped, device.queue[0][0], device.queue[1][0]) == (3, 1, 5)


def test_a_frame_ends_where_numbers_are_missing():
    device = made()
    device.sample(0)
    device.skip(3)
    device.sample(1000)
    assert [n for n, _ in decoded(device)] == [1]
    device.delivered()
    assert [n for n, _ in decoded(device)] == [5]
    assert (device.sent, device.skipped) == (2, 3)


def test_health_names_what_is_delivered():
    device = made()
    for now in (0, 1000, 2000):
        device.sample(now)
    health = json.loads(device.health(3000))
    assert [health[key] for key in ("s", "n", "acked", "queued")] == [device.stream, 3, 0, 3]
    device.payload()
    device.delivered()
    assert json.loads(device.health(3000))["acked"] == 3


@pytest.mark.parametrize("command, ok", [
    (b'{"cmd":"ping","id":1}', True), (b'{"cmd":"info","id":"x"}', True),
    (b'{"cmd":"read","id":1}', True), (b'{"cmd":"dance","id":1}', False), (b'{"cmd":[]}', False),
    (b"[1]", False), (b"{", False), (b"\xff", False), (b"[" * 100_000, False),
])
def test_commands_are_answered_whatever_they_are(command, ok):
    assert json.loads(made().answer(command, 0))["ok"] is ok


def test_faults_come_again_with_their_seed_and_as_often_as_asked():
    def drawn(seed, per_hour):
        faults = Faults(seed, per_hour)
        found = []
        while faults.due_ms is not None and faults.due_ms < 100 * 3_600_000:
            assert faults.take(faults.due_ms - 1) is None, "not before its time"
            found.append(faults.take(faults.due_ms))
        return found

    assert drawn("a", 0) == []
    assert drawn("a", 6) == drawn("a", 6) != drawn("b", 6)
    assert 500 < len(drawn("a", 6)) < 700
    assert {kind for kind, _ in drawn("a", 6)} == {DROP, OUTAGE, GAP}
