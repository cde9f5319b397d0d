"""Clients that the matrix is walked with: ours on MicroPython, and aiocoap's."""
# pyright: reportMissingImports=false
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

import asyncio

import aiocoap
from aiocoap.numbers.constants import TransportTuning

GET, POST, PUT, DELETE, FETCH, PATCH, IPATCH = range(1, 8)
PATIENCE_S = 0.5
TRIES = 12
"""Requests that are not confirmable may be lost: they are asked so often."""


class Answer:
    """`options`: {number: [values]}."""

    def __init__(self, code, options, payload):
        self.code, self.payload = code, payload
        self.options = {}
        for number, value in options:
            self.options.setdefault(number, []).append(value)

    def __repr__(self):
        return f"{self.code >> 5}.{self.code & 31:02} {self.options} {self.payload[:40]}"


class Ours:
    """Our client, in a Chip with the script coap_asking."""

    def __init__(self, chip, port, ack_ms):
        self._chip, self._port, self._ack_ms = chip, port, ack_ms

    def ask(self, code, path, payload=b"", options=(), query=(), confirmable=True):
        request = _request(code, path, payload, options, query, confirmable)
        told = {}
        for _ in range(1 if confirmable else TRIES):
            (told,) = self._chip.call("ask", self._port, self._ack_ms, [request], deadline_s=60)
            if "failed" not in told:
                return _answer(told)
        raise AssertionError(told["failed"])

    def watch(self, path, steps, options=(), confirmable=True):
        """Observe, taking a step (arguments of `ask`, None, "close", "get" or "forget") after each
        notification. "get" asks for the resource in between; behind "forget", which is to leave
        without a word, the steps left are taken at once. What is not confirmable may be lost: if
        there is no notification soon, it registers, or takes the step, once more.
        """
        steps = [_request(*step) if isinstance(step, tuple) else step for step in steps]
        told = self._chip.call(
            "watch", self._port, self._ack_ms, path.split("/"), steps, in_hex(options),
            0 if confirmable else 1, deadline_s=60,
        )
        return [_answer(one) for one in told]


def _request(code, path, payload=b"", options=(), query=(), confirmable=True):
    return {
        "code": code, "path": path.split("/"), "payload": payload.hex(),
        "options": in_hex(options), "query": list(query), "type": 0 if confirmable else 1,
    }


def in_hex(options):
    return [(number, value.hex()) for number, value in options]


def _answer(told):
    assert "failed" not in told, told
    options = [(number, bytes.fromhex(value)) for number, value in told["options"]]
    return Answer(told["code"], options, bytes.fromhex(told["payload"]))


class Theirs:
    """aiocoap's client."""

    def __init__(self, port, ack_ms):
        self._uri = f"coap://127.0.0.1:{port}/"
        TransportTuning.ACK_TIMEOUT = ack_ms / 1000
        TransportTuning.MAX_RETRANSMIT = 9

    def ask(self, code, path, payload=b"", options=(), query=(), confirmable=True):
        async def do():
            context = await aiocoap.Context.create_client_context()
            try:
                message = self._message(code, path, payload, options, query, confirmable)
                return _theirs(await context.request(message).response)
            finally:
                await context.shutdown()

        for _ in range(1 if confirmable else TRIES):
            try:
                return asyncio.run(asyncio.wait_for(do(), 30 if confirmable else 1))
            except TimeoutError:
                if confirmable:
                    raise
        raise AssertionError("no response")

    def watch(self, path, steps, options=(), confirmable=True):
        async def do():
            context = await aiocoap.Context.create_client_context()
            try:
                patience_s = None if confirmable else PATIENCE_S
                message = self._message(GET, path, b"", options, (), confirmable)
                message.opt.observe = 0
                return await self._watch(context, message, path, steps, patience_s)
            finally:
                await context.shutdown()

        return asyncio.run(asyncio.wait_for(do(), 30))

    async def _watch(self, context, message, path, steps, patience_s):
        request = context.request(message.copy())
        while not await _over(request.response, patience_s):
            request = context.request(message.copy())
        heard = [_theirs(await request.response)]
        notifications = request.observation.__aiter__()
        for step in steps:
            if step == "close":
                request.observation.cancel()
                break
            if step == "get":
                heard.append(_theirs(await context.request(self._message(GET, path)).response))
                continue
            try:
                heard.append(_theirs(await self._after(step, context, notifications, patience_s)))
            except (StopAsyncIteration, aiocoap.error.Error):
                break
        return heard

    async def _after(self, step, context, notifications, patience_s):
        """The notification that follows a step."""
        following = asyncio.ensure_future(notifications.__anext__())
        while not following.done():
            if step:
                await context.request(self._message(*step)).response
            await _over(following, patience_s)
        return await following

    def _message(self, code, path, payload=b"", options=(), query=(), confirmable=True):
        message = aiocoap.Message(
            code=aiocoap.Code(code), payload=payload, uri=self._uri + path,
            mtype=aiocoap.CON if confirmable else aiocoap.NON,
        )
        message.opt.uri_query = tuple(query)
        for number, value in options:
            message.opt.add_option(aiocoap.OptionNumber(number).create_option(decode=value))
        return message


async def _over(future, within_s):
    return bool((await asyncio.wait({future}, timeout=within_s))[0])


def _theirs(message):
    options = [(int(option.number), option.encode()) for option in message.opt.option_list()]
    return Answer(int(message.code), options, message.payload)
