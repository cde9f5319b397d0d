"""Does a recording arrive whole and exact in every payload format?"""

import pytest

from host_tests.e2e.proofs import SOON_S, prove_sound, prove_values, quick
from host_tests.e2e.test_delivery import AIRPORT, FAST
from host_tests.harness import data

ROWS = 500
CHANNELS = {
    **AIRPORT["channels"],
    "h": {"column": "hum_pct", "unit": "%RH", "decimals": 1, "step": 1, "kind": "count"},
}


@pytest.mark.parametrize("format_", ["frame", "cbor", "senml-cbor"])
@pytest.mark.parametrize("batch", [1, 60])
def test_every_row_in_every_format(mosquitto, receiver, device, tmp_path, format_, batch):
    file = data.take(data.AIRPORT, tmp_path, ROWS)
    started = device(
        quick(
            mosquitto.port,
            sensor={**AIRPORT, "file": str(file), "speed": 1_000_000, "channels": CHANNELS},
            payload={"format": format_, "batch": batch},
            limits=FAST,
        ),
        flags=["--until-drained"],
    )
    assert started.wait_exit(60) == 0
    receiver.wait_readings("d1", ROWS, SOON_S)
    readings = receiver.readings("d1")
    assert [reading.seq for reading in readings] == list(range(1, ROWS + 1))
    prove_values(readings, data.rows(file, CHANNELS))
    sizes = [len(message.payload) for message in receiver.messages("d1", "data")]
    assert max(sizes) <= FAST["message_bytes"]
    prove_sound(started)
