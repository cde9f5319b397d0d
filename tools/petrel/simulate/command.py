"""`petrel simulate`: starts the devices, says every few seconds how they are, ends them."""

import asyncio
import collections
import random
import resource
import signal
import time

from petrel.errors import Failure, Misuse, complain
from petrel.listen import reason, trust
from petrel.simulate.connection import OPEN, Connection
from petrel.simulate.device import Device
from petrel.simulate.faults import Faults

PROGRAM = "petrel simulate"
SAY_S = 5
STARTS_PER_S = 500  # connections, so that the broker's backlog of them never overflows
FIRST_S = 15  # until one device is connected
SPARE_FILES = 50
SLEEP_MS = (15_000, 60_000)


class Settings:
    """devices, sleepers: how many, the sleepers among them. rate: messages a second of all that
    are awake. faults: a device and hour. form: of the payload. life_s: None until asked to end.
    """

    def __init__(self, devices, rate, seed, faults, sleepers, form, life_s):
        self.devices, self.sleepers, self.rate = devices, sleepers, rate
        self.seed = random.SystemRandom().randrange(10**6) if seed is None else seed
        self.faults, self.form, self.life_s = faults, form, life_s
        if sleepers > devices:
            raise Misuse(f"--sleepers {sleepers} are more than --devices {devices}")
        self.every_ms = max(1, round(1000 * max(1, devices - sleepers) / rate))


class Simulation:
    """Everything that runs."""

    def __init__(self, settings, target, ca):
        self.settings, self.target = settings, target
        self._tls = trust(ca) if target.secure else None
        self._start = time.monotonic()
        self._epoch_ms = time.time_ns() // 1_000_000
        self.counts = collections.Counter()
        self.connections = [self._device(number) for number in range(settings.devices)]

    def clock(self):
        """Uptime in ms."""
        return round((time.monotonic() - self._start) * 1000)

    def _device(self, number):
        settings, rng = self.settings, random.Random(f"{self.settings.seed} sleep {number}")
        asleep = number * settings.sleepers // settings.devices
        sleeps = (number + 1) * settings.sleepers // settings.devices > asleep
        sleep_ms = rng.randrange(*SLEEP_MS) // 1000 * 1000 if sleeps else None
        return Connection(
            Device(number, settings.seed, self._epoch_ms, settings.every_ms, settings.form),
            Faults(f"{settings.seed} faults {number}", settings.faults), self.target, self._tls,
            self.clock, self.counts, 1000 * number // STARTS_PER_S, sleep_ms,
        )

    def total(self, what):
        return sum(getattr(connection.device, what) for connection in self.connections)

    def line(self):
        counts = self.counts
        up = sum(connection.state == OPEN for connection in self.connections)
        waiting = sum(len(connection.device.queue) for connection in self.connections)
        return (f"{self.clock() / 1000:.0f} s: {up} of {len(self.connections)} connected, "
                f"{counts['messages']} messages, {waiting} readings wait; {counts['drop']} drops, "
                f"{counts['outage']} outages, {counts['gap']} gaps, {counts['commands']} commands")

    async def run(self):
        """Until its time is over or somebody ends it."""
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        life_s = self.settings.life_s
        try:
            while not ended.is_set() and (life_s is None or self.clock() < life_s * 1000):
                left_s = SAY_S if life_s is None else life_s - self.clock() / 1000
                await _within(ended.wait(), min(SAY_S, max(left_s, 0.01)))
                complain(PROGRAM, self.line())
                self._check()
            self._check(ended=True)
        finally:
            for connection in self.connections:
                connection.stop()  # before the loop ends: none begins to connect while it closes
        await asyncio.sleep(0.5)  # what was said leaves

    def _check(self, ended=False):
        if not self.counts["connects"] and (ended or self.clock() > FIRST_S * 1000):
            errors = [c.failure for c in self.connections if c.failure]
            why = reason(errors[0]) if errors else "it refuses them, or does not answer"
            raise Failure(f"no device could connect to {self.target.place}: {why}")


async def _within(waiting, seconds):
    try:
        async with asyncio.timeout(seconds):
            await waiting
    except TimeoutError:
        pass


def run_simulation(settings, target, ca=None):
    """Simulate; prints what became of the readings and returns the exit status."""
    _allow_files(settings.devices + SPARE_FILES)
    complain(PROGRAM, f"{settings.devices} devices, {settings.rate:g} messages a second, at "
                      f"{target.place}; --seed {settings.seed} repeats it")
    return asyncio.run(_run(settings, target, ca))


async def _run(settings, target, ca):
    simulation = Simulation(settings, target, ca)
    await simulation.run()
    sent, acked, dropped = map(simulation.total, ("sent", "acked", "dropped"))
    print(f"sent {sent} acked {acked} dropped {dropped} waiting {sent - acked - dropped} "
          f"skipped {simulation.total('skipped')}", flush=True)
    return 0 if simulation.total("acked") else 1


def _allow_files(count):
    """A connection is an open file, of which the system allows few at first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and count > hard:
        raise Misuse(f"this system allows {hard} open files, {count} are needed: fewer --devices, "
                     "or a higher `ulimit -n`")
    if count > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
