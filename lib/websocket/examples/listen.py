"""Prints the messages of a feed, and connects again when it is lost; gives up after `TRIES`.

    micropython listen.py ws://example.lan:8080/
"""

import asyncio
import sys

from websocket.messages import open_url

TRIES = 2


async def listen(url):
    socket = await asyncio.wait_for(open_url(url, ping_ms=10_000), 5)
    async with socket:
        await socket.send("hello")  # this feed gives back what it gets
        async for message in socket:
            print(message)
            await socket.send("bye")
            break
    print("closed:", socket.closed)


async def main(url):
    for _ in range(TRIES):
        try:
            await listen(url)
        except (OSError, asyncio.TimeoutError) as error:
            print("no connection:", error)
        await asyncio.sleep_ms(100)


asyncio.run(main(sys.argv[1]))
