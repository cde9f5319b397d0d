"""How long a device takes to its first acknowledged reading, and to recover from an outage."""

import statistics
import subprocess
import time

from petrel import runtime
from petrel.broker import Mosquitto
from petrel.errors import Failure

ROUNDS = 10
OUTAGES = 5
BACKLOG = 500
_LIMIT_S = 30


def measure(bench):
    figures = {"first_ack_ms": first_ack(bench), "recovery": recovery(bench)}
    return figures


def first_ack(bench):
    config = bench.config("first", 1)
    times = []
    for _ in range(ROUNDS):
        done = bench.chip(bench.script("first_ack"), config, PETREL_UNTIL_DRAINED="1")
        times.append(int(done.stdout.split()[0]) / 1000)
    middle = statistics.median(times)
    print(f"start of main.py to the first PUBACK: {middle:.1f} ms (median of {ROUNDS})")
    return middle


def recovery(bench):
    """Milliseconds from the broker's return to an empty queue, `BACKLOG` readings in it."""
    reconnect = {"first_s": 0.05, "max_s": 0.2}
    times = [outage(bench, round_, reconnect) for round_ in range(OUTAGES)]
    print(f"broker's return to an empty queue of {BACKLOG} readings, retry every 50 to 200 ms: "
          f"{statistics.median(times):.0f} ms (median of {OUTAGES}, longest {max(times):.0f})")
    return {"median_ms": statistics.median(times), "max_ms": max(times), "backlog": BACKLOG}


def outage(bench, round_, reconnect):
    """Sample into a queue while there is no broker, then start one."""
    with Mosquitto() as broker:
        broker.stop()
        config = bench.config(
            f"outage{round_}", BACKLOG, umqtt={"port": broker.port}, reconnect=reconnect
        )
        log = bench.folder / f"outage{round_}.log"
        env = bench.environment(config, PETREL_UNTIL_DRAINED="1")
        argv = [*runtime.find_runtime(), "-X", "heapsize=1M", "-c", "import boot; import main"]
        with log.open("w") as stderr, subprocess.Popen(
            argv, cwd=bench.image, env=env, stdin=subprocess.DEVNULL, stderr=stderr
        ) as chip:
            wait_for(log, "has ended", chip)
            start = time.monotonic()
            broker.start()
            wait_for(log, f"drained; sampled {BACKLOG} acked {BACKLOG}", chip)
            return (time.monotonic() - start) * 1000


def wait_for(log, words, chip):
    end = time.monotonic() + _LIMIT_S
    while words not in log.read_text():
        if time.monotonic() > end or chip.poll() not in (None, 0):
            chip.kill()
            raise Failure(f"the device never said '{words}'")
        time.sleep(0.002)
