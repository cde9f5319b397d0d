"""How fast a backlog in flash drains on loopback, and what steady operation writes there."""

import re
import subprocess

from petrel import runtime
from petrel.bench.chip import DEVICE
from petrel.bench.latency import wait_for
from petrel.broker import Mosquitto
from petrel.errors import Failure

BACKLOG = 3000
CONNECTED = 3000
FORMS = (("json", 1), ("json", 12), ("frame", 60))
QUEUE = {"durability": "always", "limit_kb": 1024}
RECONNECT = {"first_s": 0.05, "max_s": 0.2}


def measure(bench):
    figures = {"readings_per_s": {}}
    for form, batch in FORMS:
        rate = drain(bench, form, batch)
        figures["readings_per_s"][f"{form}/{batch}"] = rate
        print(f"drain of {BACKLOG} readings of a former life, {form} in batches of {batch}: "
              f"{rate:,.0f} readings a second", flush=True)
    figures["connected"] = connected(bench)
    return figures


def drain(bench, form, batch):
    """Sample into the flash while there is no broker, cut the power, start again with one."""
    payload = {"format": form, "batch": batch, "max_age_s": 0.1}
    name = f"drain-{form}-{batch}"
    with Mosquitto() as broker:
        broker.stop()
        options = {"umqtt": {"port": broker.port}, "reconnect": RECONNECT, "payload": payload,
                   "queue": QUEUE}
        run(bench, bench.config(name, BACKLOG, **options), "has ended").kill()
        broker.start()
        log = run(bench, bench.config(name, 1, **options), "drained; sampled 1 acked 1").log
    online, drained = (
        float(re.search(rf"^(\d+\.\d+) \w+: {words}", log.read_text(), re.MULTILINE)[1])
        for words in ("online over", "drained; ")
    )
    return BACKLOG / (drained - online)


class run:
    """A chip until it has said `words`."""

    def __init__(self, bench, config, words):
        self.log = bench.folder / f"{config.stem}.log"
        env = bench.environment(config, PETREL_UNTIL_DRAINED="1")
        argv = [*runtime.find_runtime(), "-X", "heapsize=2M", "-c", "import boot; import main"]
        with self.log.open("w") as stderr:
            self._chip = subprocess.Popen(
                argv, cwd=bench.image, env=env, stdin=subprocess.DEVNULL, stderr=stderr
            )
        wait_for(self.log, words, self._chip)

    def kill(self):
        self._chip.kill()
        self._chip.wait()


def connected(bench):
    """Bytes programmed while `spill` delivers reading after reading and its connection holds."""
    config = bench.config("connected", CONNECTED, sensor={"speed": 500})
    more = {"PETREL_UNTIL_DRAINED": "1", "MICROPYPATH": f":lib:.frozen:{DEVICE}",
            "PETREL_STATE": "/flash"}
    done = bench.chip(bench.script("connected_spill"), config, **more)
    acked, programmed, erased = map(int, done.stdout.split()[-3:])
    print(f"flash, connected, `spill`: {programmed} bytes programmed and {erased} blocks erased "
          f"for {acked} readings")
    if programmed or acked < CONNECTED:
        raise Failure("a device that is connected leaves the flash alone")
    return {"programmed": programmed, "readings": acked}
