"""Sends a message to a WebSocket and prints what comes back.

    micropython echo.py ws://example.lan:8080/
"""

import asyncio
import sys

from websocket.messages import open_url


async def main(url):
    async with await open_url(url) as socket:
        await socket.send("hello")
        print(await socket.receive())


asyncio.run(main(sys.argv[1]))
