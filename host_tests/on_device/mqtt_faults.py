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


def slow(port, protocol, count, options):
    """Subscribe with `qos`, wait `first_ms`, take `count` messages, `each_ms` apart, and publish
    something of QoS 1 after each if `answers`, wait for that to come back if `echoes`. Returns the
    payloads, the drops, the connections.
    """

    async def main():
        got = []
        client = Client("127.0.0.1", port, "slow", protocol, keepalive_s=options["keepalive_s"])
        async with client:
            await client.subscribe("s/+", options["qos"])
            if options["echoes"]:
                await client.subscribe("echo", 1)
            await client.publish("ready", "", 1)
            await asyncio.sleep_ms(options["first_ms"])
            async for message in client.messages("s/+"):
                got.append(int(message.payload))
                if len(got) == count:
                    break
                if options["answers"]:
                    await client.publish("answers", message.payload, 1)
                if options["echoes"]:  # comes behind all that is under way
                    await client.publish("echo", message.payload, 1)
                    echo = await client.messages("echo").__anext__()
                    assert echo.payload == message.payload
                await asyncio.sleep_ms(options["each_ms"])
            return got, client.dropped, client.connections

    return asyncio.run(asyncio.wait_for(main(), 20))


server.serve(globals())
