"""What becomes of a command. Imported when one arrives and forgotten after it.

Command `x` is the coroutine function `do_x(commands, command)`; it returns what the response adds
to `id` and `ok`, or raises CommandError.
"""

import gc
import json

from micropython import const

from scaled import text

from . import VERSION
from .identity import compact
from .log import log

_ID_CHARS = const(64)


class CommandError(Exception):
    """Why a command was not executed, said to whoever sent it."""


async def answer(commands, payload, problem):
    """Execute the command in `payload` and return the response; `problem`, if there is one, is why
    the payload can't be had.
    """
    number = None
    values = b""  # JSON already: floats would spoil the numbers
    try:
        if problem:
            raise CommandError(problem)
        command = _parse(payload)
        number = _id(command)
        response = await _action(command)(commands, command)
        values = response.pop("values", values)
    except CommandError as error:
        response = {"error": str(error)}
    except Exception as error:  # a defect in a command is no reason to stop measuring
        response = {"error": "it failed: %r" % error}
    response["id"] = number
    response["ok"] = "error" not in response
    if not response["ok"]:
        log("commands", "refused: " + response["error"])
    response = compact(response)
    return response[:-1] + b',"values":' + values + b"}" if values else response


def _parse(payload):
    try:
        command = json.loads(payload)
    except (ValueError, RuntimeError, MemoryError):  # RuntimeError: nested too deeply
        raise CommandError("not JSON in UTF-8")
    if not isinstance(command, dict):
        raise CommandError('not a JSON object with "id" and "cmd"')
    if not isinstance(command.get("cmd"), str):
        raise CommandError('"cmd" is missing or no string')
    return command


def _id(command):
    """What the response is to be recognised by."""
    number = command.get("id")
    if not isinstance(number, (str, int, type(None))) or len(str(number)) > _ID_CHARS:
        message = '"id" is no whole number and no string of at most %d characters'
        raise CommandError(message % _ID_CHARS)
    if isinstance(number, str) and any(ord(c) & 0xF800 == 0xD800 for c in number):
        from .actions_text import whole

        number = whole(number)
        if number is None:
            raise CommandError('"id" has half of a surrogate pair')
    return number


def _action(command):
    action = globals().get("do_" + command["cmd"])
    if action is None:
        names = sorted(name[3:] for name in globals() if name.startswith("do_"))
        raise CommandError('unknown "cmd"; there is: ' + ", ".join(names))
    return action


async def do_ping(commands, command):
    return {}


async def do_info(commands, command):
    """What the device is, and every channel's unit and decimals."""
    return {
        "version": VERSION,
        "boot": commands.board.reset_cause,
        "s": commands.identity.stream,
        "up": commands.clock.now() // 1000,
        "free": gc.mem_free(),
        "channels": {c.key: [c.unit, c.decimals] for c in commands.channels},
    }


async def do_read(commands, command):
    """Take a reading now; it also goes the way of all readings."""
    number = await commands.sampler.sample_now()
    if number is None:
        raise CommandError("no sensor could be read")
    values = zip(commands.channels, commands.sampler.values)
    pairs = ['"%s":%s' % (c.key, text(v, c.decimals)) for c, v in values if v is not None]
    return {"n": number, "values": ("{" + ",".join(pairs) + "}").encode()}


async def do_reboot(commands, command):
    commands.app.reboot = True
    commands.app.end("reboot")
    return {}
