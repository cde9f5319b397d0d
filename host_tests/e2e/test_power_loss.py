"""Is any reading lost or seen twice when the power fails again and again, whatever the broker and
the network do meanwhile?

The real firmware is killed at random; a reading counts if the ledger lets it through.
PETREL_SOAK=1 makes it 50 power cuts a test.
"""

import math
import os

import pytest

from host_tests.e2e.proofs import acknowledged, prove_values, transmitted
from host_tests.e2e.storm import BATCH, PACE_MS, Storm, settings
from host_tests.harness import data

KILLS = 50 if os.environ.get("PETREL_SOAK") else 6
BUSY_S = 1.5  # a machine with other things to do samples so late, and kills so late
SPILL_AFTER_S = 1
TICK_S = 1  # so often the device looks whether something is old enough to be spilled

pytestmark = [pytest.mark.long, pytest.mark.timeout(60 + 12 * KILLS)]


@pytest.fixture
def storm(mosquitto, proxy, receiver, device, seed, evidence):
    """Makes a Storm over a device with such a queue."""

    def make(**queue):
        started = device(settings(proxy.port, **queue), flags=["--heap", "1M"])
        storm = Storm(mosquitto, proxy, receiver, started)
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
    streams = storm.told().streams("d1")
    assert all(streams[stream].end == count for stream, count in storm.ends.items() if count)


def lost_ends(storm):
    """{stream: readings that were due before its power failed, and are not even missing}."""
    starts = {r.stream: r.ts * 1000 - (r.seq - 1) * PACE_MS for r in storm.backend}
    lost = {}
    for stream, start in starts.items():
        if stream in storm.cuts:
            due = math.floor((storm.cuts[stream] * 1000 - start) / PACE_MS) + 1
            lost[stream] = due - storm.told().streams("d1")[stream].end
    return lost


def test_always_loses_nothing(storm, proxy, figure):
    storm = storm(durability="always")
    storm.blow(KILLS, network_faults(storm))
    storm.calm()
    assert not missing(storm)
    assert transmitted(proxy) <= {(reading.stream, reading.seq) for reading in storm.backend}
    prove_backend(storm)
    lost = lost_ends(storm)
    assert max(lost.values()) * PACE_MS <= BUSY_S * 1000, lost
    figure("readings", len(storm.backend), f"in {len(storm.cuts)} lives")
    figure("duplicates removed", storm.told().total("duplicates"), "readings")


def test_spill_loses_no_more_than_it_may(storm, figure):
    """What has been in RAM for less than `spill_after_s`, at the end of a life."""
    storm = storm(durability="spill", spill_after_s=SPILL_AFTER_S)
    storm.blow(KILLS, network_faults(storm))
    storm.calm()
    assert not missing(storm)
    prove_backend(storm)
    lost = lost_ends(storm)
    assert max(lost.values()) * PACE_MS <= (SPILL_AFTER_S + TICK_S + BUSY_S) * 1000, lost
    figure("longest end lost", max(lost.values()) * PACE_MS, "ms")


def test_a_broker_that_is_killed_too_takes_only_what_it_has_acknowledged(storm, proxy, figure):
    storm = storm(durability="always")
    storm.may_miss = BATCH * KILLS
    storm.blow(KILLS, [*network_faults(storm), storm.crash, storm.crash])
    storm.calm()
    assert missing(storm) <= acknowledged(proxy)
    prove_backend(storm)
    figure("acknowledged and lost by the broker", len(missing(storm)), "readings")
