"""Runs on the device: our client over DTLS."""

import asyncio
from binascii import unhexlify

import tls

import udp
from coap.client import Client, RequestError
from coap.dtls import Session
from coap.dtls_contexts import client_context
from coap.endpoint import Endpoint
from coap.params import Params

from . import server


def _context(options):
    if "psk" in options:
        return client_context(psk=(options["psk"][0].encode(), unhexlify(options["psk"][1])))
    files = []
    for name in ("ca", "cert", "key"):
        if name in options:
            with open(options[name], "rb") as file:
                files.append(file.read())
    return client_context(*files)


def _session(port, options):
    peer = udp.resolve("127.0.0.1", port)
    silent_ms = options.get("silent_ms", 20_000)
    return Session(_context(options), peer, options.get("name"), silent_ms)


def has_psk():
    return hasattr(tls.SSLContext(tls.PROTOCOL_DTLS_CLIENT), "psk_key")


def ask(port, options, paths, timeout_ms=15_000, pause_ms=0):
    """Get each path; returns the payloads or what failed, and what the session says of it."""
    return asyncio.run(_ask(port, options, paths, timeout_ms, pause_ms))


async def _ask(port, options, paths, timeout_ms, pause_ms):
    session = _session(port, options)
    peer = session.peer
    endpoint = Endpoint(session, Params(options.get("ack_ms", 500)))
    serving = asyncio.create_task(endpoint.run())
    client = Client(endpoint)
    told = []
    for path in paths:
        try:
            response = await client.get((peer, path.split("/")), timeout_ms=timeout_ms)
            told.append(response.payload.decode())
        except RequestError as error:
            told.append({"failed": str(error), "session": str(session.failure)})
        await asyncio.sleep_ms(pause_ms)
    serving.cancel()
    session.close()
    return told


def ask_at_once(port, options, count, path):
    """`count` clients, each with a session of its own, get the path; returns what each is told."""
    return asyncio.run(_ask_at_once(port, options, count, path))


async def _ask_at_once(port, options, count, path):
    asked = [_ask(port, options, [path], 30_000, 0) for _ in range(count)]
    return [told[0] for told in await asyncio.gather(*asked)]


class _Kept:
    session = endpoint = None


def begin(port, options, path):
    """Get the path and keep the session for `go_on`."""
    _Kept.session = _session(port, options)
    _Kept.endpoint = Endpoint(_Kept.session, Params(options["ack_ms"]))
    return go_on(path)[0]


def go_on(path):
    """Get the path; returns what is told, and how often the session was begun anew."""
    return asyncio.run(_go_on(path))


async def _go_on(path):
    serving = asyncio.create_task(_Kept.endpoint.run())
    try:
        response = await Client(_Kept.endpoint).get((_Kept.session.peer, [path]))
        return response.payload.decode(), _Kept.session.restarts
    finally:
        serving.cancel()


server.serve(globals())
