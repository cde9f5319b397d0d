"""Posts to many peers at once, each post confirmable; prints JSON: {"delivered", "mean_us",
"retransmissions", "wall_us"}.
"""

import asyncio
import json
import os
import time

import udp
from coap.client import Client, RequestError
from coap.endpoint import Endpoint
from coap.params import Params

done = []


async def post(client, peer, first, count):
    for number in range(first, first + count):
        start = time.ticks_us()
        try:
            await client.post((peer, (b"d",)), b"%d" % number)
        except RequestError:
            continue
        done.append(time.ticks_diff(time.ticks_us(), start))


async def main(ports, count, ack_ms):
    endpoint = Endpoint(udp.Socket(), Params(ack_ms))
    serving = asyncio.create_task(endpoint.run())
    client = Client(endpoint)
    each = count // len(ports)
    tasks = []
    start = time.ticks_us()
    for i in range(len(ports)):
        peer = udp.resolve("127.0.0.1", ports[i])
        tasks.append(asyncio.create_task(post(client, peer, i * each, each)))
    for task in tasks:
        await task
    wall_us = time.ticks_diff(time.ticks_us(), start)
    serving.cancel()
    told = {
        "delivered": len(done),
        "mean_us": sum(done) // max(1, len(done)),
        "retransmissions": endpoint.engine.retransmissions,
        "wall_us": wall_us,
    }
    print(json.dumps(told))


ports = [int(port) for port in os.getenv("PORTS").split()]
asyncio.run(main(ports, int(os.getenv("COUNT")), int(os.getenv("ACK_MS"))))
