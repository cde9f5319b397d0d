"""`petrel simulate` at a real Mosquitto: is each reading accounted for, in spite of its faults?"""

import json
import re
import resource
import socket
import subprocess

import pytest

from host_tests.harness.device import PETREL
from host_tests.harness.receiver import Receiver
from petrel.readings import decode

LIMIT_S = 60


def simulate(*options, limit_s=LIMIT_S):
    return subprocess.run([PETREL, "simulate", *map(str, options)], capture_output=True, text=True,
                          timeout=limit_s)


def counts(done):
    """The numbers of its last line, by name."""
    return {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", done.stdout)}


def received(receiver):
    """How many different readings came."""
    return len({
        (message.topic, reading.stream, reading.seq)
        for message in receiver.messages() if message.topic.endswith("/data")
        for reading in decode(message.topic, message.payload)
    })


@pytest.mark.parametrize("form", ["frame", "json"])
def test_every_reading_that_was_acknowledged_came_and_gaps_are_gaps(mosquitto, seed, form):
    url = f"mqtt://127.0.0.1:{mosquitto.port}"
    with Receiver(mosquitto.port) as receiver:
        done = simulate("--devices", 20, "--sleepers", 8, "--rate", 100, "--for", 4, "--url", url,
                        "--seed", seed, "--faults", 900, "--format", form)
        assert done.returncode == 0, done.stderr
        said = counts(done)
        receiver.wait_for(lambda: received(receiver) >= said["acked"], LIMIT_S, "what was acked")
    assert said["sent"] == said["acked"] + said["dropped"] + said["waiting"]
    assert received(receiver) <= said["sent"]
    assert said["acked"] > 100 and said["skipped"] > 0
    statuses = [m for m in receiver.messages() if m.topic.endswith("/status")]
    states = {json.loads(m.payload)["status"] for m in statuses}
    assert states == {"online", "offline", "sleeping"}
    assert "drops" in done.stderr and f"--seed {seed}" in done.stderr


def test_commands_are_answered(mosquitto, seed):
    with Receiver(mosquitto.port) as receiver, subprocess.Popen(
        [PETREL, "simulate", "--devices", "4", "--rate", "4", "--faults", "0", "--seed", str(seed),
         "--url", f"mqtt://127.0.0.1:{mosquitto.port}"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as running:
        try:
            topic = "devices/greenhouse-0000/"
            receiver.wait_for(lambda: receiver.messages("greenhouse-0000", "data"), LIMIT_S)
            receiver.publish(topic + "commands", '{"cmd":"ping","id":5}')
            (answer,) = receiver.wait_for(
                lambda: receiver.messages("greenhouse-0000", "responses"), LIMIT_S)
            assert answer.json() == {"id": 5, "ok": True}
        finally:
            running.terminate()
        out, _ = running.communicate(timeout=LIMIT_S)
    assert running.returncode == 0 and out.startswith("sent ")


@pytest.mark.parametrize("options, status, words", [
    (["--devices", 5, "--sleepers", 6], 2, "--sleepers 6 are more than --devices 5"),
    (["--format", "xml"], 2, "there is frame and json"),
    (["--url", "http://x"], 2, "mqtt://"),
    (["--for", 1, "--devices", 2], 1, "no device could connect to"),
])
def test_what_is_wrong_is_one_line(options, status, words):
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        url = [] if "--url" in options else ["--url", f"mqtt://127.0.0.1:{taken.getsockname()[1]}"]
        done = simulate(*options, *url)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.soak
def test_two_thousand_devices_for_ten_minutes(mosquitto, seed, figure):
    """All that was acknowledged is delivered, at the rate that was asked for, in flat memory."""
    with Receiver(mosquitto.port) as receiver:
        done = simulate("--devices", 2000, "--rate", 500, "--for", 600, "--seed", seed, "--url",
                        f"mqtt://127.0.0.1:{mosquitto.port}", limit_s=900)
        said = counts(done)
        receiver.wait_for(lambda: received(receiver) >= said["acked"], 120)
    figure("readings acknowledged", said["acked"], "")
    peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    figure("peak memory of a child", peak_kb // 1024, "MB")
    assert said["acked"] > 0.9 * 500 * 600
