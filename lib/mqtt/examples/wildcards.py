"""Subscribes with wildcards: + stands for one level of a topic, # for all that follow.

    micropython wildcards.py 127.0.0.1 1883
"""

import asyncio
import sys

from mqtt.client import Client


async def show(client, topic_filter, count):
    async for message in client.messages(topic_filter):
        print(topic_filter, "<-", message.topic, message.payload.decode())
        count -= 1
        if count == 0:
            break


async def main(host, port):
    async with Client(host, port, "example-wildcards") as client:
        await client.subscribe("house/+/temperature", qos=1)
        await client.subscribe("house/kitchen/#", qos=1)
        # A broker may send a message that matches two filters once or twice; here each gets it.
        temperatures = asyncio.create_task(show(client, "house/+/temperature", 2))
        kitchen = asyncio.create_task(show(client, "house/kitchen/#", 2))
        await client.publish("house/kitchen/temperature", "21.5", qos=1)
        await client.publish("house/cellar/temperature", "11.0", qos=1)
        await client.publish("house/kitchen/oven/door", "open", qos=1)
        await asyncio.gather(temperatures, kitchen)


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
