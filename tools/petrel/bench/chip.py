"""What every measurement needs: a broker, an image, configs, and the chip started on them."""

import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

from petrel import ROOT, runtime
from petrel.broker import Mosquitto
from petrel.errors import Failure

DEVICE = Path(__file__).parent / "device"
DATA = ROOT / "tools" / "petrel" / "data"
CHANNELS = {
    "t": {"column": "temp_c", "unit": "Cel", "decimals": 2},
    "h": {"column": "hum_pct", "unit": "%RH", "decimals": 2},
}
_LIMIT_S = 120


class Bench(contextlib.ExitStack):
    """A Mosquitto and a scratch folder, for as long as the measurements last."""

    def __enter__(self):
        super().__enter__()
        self.folder = Path(self.enter_context(tempfile.TemporaryDirectory(prefix="petrel-bench-")))
        self.broker = self.enter_context(Mosquitto())
        self.image = runtime.build()
        return self

    def config(self, name="config", rows=None, **sections):
        """Write a config that replays `rows` rows of a recording, and return its path."""
        recording = self.folder / f"{name}.csv"
        lines = (DATA / "mote_5s.csv").read_text().splitlines(keepends=True)
        recording.write_text("".join(lines[: rows + 1] if rows else lines))
        config = {
            "device": {"id": name},
            "umqtt": {"port": self.broker.port},
            "sensors": [
                {
                    "driver": "replay", "file": recording.name, "every_s": 1, "speed": 1000,
                    "channels": CHANNELS,
                }
            ],
            "limits": {"publish_per_s": 100000},
        }
        for section, values in sections.items():
            if section == "sensor":
                config["sensors"][0].update(values)
            else:
                config[section] = {**config.get(section, {}), **values}
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(config))
        return path

    def environment(self, config, **more):
        state = self.folder / (Path(config).stem + ".state")
        state.mkdir(exist_ok=True)
        return {
            **os.environ, "PETREL_CONFIG": str(config), "PETREL_STATE": str(state),
            "MICROPYPATH": ":lib:.frozen", **more,
        }

    def chip(self, code, config="", argv=None, heap="2M", check=True, **more):
        """Run `code` on the Unix port until it ends; returns the finished process."""
        argv = argv or runtime.find_runtime()
        done = subprocess.run(
            [*argv, "-X", f"heapsize={heap}", "-c", code],
            cwd=self.image, env=self.environment(config, **more), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=_LIMIT_S, check=False,
        )
        if check and done.returncode:
            raise Failure(f"the device ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return done

    def script(self, name):
        """The text of a device script of this package."""
        return (DEVICE / f"{name}.py").read_text()
