"""Runs on the device: our client, doing as it is told."""

import asyncio
from binascii import hexlify, unhexlify

import udp
from coap.client import Client, RequestError
from coap.endpoint import Endpoint
from coap.message import Message
from coap.params import Params

from . import server

_PATIENCE_MS = 500
_LIMIT_S = 15


def ask(port, ack_timeout_ms, requests):
    """Make requests one after the other, each {"code", "path", "query", "payload", "options",
    "type"}; returns {"code", "options", "payload"} of each, or {"failed"}.
    """

    async def steps(client, peer):
        answers = []
        for request in requests:
            answers.append(await _ask(client, peer, **request))
        return answers

    return asyncio.run(_with_client(port, ack_timeout_ms, steps))


async def _with_client(port, ack_timeout_ms, do):
    params = Params(ack_timeout_ms, max_retransmit=9)
    transport = udp.Socket()
    endpoint = Endpoint(transport, params)
    running = asyncio.create_task(endpoint.run())
    try:
        return await do(Client(endpoint, 20_000), udp.resolve("127.0.0.1", port))
    finally:
        running.cancel()
        try:
            await running
        except asyncio.CancelledError:
            pass
        transport.close()


async def _ask(client, peer, code, path, query=(), payload="", options=(), type=0):
    more = [(number, unhexlify(value)) for number, value in options]
    more += [(15, part) for part in query]
    try:
        response = await client.request(
            code, (peer, path), unhexlify(payload), options=more, type=type,
            timeout_ms=1000 if type else None,
        )
    except RequestError as error:
        return {"failed": str(error)}
    return _told(response)


def _told(response):
    return {
        "code": response.code,
        "options": [[number, hexlify(value).decode()] for number, value in response.options],
        "payload": hexlify(response.payload).decode(),
    }


def watch(port, ack_timeout_ms, path, steps, options=(), type=0):
    """Observe; after each notification take the next step, a request or "close". Returns what was
    heard, until the iteration ended or there was no step left.

    What is not confirmable may be lost: if there is no notification soon, it registers, or takes
    the step, once more.
    """

    more = [(number, unhexlify(value)) for number, value in options]
    patience_ms = _PATIENCE_MS if type else _LIMIT_S * 1000

    async def do(client, peer):
        heard = []

        def register():
            return client.observe((peer, path), options=more, type=type)

        try:
            await _watch(client, peer, register, steps, heard, patience_ms)
        except StopAsyncIteration:
            pass
        except RequestError as error:
            heard.append({"failed": str(error)})
        return heard

    return asyncio.run(asyncio.wait_for(_with_client(port, ack_timeout_ms, do), _LIMIT_S))


async def _watch(client, peer, register, steps, heard, patience_ms):
    observation, repeated = register(), {}
    while True:
        try:
            response = await asyncio.wait_for_ms(observation.__anext__(), patience_ms)
        except asyncio.TimeoutError:
            if heard:
                await _ask(client, peer, **repeated)
            else:
                observation = register()
            continue
        heard.append(_told(response))
        if not steps:
            return
        step = steps.pop(0)
        if step == "get":
            heard.append(_told(await client.get((peer, observation._request.all(11)))))
            step = steps.pop(0)
        if step == "forget":
            return await _forget(client, peer, observation, steps)
        if step == "close":
            await observation.close()
        elif step:
            repeated = step
            await _ask(client, peer, **step)


async def _forget(client, peer, observation, steps):
    observation._forget()
    for one in steps:
        await _ask(client, peer, **one)
        await asyncio.sleep_ms(client.endpoint.engine.params.ack_timeout_ms)


def ping(port, ack_timeout_ms):
    """Returns what became of it."""

    async def do(client, peer):
        engine = client.endpoint.engine
        exchange = engine.send(Message(), peer, client.endpoint.now())
        exchange.waiter = over = asyncio.Event()
        client.endpoint.flush()
        await over.wait()
        return exchange.event[0]

    return asyncio.run(_with_client(port, ack_timeout_ms, do))


def empty_token(port, ack_timeout_ms, path):
    """A GET whose token has no bytes."""

    async def do(client, peer):
        engine = client.endpoint.engine
        kept = engine.random
        engine.random = lambda bits: _None() if bits == 32 else kept(bits)
        message = Message(1)
        for segment in path:
            message.add(11, segment)
        return _told(await client.exchange(message, peer))

    return asyncio.run(_with_client(port, ack_timeout_ms, do))


class _None:
    def to_bytes(self, *_):
        return b""


server.serve(globals())
