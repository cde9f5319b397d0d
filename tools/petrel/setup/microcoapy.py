"""microCoAPy, from GitHub by MicroPython's own `mip`, where that can be reached.

It is no package of any index. A machine without it misses the tests and measurements of
`coap.reliable_socket`, and the link `microcoapy`.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from petrel import BUILD, runtime
from petrel.setup import PassedOver

TITLE = "microCoAPy"
SOURCE = "github:insighio/microCoAPy"
LIMIT_S = 10
_INSTALL = "import mip, sys; mip.install(sys.argv[1], target=sys.argv[2])"


def provide():
    folder = runtime.microcoapy_folder()
    if folder is None:
        _install(BUILD / "microcoapy")
        folder = runtime.microcoapy_folder()
    if folder is None:
        raise PassedOver(
            f"{SOURCE} can't be reached, so its tests are skipped and the link `microcoapy` does "
            f"not start; a copy in {runtime.LIBRARY_FOLDER} counts as well"
        )
    return str(folder)


def _install(goal):
    """All of it or nothing."""
    with tempfile.TemporaryDirectory(dir=BUILD, prefix=".new-") as new:
        script, target = Path(new) / "install.py", Path(new) / "lib"
        script.write_text(_INSTALL)
        command = [*runtime.find_runtime(), str(script), SOURCE, str(target)]
        try:
            subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return
        if runtime.is_microcoapy(target):
            shutil.rmtree(goal, ignore_errors=True)
            target.rename(goal)
