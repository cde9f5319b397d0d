"""Sends bytes through a WebSocket as through TCP: what MQTT over WebSocket does.

    micropython stream.py ws://127.0.0.1:8080/
"""

import asyncio
import sys

import tcp
from websocket.stream import connect


async def main(host, port):
    stream = await connect(host, port, tcp.Resolver(), path="/", protocol="mqtt")
    await stream.write(b"hello")
    buffer = bytearray(64)
    n = await stream.read_into(buffer)
    print(bytes(buffer[:n]))
    stream.close()


host, port = sys.argv[1].split("/")[2].split(":")
asyncio.run(main(host, int(port)))
