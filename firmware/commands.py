"""Commands from the peer: `{"id":…,"cmd":…}` in, `{"id":…,"ok":true,…}` out, or
`{"id":…,"ok":false,"error":…}`.

They wait in a short inbox and are executed one after the other; `firmware/actions.py` has what
they do.
"""

import asyncio
import json

from micropython import const

from .forget import forget
from .identity import compact
from .log import log

_INBOX = const(4)
_ID_CHARS = const(64)
_EXECUTION_MS = const(30_000)  # the longest that a command may take


class CommandError(Exception):
    """Why a command was not executed, said to whoever sent it."""


class Commands:
    """`app`, `sampler` and `uplink` are made after us, and set then."""

    def __init__(self, board, identity, clock, vitals, channels):
        self.app = self.sampler = self.uplink = None
        self.board = board
        self.identity = identity
        self.clock = clock
        self.channels = channels
        self._vitals = vitals
        self._inbox = []
        self._arrived = asyncio.Event()

    def receive(self, payload, problem):
        """Take a command from a link: its bytes, or why they can't be had."""
        if problem is None and len(self._inbox) == _INBOX:
            problem = "busy; %d commands wait already" % _INBOX
        if problem is not None:
            self._respond(None, {"error": problem})
            return
        self._inbox.append(payload)
        self._arrived.set()

    async def run(self):
        while True:
            self._vitals.done("commands")
            await self._arrived.wait()
            self._arrived.clear()
            while self._inbox:
                self._vitals.within("commands", _EXECUTION_MS)
                await self._execute(self._inbox.pop(0))
            forget("actions")

    async def _execute(self, payload):
        from .actions import act

        number = None
        try:
            command = _parse(payload)
            number = _id(command)
            self._respond(number, await act(self, command))
        except CommandError as error:
            self._respond(number, {"error": str(error)})
        except Exception as error:  # a defect in a command is no reason to stop measuring
            self._respond(number, {"error": "failed: %r" % error})

    def _respond(self, number, answer):
        """`answer["values"]`, if there, is JSON already: floats would spoil the numbers."""
        answer["id"] = number
        answer["ok"] = "error" not in answer
        if not answer["ok"]:
            log("commands", "refused: " + answer["error"])
        values = answer.pop("values", None)
        payload = compact(answer)
        if values:
            payload = payload[:-1] + b',"values":' + values + b"}"
        self.uplink.post("responses", payload)


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
    return number
