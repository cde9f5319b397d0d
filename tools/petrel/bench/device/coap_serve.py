"""Serves one small resource until killed; says so."""

import asyncio
import os

import udp
from coap.endpoint import Endpoint
from coap.server import Server


class Small:
    async def get(self, request):
        return b"22.3 C", 0


async def main():
    endpoint = Endpoint(udp.Socket(int(os.getenv("PORT")), "127.0.0.1"))
    Server(endpoint).add("d", Small())
    print("ready")
    await endpoint.run()


asyncio.run(main())
