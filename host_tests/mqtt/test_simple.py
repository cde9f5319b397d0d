"""Does a program for umqtt.simple do the same on lib/mqtt's face of it?"""

import pytest

from host_tests.chip import Chip
from host_tests.harness.receiver import Receiver


@pytest.fixture
def chip():
    with Chip("mqtt_simple") as chip:
        yield chip


@pytest.mark.parametrize("module", ["umqtt.simple", "mqtt.simple"])
def test_the_same_program(module, mosquitto, chip):
    assert chip.call("program", module, mosquitto.port)[:3] == [
        ["simple/a", "nothing promised"], ["simple/a/b", "once at least"], ["simple/c", "kept"],
    ]


@pytest.mark.parametrize("module", ["umqtt.simple", "mqtt.simple"])
def test_a_refusal(module, start_mosquitto, chip):
    broker = start_mosquitto(users={"anna": "pw"})
    assert chip.call("refused", module, broker.port) == 5


def test_a_broker_that_goes(start_mosquitto, chip):
    broker = start_mosquitto()
    with Receiver(broker.port, "simple/ready") as receiver:
        chip.ask("lost", "mqtt.simple", broker.port)
        receiver.wait_for(receiver.messages, 5, "the device")
        broker.stop()
        assert "closed" in chip.answer(10)

