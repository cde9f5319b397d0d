"""The current umqtt.simple, from MicroPython's own package index where that can be reached.

The index is the one that mpremote's `mip` uses; a file is named there by the start of its
SHA-256. An index out of reach is nothing to stop for: the firmware runs on 1.3.4 as well.
"""

import hashlib
import json
import re
import tempfile
import threading
import urllib.request
from pathlib import Path

from petrel import BUILD
from petrel.setup import PassedOver
from petrel.setup.umqtt import place

TITLE = "umqtt.simple, current"
LIMIT_S = 3


def provide():
    folder = BUILD / "umqtt" / "current"
    if not (folder / "umqtt" / "simple.py").exists():
        version, source = _within(LIMIT_S, _download)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD, prefix=".new-") as new:
            path = Path(new) / "simple.py"
            path.write_bytes(source)
            place(path, folder, Path(new))
        (folder / "version").write_text(version + "\n")
    return (folder / "version").read_text().strip()


def _within(limit_s, function):
    """The result of `function`, or PassedOver. Name look-ups know no timeout of their own, hence
    the thread; it is left behind if it does not come back."""
    results = []

    def work():
        try:
            results.append(function())
        except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
            results.append(PassedOver(f"MicroPython's index: {type(error).__name__}"))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit_s)
    result = (
        results[0]
        if results
        else PassedOver(f"MicroPython's index did not answer within {limit_s} s")
    )
    if isinstance(result, PassedOver):
        raise PassedOver(f"{result}; a copy in ~/.micropython/lib counts as well")
    return result


def _download():
    """(version, source). Raises OSError, or ValueError for an index that is not understood."""
    # mpremote is pinned, and this keeps the index's address where it belongs.
    from mpremote.mip import _PACKAGE_INDEX as index

    package = json.loads(_get(f"{index}/package/py/umqtt.simple/latest.json"))
    version = package["version"]
    if not re.fullmatch(r"\d+(\.\d+)+", version):
        raise ValueError("version")
    short = dict(package["hashes"])["umqtt/simple.py"]
    if not re.fullmatch(r"[0-9a-f]{8,64}", short):
        raise ValueError("hash")
    source = _get(f"{index}/file/{short[:2]}/{short}")
    if not hashlib.sha256(source).hexdigest().startswith(short):
        raise ValueError("content")
    return version, source


def _get(url):
    with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
        return answer.read(1 << 20)
