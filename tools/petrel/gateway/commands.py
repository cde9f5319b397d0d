"""The way back: a command to a device, over whatever link it is on, and its response.

    ask -> is it there? -> send(device, command) -> wait -> answered(device, response)
             | no                                     | too long
             '-> Unreachable                          '-> Unreachable

The id that travels is ours, so that two who ask at one time with the same id get their own answer.
"""

import asyncio
import itertools
import json
import random

MOST_PENDING = 1000
DEFAULT_S, MOST_S = 10, 300


class Unreachable(Exception):
    """No response is to be had; status: of HTTP, that fits the reason."""

    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


class Commands:
    """send(device, text): puts a command on its way; raises Unreachable or ConnectionError.
    status(device): what the device said last of itself, None if it was never heard.
    """

    def __init__(self, send, status):
        self._send, self._status = send, status
        self._pending = {}  # (device, id) -> Future
        self._ids = itertools.count(1)
        self._prefix = f"g{random.SystemRandom().getrandbits(32):08x}"  # of this life

    async def ask(self, device, command, wait_s=DEFAULT_S):
        """The device's response to a command, a dictionary with "cmd"; raises Unreachable."""
        refuse_absent(device, self._status(device))
        if len(self._pending) >= MOST_PENDING:
            raise Unreachable(503, f"{MOST_PENDING} commands wait for their responses")
        number = f"{self._prefix}-{next(self._ids)}"
        future = self._pending[device, number] = asyncio.get_running_loop().create_future()
        try:
            self._send(device, json.dumps({**command, "id": number}))
            async with asyncio.timeout(wait_s):
                response = await future
        except ConnectionError as error:
            raise Unreachable(503, str(error)) from error
        except TimeoutError as error:
            raise Unreachable(504, f"{device} gave no response within {wait_s:g} s; whether it "
                              "has executed the command is not known") from error
        finally:
            del self._pending[device, number]
        own = {"id": command["id"]} if "id" in command else {}
        return {**{key: value for key, value in response.items() if key != "id"}, **own}

    def answered(self, device, response):
        """A response of a device, a dictionary."""
        number = response.get("id")
        future = self._pending.get((device, number)) if isinstance(number, str) else None
        if future and not future.done():
            future.set_result(response)


def refuse_absent(device, status):
    """Raises Unreachable for a device that says, or of which the broker says, that it is away."""
    if status is None:
        raise Unreachable(404, f"{device} is not known: neither its status nor a reading has come")
    state = status.get("status")
    if state == "sleeping":
        raise Unreachable(409, f"{device} sleeps; it said for {status.get('next_s', '?')} s")
    if state == "offline":
        reason = status.get("reason")
        raise Unreachable(409, f"{device} is offline{f': it {reason}' if reason else ''}")
