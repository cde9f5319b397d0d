"""Is damage found? The checksum finds most of it, the form of a frame finds every cut."""

import tracemalloc

import pytest

from frame import decoder
from frame.decoder import decode
from frame.errors import ProtocolError, UnknownProfile
from frame.profile import Profile
from host_tests.frame import fuzz, golden
from host_tests.frame.samples import random_readings, train

CASES = [(bytes.fromhex(case["frame"]),
          Profile(bytes.fromhex(case["profile"])) if case["profile"] else None)
         for case in golden.cases()]


def known(profile):
    return {profile.mark: profile} if profile else {}


def test_every_cut_is_refused():
    for frame, profile in CASES:
        for size in range(len(frame)):
            with pytest.raises(ProtocolError):
                decode(frame[:size], known(profile))


def test_every_cut_is_refused_without_the_checksum(monkeypatch):
    """By construction, not by luck: no frame is the beginning of another."""
    monkeypatch.setattr(decoder, "crc24", lambda *args: 0)
    for frame, profile in CASES[::3]:
        decode(frame, known(profile))
        for size in range(len(frame)):
            with pytest.raises(ProtocolError):
                decode(frame[:size], known(profile))
        for more in (b"\0", b"\xff", frame):
            with pytest.raises(ProtocolError):
                decode(frame + more, known(profile))


def test_every_flipped_bit_is_refused():
    for frame, profile in CASES:
        data = bytearray(frame)
        for bit in range(8 * len(frame)):
            data[bit >> 3] ^= 128 >> (bit & 7)
            with pytest.raises(ProtocolError):
                decode(bytes(data), known(profile))
            data[bit >> 3] ^= 128 >> (bit & 7)


def test_an_unknown_profile_is_named():
    frame, profile = next((f, p) for f, p in CASES if p)
    with pytest.raises(UnknownProfile) as caught:
        decode(frame, {})
    assert caught.value.mark == profile.mark == decoder.mark_of(frame)


def test_another_profile_of_the_same_mark_is_found_out():
    frame, profile = next((f, p) for f, p in CASES if p)
    other = next(p for _, p in CASES if p and p.mark != profile.mark)
    with pytest.raises(ProtocolError, match="checksum"):
        decode(frame, {profile.mark: other})


def test_a_damaged_profile_is_refused():
    blob = train(*random_readings(4))
    data = bytearray(blob)
    for bit in range(8 * len(blob)):
        data[bit >> 3] ^= 128 >> (bit & 7)
        with pytest.raises(ProtocolError):
            Profile(bytes(data))
        data[bit >> 3] ^= 128 >> (bit & 7)
    for size in range(len(blob)):
        with pytest.raises(ProtocolError):
            Profile(blob[:size])


def test_fuzz_in_short():
    result = fuzz.fuzz(10000, 1)
    assert result["refused"] > 7000
    assert result["slowest_s"] < fuzz.LIMIT_S
    assert fuzz.fuzz_profiles(3000, 1) < 3000


def test_memory_is_bounded():
    tracemalloc.start()
    try:
        fuzz.fuzz(700, 2)
        assert tracemalloc.get_traced_memory()[1] < fuzz.LIMIT_BYTES
    finally:
        tracemalloc.stop()
