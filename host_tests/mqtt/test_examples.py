"""Do the examples in lib/mqtt/examples do what they say?"""

import re
import subprocess

import pytest

from host_tests.chip import environment
from petrel import ROOT, runtime

FOLDER = ROOT / "lib" / "mqtt" / "examples"
SAID = {
    "publish": ["delivered"],
    "wildcards": [
        r"house/\+/temperature <- house/kitchen/temperature 21.5",
        r"house/\+/temperature <- house/cellar/temperature 11.0",
        r"house/kitchen/# <- house/kitchen/temperature 21.5",
        r"house/kitchen/# <- house/kitchen/oven/door open",
    ],
    "retained": ["set: open", "cleared: None"],
    "shared": ["anna does job", "bert does job", "done: 10 of 10"],
    "request": ["question 1 -> 7"],
    "over_websocket": ["delivered"],
}


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_example(name, start_mosquitto):
    broker = start_mosquitto(websocket=True)
    port = broker.ws_port if name == "over_websocket" else broker.port
    command = [*runtime.find_runtime(), str(FOLDER / f"{name}.py"), broker.host, str(port)]
    image = runtime.build()
    done = subprocess.run(
        command, env=environment(image), cwd=image, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    for words in SAID[name]:
        assert re.search(words, done.stdout), done.stdout
