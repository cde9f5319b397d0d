"""Commands from the peer: `{"id":…,"cmd":…}` in, `{"id":…,"ok":true,…}` or
`{"id":…,"ok":false,"error":…}` out.

ping, info, read (take a reading now), reboot. Commands wait in a short inbox and are executed one
after the other.
"""

import asyncio
import json

from micropython import const

from .log import log

_INBOX = const(4)
_ID_CHARS = const(64)
_SLICE_MS = const(20_000)


class CommandError(Exception):
    """Why a command was not executed, said to whoever sent it."""


class Commands:
    """`actions` is {name: coroutine function of the command}, returning what the response adds to
    `ok`.
    """

    def __init__(self, actions, post, vitals):
        self._actions = actions
        self._post = post
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
            self._vitals.within("commands", _SLICE_MS)
            try:
                await asyncio.wait_for_ms(self._arrived.wait(), _SLICE_MS)
            except asyncio.TimeoutError:
                continue
            self._arrived.clear()
            while self._inbox:
                await self._execute(self._inbox.pop(0))

    async def _execute(self, payload):
        number = None
        try:
            command = _parse(payload)
            number = _id(command)
            action = self._actions.get(command.get("cmd"))
            if action is None:
                raise CommandError('"cmd" is none of ' + ", ".join(sorted(self._actions)))
            self._respond(number, await action(command) or {})
        except CommandError as error:
            self._respond(number, {"error": str(error)})

    def _respond(self, number, answer):
        answer["id"] = number
        answer["ok"] = "error" not in answer
        if not answer["ok"]:
            log("commands", "refused: " + answer["error"])
        self._post("responses", json.dumps(answer).encode())


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
        raise CommandError(
            '"id" is no whole number and no string of at most %d characters' % _ID_CHARS
        )
    return number
