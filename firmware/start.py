"""From a board to the running application, and what becomes of its end.

The config is checked before anything else is imported, and what checked it is forgotten.
"""

import asyncio
import gc
import sys

from micropython import const

from .forget import forget
from .log import log

_TIDY_BYTES = const(1024)  # collected so often while starting, what stays lies close together
_LEAST_QUEUE = const(2048)  # bytes that the queue gets in any case
_BUFFER_BYTES = const(1536)  # what the buffers take beside two messages
_APP_BYTES = const(50_000)  # what the rest of the application takes, in words of 32 bits


def run(board):
    """Run the device until it is stopped; ends in `board.exit` or `board.reset`."""
    gc.threshold(_TIDY_BYTES)
    config = _config(board)
    if config is None:
        return board.exit(2)
    # Buffers and queue are made last, when the heap is in pieces: keep whole ones for them.
    wanted = config["queue"]["limit_kb"] * 1024
    queue_bytes = max(_LEAST_QUEUE, min(wanted, gc.mem_free() - _app_bytes()))
    message_bytes = min(config["limits"]["message_bytes"], 128 * config["payload"]["batch"])
    reserve = [bytearray(queue_bytes), bytearray(2 * message_bytes + _BUFFER_BYTES)]
    app = _assemble(board, config, reserve)
    del config
    forget("assemble", "board", "payloads", "sensors")
    reserve.clear()
    app.allocate_queue(queue_bytes, wanted)
    gc.threshold(max(_TIDY_BYTES, gc.mem_free() // 2))
    try:
        asyncio.run(app.run())
    except Exception as error:
        log("app", "ended by an error; starting again")
        sys.print_exception(error, sys.stderr)
        return board.reset()
    return board.reset() if app.reboot else board.exit(0)


def _app_bytes():
    return _APP_BYTES if sys.maxsize <= 0x7FFFFFFF else 2 * _APP_BYTES


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
