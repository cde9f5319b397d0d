"""Runs on the device: our client over DTLS."""

import asyncio
from binascii import unhexlify

import tls

import udp
from coap.client import Client, RequestError
from coap.dtls import Session
from coap.endpoint import Endpoint
from coap.params import Params

from . import server


def _context(options):
    context = tls.SSLContext(tls.PROTOCOL_DTLS_CLIENT)
    if "psk" in options:
        context.verify_mode = tls.CERT_NONE
        context.psk_identity, context.psk_key = options["psk"][0].encode(), unhexlify(
            options["psk"][1]
        )
    else:
        context.verify_mode = tls.CERT_REQUIRED
        with open(options["ca"], "rb") as file:
            context.load_verify_locations(file.read())
    return context


def has_psk():
    return hasattr(tls.SSLContext(tls.PROTOCOL_DTLS_CLIENT), "psk_key")


def ask(port, options, paths, timeout_ms=15_000, pause_ms=0):
    """Get each path; returns the payloads or what failed, and what the session says of it."""
    return asyncio.run(_ask(port, options, paths, timeout_ms, pause_ms))


async def _ask(port, options, paths, timeout_ms, pause_ms):
    peer = udp.resolve("127.0.0.1", port)
    session = Session(_context(options), peer, options.get("name"))
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


server.serve(globals())
