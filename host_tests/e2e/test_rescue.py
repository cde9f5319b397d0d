"""Is everything rescued that waits in the flash of a device which never had a network?"""

import json
import time

from host_tests.e2e.proofs import PACE_MS, SOON_S, prove_values, quick
from host_tests.harness import data
from petrel.broker import free_port
from petrel.journal import run_journal
from petrel.readings import Reading


def test_what_a_dead_device_kept_is_rescued_with_its_values_and_times(device, tmp_path, capsys):
    settings = quick(free_port(), queue={"durability": "always"})
    started = device(settings)
    begun = time.time()
    started.wait_log(r"next try in", SOON_S)
    while waiting(started, capsys) < 40:
        assert time.time() < begun + 3 * SOON_S
    started.kill()
    run_journal(started.state, export=str(tmp_path / "out.jsonl"))
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    readings = [Reading("d1", r["stream"], r["seq"], r["ts"], r["values"]) for r in lines]
    assert [reading.seq for reading in readings] == list(range(1, len(readings) + 1))
    assert len({reading.stream for reading in readings}) == 1
    prove_values(readings, data.rows(data.MOTE, data.MOTE_CHANNELS))
    starts = {round((reading.ts or 0) * 1000) - reading.seq * PACE_MS for reading in readings}
    assert len(starts) == 1
    assert begun - SOON_S < (readings[0].ts or 0) < time.time()


def waiting(device, capsys):
    """Readings in its flash, also while it writes there."""
    if not any(device.state.rglob("*.j1")):
        return 0
    capsys.readouterr()
    run_journal(device.state, as_json=True)
    return json.loads(capsys.readouterr().out)["records"]
