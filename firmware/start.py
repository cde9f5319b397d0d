"""From a board to the running application, and what becomes of its end."""

import asyncio
import gc
import sys

from micropython import const

from .forget import forget
from .log import log

_TIDY_BYTES = const(1024)  # collected so often while starting, what stays lies close together


def run(board):
    """Run the device until it is stopped; ends in `board.exit` or `board.reset`. Does nothing if
    boot.py has found a reason not to.
    """
    if board.problem:
        return None
    gc.threshold(_TIDY_BYTES)
    app = _assemble(board)
    if app is None:
        return board.exit(2)
    forget("assemble", "board", "payloads", "sensors")
    gc.threshold(max(_TIDY_BYTES, gc.mem_free() // 2))
    try:
        asyncio.run(app.run())
    except Exception as error:
        log("app", "ended by an error; starting again")
        sys.print_exception(error, sys.stderr)
        board.failed(error)
        return board.reset()
    except KeyboardInterrupt:  # somebody wants the REPL
        return board.exit(1)
    return board.reset() if app.reboot else board.exit(0)


def _assemble(board):
    from .assemble import assemble, forget_making

    app = assemble(board)
    forget_making()
    return app
