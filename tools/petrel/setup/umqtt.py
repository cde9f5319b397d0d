"""umqtt.simple 1.3.4, the newest on PyPI.

Its source archive has no build files, so pip cannot install it: it is found and fetched with
unearth, from where pip of this machine would fetch it.
"""

import shutil
import tempfile
from pathlib import Path

from petrel import BUILD
from petrel.setup import SetupError, pipconfig

TITLE = "umqtt.simple 1.3.4"

PIN = "micropython-umqtt.simple==1.3.4"
SHA256 = "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f"


def provide():
    folder = BUILD / "umqtt" / "1.3.4"
    if not (folder / "umqtt" / "simple.py").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD, prefix=".new-") as new:
            source = _fetch(Path(new))
            place(source, folder, Path(new))
    return str(folder.relative_to(BUILD.parent))


def place(source, folder, new):
    """Puts the one file that is wanted into `folder`, which appears whole or not at all."""
    goal = new / "folder"
    (goal / "umqtt").mkdir(parents=True)
    shutil.copyfile(source, goal / "umqtt" / "simple.py")
    shutil.rmtree(folder, ignore_errors=True)
    goal.rename(folder)


def _fetch(new):
    from unearth.errors import UnpackError

    hashes = {"sha256": [SHA256]}
    try:
        finder = pipconfig.finder()
        best = finder.find_best_match(PIN, hashes=hashes).best
        if best is None:
            raise SetupError(
                f"no package registry of pip's configuration has {PIN} with the "
                "pinned hash; `pip config list` shows where it looks"
            )
        root = finder.download_and_unpack(best.link, new / "source", new / "archive", hashes)
    except (OSError, ValueError, UnpackError) as error:
        # Not the error's text: it may show an address with a password in it.
        raise SetupError(
            f"{PIN} could not be fetched ({type(error).__name__}); is the package "
            "registry reachable? Then: make setup"
        ) from None
    return root / "umqtt" / "simple.py"
