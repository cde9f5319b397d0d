"""Runs on the device: lib/mqtt before a broker that breaks the standard."""

import asyncio

from mqtt.client import Client

from . import server


def until_lost(port, protocol):
    """Connect, and return why the connection was given up."""

    async def main():
        client = Client("127.0.0.1", port, "faults", protocol, reconnect=None, in_bytes=200)
        await client.connect()
        while client.tasks:
            await asyncio.sleep_ms(5)
        return str(client.error)

    return asyncio.run(asyncio.wait_for(main(), 10))


server.serve(globals())
