"""The demo's virtual devices: `petrel run` with a config of its own, replaying recorded data."""

import contextlib
import dataclasses
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

from petrel.children import tied_to_parent

DATA = Path(__file__).parent / "data"

# Name, recording, its first row, its pace in seconds, how often faster, readings a message,
# channels in the order they are shown: key -> (column, SenML unit, decimals).
MODELS = (
    ("greenhouse", "mote_5s.csv", 0, 5, 5, 1,
     {"t": ("temp_c", "Cel", 2), "h": ("hum_pct", "%RH", 2)}),
    ("airfield", "airport_1h.csv", 0, 3600, 7200, 5,
     {"t": ("temp_f", "degF", 2), "h": ("hum_pct", "%RH", 0), "p": ("press_hpa", "hPa", 1)}),
    ("cellar", "mote_5s.csv", 2500, 5, 8, 1,
     {"t": ("temp_c", "Cel", 2), "h": ("hum_pct", "%RH", 2)}),
)


@dataclasses.dataclass(frozen=True)
class Plan:
    """A device to be. per_s: readings a second. channels: key -> (SenML unit, decimals).

    config: all of it but the link's section.
    """

    name: str
    per_s: float
    channels: dict
    config: dict


def plan(count):
    """The plans of `count` devices."""
    return [_planned(*MODELS[number % len(MODELS)], number) for number in range(count)]


def _planned(name, file, row, every_s, speed, batch, channels, number):
    again, row = number // len(MODELS), row + 97 * (number // len(MODELS))
    name = f"{name}-{again + 1}" if again else name
    sensor = {
        "driver": "replay", "file": str(DATA / file), "row": row, "loop": True,
        "every_s": every_s, "speed": speed,
        "channels": {
            key: {"column": column, "unit": unit, "decimals": decimals}
            for key, (column, unit, decimals) in channels.items()
        },
    }
    config = {
        "device": {"id": name}, "links": ["umqtt"], "sensors": [sensor],
        "payload": {"format": "json", "batch": batch, "max_age_s": 3},
        "reconnect": {"first_s": 1, "max_s": 4},
    }
    shown = {key: (unit, decimals) for key, (_, unit, decimals) in channels.items()}
    return Plan(name, speed / every_s, shown, config)


class VirtualDevice:
    """A running `petrel run`. `heard(name, line)` gets its log lines, in a thread of their own."""

    def __init__(self, plan, host, port, folder, heard):
        self.name = plan.name
        place = Path(folder) / plan.name
        place.mkdir()
        link = {"host": host, "port": port, "keepalive_s": 10, "timeout_s": 5}
        file = place / "config.json"
        file.write_text(json.dumps({**plan.config, "umqtt": link}), encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "petrel.cli", "run", "--config", str(file),
             "--state", str(place / "flash")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            encoding="utf-8", errors="replace",
            start_new_session=True,  # Ctrl-C is ours alone: it would be their first stop signal
            preexec_fn=tied_to_parent(),
        )
        self._log = threading.Thread(target=self._read, args=(heard,), name=plan.name, daemon=True)
        self._log.start()

    def _read(self, heard):
        for line in self.process.stderr:
            heard(self.name, line.rstrip("\n"))

    @property
    def status(self):
        """The exit status; None while it runs."""
        return self.process.poll()

    def stop(self):
        """Ask it to end politely; does not wait."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)

    def join(self):
        """Wait until all it has said is heard; it has ended."""
        self._log.join(5)

    def close(self):
        """A power cut, if it still runs."""
        self.process.kill()
        self.process.wait()
        self.join()
        self.process.stderr.close()
