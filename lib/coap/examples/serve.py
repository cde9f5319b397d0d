"""Serves a lamp that can be read, switched and observed, until it is told to stop.

    micropython serve.py 5683
"""

import asyncio
import sys

import udp
from coap.endpoint import Endpoint
from coap.server import Server


class Lamp:
    rt = "light"
    observable = True
    state = b"off"

    def __init__(self, server):
        self.server = server

    async def get(self, request):
        return self.state, 0  # content format 0 is text

    async def put(self, request):
        self.state = request.payload
        self.server.changed(self)


async def main(port):
    endpoint = Endpoint(udp.Socket(port))
    server = Server(endpoint)
    server.add("lamp", Lamp(server))
    print("serving")
    await endpoint.run()


asyncio.run(main(int(sys.argv[1])))
