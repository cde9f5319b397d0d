"""Discovers what a server has, switches its lamp and reads it.

    micropython ask.py 127.0.0.1 5683
"""

import asyncio
import sys

import udp
from coap.client import Client, RequestError
from coap.endpoint import Endpoint


async def main(host, port):
    endpoint = Endpoint(udp.Socket())
    serving = asyncio.create_task(endpoint.run())
    client = Client(endpoint)
    base = "coap://%s:%s" % (host, port)
    try:
        found = await client.get(base + "/.well-known/core?rt=light")
        print("there is", found.payload.decode())
        changed = await client.put(base + "/lamp", b"on")
        print("switched: %d.%02d" % (changed.code >> 5, changed.code & 31))
        print("it is", (await client.get(base + "/lamp")).payload.decode())
    except RequestError as error:
        print("no answer:", error)
    serving.cancel()


asyncio.run(main(sys.argv[1], sys.argv[2]))
