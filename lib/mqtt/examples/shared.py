"""Two workers share a subscription (MQTT 5.0, section 4.8.2): each message goes to one of them.

A worker that dies must come back under its own client id: what was assigned to it waits in its
session.

    micropython shared.py 127.0.0.1 1883
"""

import asyncio
import sys

from mqtt.client import Client

COUNT = 10
KEPT = {"session_expiry_interval": 3600}


async def work(name, host, port, ready, done):
    client = Client(host, port, "example-" + name, "5", clean=False, properties=KEPT)
    async with client:
        await client.subscribe("$share/workers/jobs/#", qos=1)
        ready.set()
        async for message in client.messages("$share/workers/jobs/#"):
            print(name, "does", message.payload.decode())
            done.append(message.payload)


async def main(host, port):
    done, workers = [], []
    for name in ("anna", "bert"):
        ready = asyncio.Event()
        workers.append(asyncio.create_task(work(name, host, port, ready, done)))
        await ready.wait()
    async with Client(host, port, "example-boss", "5") as client:
        for i in range(COUNT):
            await client.publish("jobs/new", "job %d" % i, qos=1)
        while len(done) < COUNT:
            await asyncio.sleep_ms(10)
    for worker in workers:
        worker.cancel()
    print("done:", len(set(done)), "of", COUNT)


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
