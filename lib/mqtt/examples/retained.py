"""Sets a retained message, reads it as somebody who comes later, and clears it.

    micropython retained.py 127.0.0.1 1883
"""

import asyncio
import sys

from mqtt.client import Client

TOPIC = "example/state"


async def look(host, port):
    """What is retained there, for a client that has just come; None if nothing is."""
    async with Client(host, port, "example-late") as client:
        await client.subscribe(TOPIC, qos=1)
        message = client.messages(TOPIC)
        try:
            return (await asyncio.wait_for_ms(message.__anext__(), 500)).payload.decode()
        except asyncio.TimeoutError:
            return None


async def main(host, port):
    async with Client(host, port, "example-retained") as client:
        await client.publish(TOPIC, "open", qos=1, retain=True)
        print("set:", await look(host, port))
        await client.publish(TOPIC, "", qos=1, retain=True)  # an empty payload clears it
        print("cleared:", await look(host, port))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
