"""Does a device that sleeps between its readings deliver them all, to a real broker, in the heap
of a small board?
"""

import shlex

from host_tests.chip import WORDS, runtime_of
from host_tests.e2e.proofs import SOON_S, quick

SLEEP = {"deep": True, "deliver_every": 2, "listen_s": 0.1}


@WORDS
def test_readings_through_sleeps_an_outage_and_a_power_cut(proxy, receiver, device, words):
    sensor = {"every_s": 1, "speed": 1, "loop": True}
    settings = quick(proxy.port, sensor=sensor, sleep=SLEEP, payload={"batch": 5})
    started = device(settings, flags=["--runtime", shlex.join(runtime_of(words))])
    receiver.wait_readings("d1", 5, SOON_S)
    assert any(s["status"] == "sleeping" and s["next_s"] <= 3 for s in receiver.statuses("d1"))
    proxy.refuse()
    receiver_had = len(receiver.readings("d1"))
    started.wait_log("connection refused", SOON_S)
    started.kill()
    proxy.accept()
    started.start()
    receiver.wait_readings("d1", receiver_had + 4, SOON_S)
    assert started.stop() == 0
    sequences = list(receiver.sequence_report("d1").values())
    assert len(sequences) == 2, "one life before the power cut and one after it"
    assert [s.missing for s in sequences] == [[], []]
    births = [s for s in receiver.statuses("d1") if s["status"] == "online"]
    assert {b["boot"] for b in births} == {"power", "deepsleep"}
