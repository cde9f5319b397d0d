"""From a board to the running application, and what becomes of its end.

The config is checked before anything else is imported, and what checked it is forgotten: a board
has not the memory for both at once.
"""

import asyncio
import gc
import sys

from .log import log

_CHECKING = ("config", "config_rules", "config_kinds", "config_limits", "sensors", "payloads")


def run(board):
    """Run the device until it is stopped; ends in `board.exit` or `board.reset`."""
    config = _config(board)
    if config is None:
        return board.exit(2)
    from .app import App

    app = App(board, config)
    del config
    gc.collect()
    try:
        asyncio.run(app.run())
    except Exception as error:
        log("app", "ended by an error; starting again")
        sys.print_exception(error, sys.stderr)
        return board.reset()
    return board.reset() if app.reboot else board.exit(0)


def _config(board):
    """Return the config, or None after saying why there is none."""
    from .config import ConfigError, load

    try:
        return load(board.config_path)
    except ConfigError as error:
        for line in error.problems:
            log("config", line)
        return None
    finally:
        _forget()


def _forget():
    package = sys.modules["firmware"]
    for name in list(sys.modules):
        if name.startswith("firmware.") and name.split(".")[1] in _CHECKING:
            del sys.modules[name]
    for name in _CHECKING:
        if hasattr(package, name):
            delattr(package, name)
    gc.collect()
