"""Is any reading lost or seen twice when the power fails again and again, whatever the broker and
the network do meanwhile?

The real firmware is killed at random; a reading counts if the ledger lets it through.
PETREL_SOAK=1 makes it 50 power cuts a test.
"""

import os

import pytest

from host_tests.e2e.proofs import acknowledged, prove_values
from host_tests.e2e.storm import LONG_S, Storm, settings, witnessed
from host_tests.harness import data

SOAK = bool(os.environ.get("PETREL_SOAK"))
KILLS = 50 if SOAK else 5
SPILL_AFTER_S = 1
WRITE_S = 1  # what a busy machine may take to write what is old enough

pytestmark = [pytest.mark.long, pytest.mark.timeout(60 + 12 * KILLS)]


@pytest.fixture
def storm(mosquitto, proxy, receiver, device, tmp_path, seed, evidence):
    """Makes a Storm over a device with such a queue."""

    def make(stretch=1, qos=1, **queue):
        flags = ["--heap", "1M", "--runtime", witnessed(tmp_path)]
        started = device(settings(proxy.port, qos, **queue), flags=flags)
        storm = Storm(mosquitto, proxy, receiver, started, stretch, qos)
        started.kill()
        evidence("ledger", lambda: "\n".join(storm.told().lines()))
        return storm

    return make


def network_faults(storm):
    """Those that take nothing from the broker."""
    return [
        storm.peace, storm.restart, storm.stall, storm.black_hole, storm.freeze, storm.no_acks,
    ]


def missing(storm):
    """{(stream, number)} of what should have come."""
    ledger = storm.told()
    return {
        (stream, number)
        for stream in ledger.streams("d1")
        for first, last in ledger.gaps("d1", stream)
        for number in range(first, last + 1)
    }


def prove_backend(storm):
    """What the ledger let through is each reading once, with the values of its row."""
    backend = storm.backend
    assert len({(reading.stream, reading.seq) for reading in backend}) == len(backend)
    prove_values(backend, data.rows(data.MOTE, data.MOTE_CHANNELS))


def lost(storm):
    """{(stream, number): ms before the last reading of its life} of what was taken, and is not
    there.
    """
    came = {(reading.stream, reading.seq) for reading in storm.backend}
    return {
        (stream, number): due[-1] - at
        for stream, due in storm.taken.items()
        for number, at in enumerate(due, 1)
        if (stream, number) not in came
    }


def tell(storm, figure):
    """In a long run there must have been something to survive."""
    twice = storm.told().total("duplicates")
    assert storm.survivors or not SOAK
    figure("lives", len(storm.taken), f"with {len(storm.backend)} readings, {storm.survivors} of "
           f"which came after the end of theirs; {twice} duplicates removed")


def test_always_loses_nothing(storm, figure):
    storm = storm(durability="always")
    storm.blow(KILLS, network_faults(storm))
    storm.calm()
    assert not missing(storm)
    assert not lost(storm)
    prove_backend(storm)
    tell(storm, figure)


@pytest.mark.soak
@pytest.mark.parametrize("durability", ["always", "spill"])
def test_qos_2_repeats_nothing(storm, figure, durability):
    """Not even before the ledger: each message is exactly once."""
    storm = storm(durability=durability, spill_after_s=SPILL_AFTER_S, qos=2)
    storm.blow(KILLS, network_faults(storm))
    storm.calm()
    assert missing(storm) <= lost(storm).keys()
    assert durability == "spill" or not lost(storm)
    assert not storm.told().total("duplicates")
    prove_backend(storm)
    tell(storm, figure)


def test_spill_loses_no_more_than_it_may(storm, figure):
    """What has been in RAM for less than `spill_after_s`, at the end of a life."""
    storm = storm(stretch=3, durability="spill", spill_after_s=SPILL_AFTER_S)
    storm.blow(KILLS if SOAK else 3, network_faults(storm))
    storm.calm()
    assert missing(storm) <= lost(storm).keys()
    prove_backend(storm)
    oldest_ms = max(lost(storm).values(), default=0)
    assert oldest_ms <= (SPILL_AFTER_S + WRITE_S) * 1000
    tell(storm, figure)
    figure("lost", len(lost(storm)), f"readings, in RAM for at most {oldest_ms} ms")


def test_a_broker_that_is_killed_too_takes_only_what_it_has_acknowledged(storm, proxy, figure):
    storm = storm(durability="always")
    storm.blow(KILLS, [*network_faults(storm), storm.crash, storm.crash])
    storm.calm()
    assert missing(storm) | lost(storm).keys() <= acknowledged(proxy)
    prove_backend(storm)
    tell(storm, figure)
    figure("acknowledged and lost by the broker", len(missing(storm)), "readings")


def test_ram_loses_readings_and_the_storm_shows_it(storm):
    """The proof is worth what it notices."""
    storm = storm(durability="ram")
    storm.begin()
    storm.device.wait_log("online over", LONG_S, 0)
    with storm.black_hole():
        storm.device.wait_log(r"took 2\d", LONG_S, storm.device.mark())
        storm.cut()
    storm.calm()
    assert lost(storm)
