"""`petrel energy`: what a config costs in charge, and how long a battery lasts."""

import dataclasses
import json
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from petrel import ROOT, energy, energy_boards
from petrel.broker import Mosquitto
from petrel.check import verdict
from petrel.errors import Failure, Misuse

DELIVERIES = 3  # of which the first is that of the start
LIMIT_S = 60
LINE = re.compile(r"sleep: for \d+ ms; awake: (.+)")
PHASE = re.compile(r"([a-z]+) (\d+)")


def run_energy(file, battery_mah, awake, sleep_ua):
    """Print the model of the config `file`; returns the exit status."""
    if not Path(file).is_file():
        raise Misuse(f"{file}: no such file")
    problems = verdict(Path(file).absolute())
    if problems:
        raise Misuse(f"{problems[0]} (see `petrel check {file}`)")
    config = json.loads(Path(file).read_text("utf-8"))
    sleep = config.get("sleep") or {}
    if not sleep.get("deep"):
        raise Misuse(f'{file}: "sleep": {{"deep": true}} is missing; only what sleeps is modelled')
    every_s = min(s.get("every_s", 10) / s.get("speed", 1) for s in config["sensors"])
    own = sleep.get("deliver_every") or config.get("payload", {}).get("batch", 1)
    told = phases(awake) if awake else None
    measured = told or measure()
    if not told:
        _print_measured(measured)
    for port in energy_boards.NAMES:
        if told:
            cycle = energy_boards.from_log(port, told)
        else:
            listen_ms = sleep.get("listen_s", 1) * 1000
            cycle = energy_boards.published(port, listen_ms, measured)
        if sleep_ua is not None:
            cycle = dataclasses.replace(cycle, sleep_ma=sleep_ua / 1000)
        _print_board(port, cycle, every_s, own, battery_mah, sleep_ua)
    print("\nAssumed: the battery gives all that is printed on it, a delivery is one message.\n"
          "Alarms, outages, sensors and what else is on the board come on top: measure yours,\n"
          "and give it with --awake and --sleep-ua.")
    return 0


def phases(line):
    """{phase: ms} of the words in a device's log, `start 412, wait 3, sample 9, ...`."""
    found = {name: int(ms) for name, ms in PHASE.findall(line.rpartition("awake:")[2])}
    if not {"start", "store", "connect"} <= found.keys():
        raise Misuse("--awake: give the words behind `awake:` of a line with `connect` in it")
    return found


def measure():
    """Mean {phase: ms} of the firmware on the Unix port, with a broker on this computer."""
    with tempfile.TemporaryDirectory(prefix="petrel-energy-") as folder, Mosquitto() as broker:
        path = Path(folder, "config.json")
        path.write_text(json.dumps(_config(broker.port)))
        command = [sys.executable, "-m", "petrel.cli", "run", "--config", str(path),
                   "--state", folder]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as device:
            limit = threading.Timer(LIMIT_S, device.terminate)
            limit.start()
            log = ""
            for line in device.stderr:
                log += line
                if log.count(", connect ") == DELIVERIES:
                    break
            limit.cancel()
            device.terminate()
    return mean(log)


def mean(log):
    """Mean {phase: ms} over the lines of a log; the first life is left out, which did not wake up.
    """
    times = {}
    for line in LINE.findall(log)[1:]:
        for name, ms in PHASE.findall(line):
            times.setdefault(name, []).append(int(ms))
    if "connect" not in times:
        raise Failure("the device did not deliver in time: is the computer busy? Its last words: "
                      + (log.strip().splitlines() or ["none"])[-1])
    return {name: sum(found) / len(found) for name, found in times.items()}


def _config(port):
    file = str(ROOT / "tools" / "petrel" / "data" / "mote_5s.csv")
    channels = {"t": {"column": "temp_c", "unit": "Cel"}}
    return {
        "umqtt": {"port": port},
        "payload": {"batch": 10},
        "sleep": {"deep": True, "deliver_every": 3, "listen_s": 0},
        "sensors": [{"driver": "replay", "file": file, "every_s": 1, "channels": channels}],
    }


def _print_measured(measured):
    print("Measured now: this firmware on this computer, against a broker here, awake ms a cycle")
    names = [n for n in (*energy.WAKING, *energy.DELIVERING) if n in measured and n != "listen"]
    print("  " + ", ".join(f"{name} {measured[name]:.1f}" for name in names))


def _print_board(port, cycle, every_s, own, battery_mah, sleep_ua):
    print(f"\n{energy_boards.NAMES[port]}, a reading every {every_s:g} s")
    for name in (*energy.WAKING, *energy.DELIVERING):
        phase = cycle.phases.get(name)
        if phase and phase.ms:
            basis = f"{phase.basis}: {phase.source}"
            print(f"  {name:8} {phase.ms:6.0f} ms {phase.ma:7.1f} mA  {basis}")
    _, basis, source = energy_boards.SLEEP_MA[port]
    if sleep_ua is not None:
        basis, source = "measured", "--sleep-ua"
    print(f"  {'asleep':8} {'':9} {cycle.sleep_ma:7.3f} mA  {basis}: {source}")
    for ma, basis, source in energy_boards.AWAKE_MA[port]:
        if basis == "assumed":
            print(f"  {ma:g} mA awake is {basis}: {source}")
    print("  deliver_every   sleeping  waking  delivering   mAh a day   "
          f"{battery_mah:g} mAh last")
    for k in sorted({1, 12, 60, own}):
        one = energy.day(cycle, every_s, k)
        days = one.life_days(battery_mah)
        mark = " <- this config" if k == own else ""
        print(f"  {k:13} {one.sleeping:10.2f} {one.waking:7.2f} {one.delivering:11.2f}"
              f" {one.mah:11.2f}   {days:7.0f} days{mark}")
    change, saved = energy.saves_most(cycle, every_s, own)
    print(f"  saves most: {change}: {saved:.2f} mAh a day less")
