"""Publishes at every QoS, and says what each promises.

    micropython publish.py 127.0.0.1 1883
"""

import asyncio
import sys

from mqtt.client import Client


async def main(host, port):
    async with Client(host, port, "example-publish") as client:
        await client.publish("example/noise", "perhaps")  # gone with the connection, if that goes
        await client.publish("example/reading", "21.5", qos=1)  # arrived, perhaps more than once
        await client.publish("example/dose", "1 ml", qos=2)  # arrived once
        print("delivered")


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
