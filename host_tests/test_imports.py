"""Does every module import where a board has it: on each runtime, with each port's modules?"""

import subprocess

import pytest

from host_tests.chip import WORDS, environment, runtime_of
from petrel import runtime

# What only runs on the Unix port, or when it is imported.
APART = {"firmware.config_check"}
ONLY = {"firmware.board." + port: port for port in ("esp32", "rp2", "unix")}
ONLY |= {"firmware.board.sleep_" + port: port for port in ("esp32", "rp2", "unix")}
OF_BOARDS = {"chip", "led", "network", "ntp", "wifi"}


def modules(image):
    """The names of everything compiled in the image."""
    for path in sorted(image.rglob("*.mpy")):
        parts = path.relative_to(image).with_suffix("").parts
        parts = parts[1:] if parts[0] == "lib" else parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def fits(name, port):
    if name == "firmware.links.microcoapy" and runtime.microcoapy_folder() is None:
        return False  # it says so itself, and how microCoAPy is had
    if name in APART or name.endswith("._fast") or ONLY.get(name, port) != port:
        return False
    of_boards = name.startswith("firmware.board.") and name.split(".")[2] in OF_BOARDS
    return port != "unix" or not (of_boards or name.startswith("firmware.sensors."))


@WORDS
@pytest.mark.parametrize("port", ["unix", "esp32", "rp2"])
def test_every_module_imports(words, port):
    image = runtime.build("unix")
    names = [name for name in modules(image) if fits(name, port)]
    assert len(names) > 60
    code = "" if port == "unix" else f"from host_tests.boards import power; power.on('{port}')\n"
    code += "\n".join(f"import {name}" for name in names)
    done = subprocess.run(
        [*runtime_of(words), "-X", "heapsize=8M", "-c", code], cwd=image, env=environment(image),
        capture_output=True, text=True, timeout=60, check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
