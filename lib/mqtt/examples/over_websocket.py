"""MQTT over WebSocket, for networks that let nothing else out. Needs the library websocket.

    micropython over_websocket.py 127.0.0.1 8080
"""

import asyncio
import sys

from mqtt.client import Client
from websocket.stream import transport


async def main(host, port):
    over = transport("/mqtt", "mqtt")
    async with Client(host, port, "example-websocket", transport=over) as client:
        await client.publish("example/reading", "21.5", qos=1)
        print("delivered")


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
