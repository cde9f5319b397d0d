"""Does the watchdog find what hangs, and nothing else?"""

import shlex
import shutil
import time

import pytest

from host_tests.e2e.proofs import (
    SOON_S,
    prove_caught_up,
    prove_delivered,
    prove_schedule_kept,
    quick,
    unsure,
)
from petrel import runtime

PERIOD_MS = 3000
GRACE_S = 30  # what a task may be late before it counts as hanging
ENVIRONMENT = {"PETREL_WATCHDOG_MS": str(PERIOD_MS)}
DRIVER = '''
from . import channels


def rules():
    return {"trouble": (..., "choice", "busy", "asleep", "broken")}, {}


def check(entry):
    return ()


class Sensor:
    """In the first life its fifth conversion never ends, or ends in a defect."""

    def __init__(self, entry, board):
        self.channels = channels(entry["channels"])
        self._trouble = entry["trouble"] if board.reset_cause == "power" else None
        self._count = 0

    def begin(self):
        self._count += 1
        if self._count == 5:
            while self._trouble == "busy":
                pass
            if self._trouble == "asleep":
                return 3_600_000
            if self._trouble == "broken":
                raise KeyError("a defect")
        return 0

    def read(self, values, first):
        values[first] = self._count
'''


@pytest.fixture
def troubled(device, tmp_path):
    """Starts devices with one more driver, in an image of their own, whose sensor makes trouble.

    The runtime changes to that image before it starts.
    """
    image, launcher = tmp_path / "image", tmp_path / "micropython"
    shutil.copytree(runtime.build("unix"), image)
    (image / "firmware" / "sensors" / "troubled.py").write_text(DRIVER)
    command = shlex.join(runtime.find_runtime())
    launcher.write_text(f'#!/bin/sh\ncd {shlex.quote(str(image))} && exec {command} "$@"\n')
    launcher.chmod(0o755)

    def start(port, trouble):
        settings = quick(port, device={"id": "t1"})
        settings["sensors"] = [
            {"driver": "troubled", "every_s": 0.05, "channels": {"x": {}}, "trouble": trouble}
        ]
        return device(settings, flags=["--runtime", shlex.quote(str(launcher))], env=ENVIRONMENT)

    return start


def boots(receiver):
    return [s["boot"] for s in receiver.statuses("t1") if s["status"] == "online"]


def test_a_device_that_is_busy_for_ever_is_reset(mosquitto, receiver, troubled):
    started = troubled(mosquitto.port, "busy")
    receiver.wait_for(lambda: len(boots(receiver)) == 2, SOON_S, "a second birth")
    assert boots(receiver) == ["power", "watchdog"]
    started.wait_log(rf"watchdog: not fed for {PERIOD_MS} ms: the device is reset", SOON_S)
    receiver.wait_for(lambda: len(receiver.readings("t1")) > 20, SOON_S, "a second life")
    assert {"status": "offline"} in receiver.statuses("t1")


def test_a_device_with_a_defect_starts_again_and_says_why(mosquitto, receiver, troubled):
    started = troubled(mosquitto.port, "broken")
    receiver.wait_for(lambda: len(boots(receiver)) == 2, SOON_S, "a second birth")
    assert boots(receiver) == ["power", "software"]
    started.wait_log("app: ended by an error; starting again", SOON_S)
    started.wait_log("KeyError: a defect", SOON_S)
    assert started.stop() == 0


@pytest.mark.long
@pytest.mark.timeout(120)
def test_a_task_that_hangs_is_found_and_a_network_that_is_away_is_not(
    mosquitto, proxy, receiver, troubled, device, figure
):
    """The rest of the device is well: it takes the watchdog's patience, and this test its time."""
    proxy.refuse()
    in_order = {"durability": "ram"}  # from flash, fresh readings overtake those that waited
    lonely = device(quick(proxy.port, payload={"batch": 50}, queue=in_order), env=ENVIRONMENT)
    hanging = troubled(mosquitto.port, "asleep")
    begun = time.monotonic()
    hanging.wait_log("vitals: sampler has not been heard of", GRACE_S + SOON_S)
    hanging.wait_log(r"watchdog: not fed for .*: the device is reset", SOON_S)
    figure("a task that hangs reset after", f"{time.monotonic() - begun:.1f}", "s")
    receiver.wait_for(lambda: len(boots(receiver)) == 2, SOON_S, "a second birth")
    assert boots(receiver) == ["power", "watchdog"]
    assert receiver.messages("d1") == []
    proxy.accept()
    lonely.wait_log("online", SOON_S)
    receiver.wait_readings("d1", 100 * GRACE_S, 3 * SOON_S)
    prove_caught_up(receiver)
    assert prove_delivered(lonely, receiver, unsure(proxy)) >= 100 * GRACE_S
    assert prove_schedule_kept(receiver) < PERIOD_MS
