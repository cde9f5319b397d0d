"""What comes before the application on a board: is it fit to be started? If not, safe mode: the
REPL within reach, WiFi up, no application, the reason on the console and in the next birth.

Nothing here ever changes the config. Safe mode ends with any reset; left alone the board resets
itself after an hour, so that one which nobody can reach tries again.
"""

import asyncio
import json
import sys

from micropython import const

from ..forget import forget
from ..log import log
from . import blackbox, boots

_RETRY_MS = const(3_600_000)


def begin(board):
    """Return why the application is not to be started, all that follows from it done, or None."""
    board.release()  # a watchdog that a soft reset has left armed
    config = _config(board.config_path)
    try:
        reason = "its pin is held low" if _pin_is_low(board, config) else boots.begin(board)
    except OSError as error:  # a full flash is no reason not to measure
        log("boot", "this boot can't be counted: %s" % error)
        reason = None
    if reason:
        _enter(board, config, reason)
    forget("board.safe_mode", "board.boots", "board.blackbox")
    return reason


def _enter(board, config, reason):
    told = blackbox.last_life(board)
    log("boot", "safe mode: %s; the application is not started" % reason)
    for key in told:
        log("boot", "the last life left %s: %s" % (key, told[key]))
    blackbox.put(board, "safe_mode", reason)
    board.after(_RETRY_MS, lambda timer: board.reset())
    for part in (_led, _wifi, _webrepl):
        _each(part, board, config)
    log("boot", "reset to try the application again; left alone that happens in an hour")


def _each(part, board, config):
    """Whatever is wrong in one part, the REPL must be reached."""
    try:
        part(board, config)
    except Exception as error:
        log("boot", "%s: %s" % (type(error).__name__, error))


def _led(board, config):
    hardware = config.get("board") or {}
    if hardware.get("led") is not None:
        from .led import Led

        Led(hardware["led"], hardware.get("led_inverted", False)).safe_mode()


def _wifi(board, config):
    from .wifi import WiFi

    async def no_hurry(ms):
        pass

    networks = [{"ssid": w["ssid"], "password": w.get("password", "")} for w in config["wifi"]]
    country = (config.get("board") or {}).get("country")
    asyncio.run(WiFi(board, networks, country, no_hurry).up())


def _webrepl(board, config):
    """Only where somebody has set it up (`import webrepl_setup`)."""
    try:
        __import__("webrepl_cfg")
    except ImportError:
        return
    __import__("webrepl").start()


def _pin_is_low(board, config):
    try:
        number = config["board"]["safe_pin"]
        return number is not None and not board.input(number).value()
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def _config(path):
    """The parts that we need of a config that may be wrong or not there."""
    config = {}
    for name in (path, path.replace("config.json", "secrets.json")):
        try:
            with open(name) as file:
                found = json.load(file)
            for key in ("board", "wifi"):
                if key in found:
                    config[key] = found[key]
        except (OSError, ValueError, TypeError, MemoryError) as error:
            if name == path:
                print("boot:", path, error, file=sys.stderr)
    return config
