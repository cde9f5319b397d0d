"""A reader that is slower than its messages gets them all: the broker waits for it."""

import pytest

from host_tests.chip import Chip
from host_tests.harness.receiver import Receiver

COUNT = 120  # many times what an inbox keeps
# An answer, or an echo, comes behind the messages that are on their way, so these must be read to
# get at it: no more than 64 of them find room, and what is beyond is dropped and counted.
FEW = 60
PATIENT = {
    "qos": 2, "first_ms": 0, "each_ms": 1, "answers": False, "echoes": False, "keepalive_s": 60,
}
READERS = {
    "QoS 1": {"qos": 1},
    "QoS 2": {"qos": 2},
    "one that publishes": {"answers": True},
    "one that waits for other messages too": {"echoes": True},
    "one that comes after several keepalives": {"first_ms": 3500, "each_ms": 0, "keepalive_s": 1},
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("words, protocol", [("64-bit", "3.1.1"), ("32-bit", "5")])
def test_a_slow_reader_gets_everything(start_mosquitto, words, protocol, reader):
    # Mosquitto sends no more while 20 wait for their acknowledgement, an echo neither; and who
    # waits for an echo takes, and so acknowledges, nothing else: each would wait for the other.
    mosquitto = start_mosquitto(extra="max_inflight_messages 0")
    options = {**PATIENT, **READERS[reader]}
    count = FEW if options["answers"] or options["echoes"] else COUNT
    with Receiver(mosquitto.port, "ready") as other, Chip("mqtt_faults", words) as chip:
        chip.ask("slow", mosquitto.port, protocol, count, options)
        other.wait_for(other.messages, 5, "the subscription")
        for number in range(count):
            other.publish("s/x", b"%d" % number, qos=2)
        got, dropped, connections = chip.answer(30)
    assert got == list(range(count))
    assert (dropped, connections) == (0, 1)
