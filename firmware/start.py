"""From a board to the running application, and what becomes of its end.

The config is checked before anything else is imported, and what checked it is forgotten.
"""

import asyncio
import sys

from micropython import const

from .forget import forget
from .log import log

_LEAST_QUEUE = const(2048)  # bytes that the queue gets in any case


def run(board):
    """Run the device until it is stopped; ends in `board.exit` or `board.reset`."""
    config = _config(board)
    if config is None:
        return board.exit(2)
    # Buffers and queue are made last, when the heap is in pieces: keep whole ones for them.
    reserve = [bytearray(_LEAST_QUEUE), bytearray(2 * config["limits"]["message_bytes"] + 2048)]
    app = _assemble(board, config, reserve)
    del config
    forget("assemble", "board", "payloads", "sensors")
    reserve.clear()
    app.allocate_queue(_LEAST_QUEUE)
    try:
        asyncio.run(app.run())
    except Exception as error:
        log("app", "ended by an error; starting again")
        sys.print_exception(error, sys.stderr)
        return board.reset()
    return board.reset() if app.reboot else board.exit(0)


def _assemble(board, config, reserve):
    from .assemble import assemble

    return assemble(board, config, reserve)


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
        forget("config", "sensors", "payloads")
