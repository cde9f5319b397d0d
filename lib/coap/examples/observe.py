"""Observes a server's lamp while switching it three times.

    micropython observe.py 127.0.0.1 5683
"""

import asyncio
import sys

import udp
from coap.client import Client
from coap.endpoint import Endpoint


async def main(host, port):
    endpoint = Endpoint(udp.Socket())
    serving = asyncio.create_task(endpoint.run())
    client = Client(endpoint)
    uri = "coap://%s:%s/lamp" % (host, port)
    states = [b"dim", b"bright", b"dark"]
    observation = client.observe(uri)
    async for response in observation:  # the state now, and then each new one
        print("it is", response.payload.decode())
        if states:
            await client.put(uri, states.pop(0))
        else:
            await observation.close()
    serving.cancel()


asyncio.run(main(sys.argv[1], sys.argv[2]))
