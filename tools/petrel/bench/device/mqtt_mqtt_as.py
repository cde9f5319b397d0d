"""mqtt_as as `petrel.bench.mqtt` measures it: does the JOB and prints what came of it.

The Unix port has no WiFi; a network that is always there stands in for it.
"""

import asyncio
import gc
import os
import sys
import time

JOB = os.getenv("JOB")
COUNT = int(os.getenv("COUNT"))
WINDOW = int(os.getenv("WINDOW"))
TOPIC = b"bench/mqtt_as"
PAYLOAD = b"x" * 64


class Network:
    STA_IF = 0

    def WLAN(self, interface):
        return self

    def isconnected(self):
        return True

    @staticmethod
    def unique_id():
        return b"bench"

    def active(self, *_):
        return True

    connect = disconnect = config = active


def used():
    gc.collect()
    return gc.mem_alloc()


def prepare():
    """What is not to be counted: asyncio, the stand-ins, and the table of names."""
    sys.modules["network"] = sys.modules["machine"] = Network()
    for part in ("Event", "Lock", "wait_for_ms", "gather"):
        getattr(asyncio, part)

    class Dummy:
        pass

    for i in range(int(os.getenv("SPARE_NAMES"))):
        setattr(Dummy, "spare_name_%d" % i, 0)


async def publish(client, count):
    for _ in range(count):
        await client.publish(TOPIC, PAYLOAD, qos=1)


async def outages(client):
    """Print a line for the first acknowledgement of each connection, until killed."""
    connections = 0
    while True:
        await publish(client, 1)
        if Client.connections > connections:
            connections = Client.connections
            print("acknowledged")


async def main():
    config["server"] = "127.0.0.1"
    config["port"] = int(os.getenv("PORT"))
    client = Client(config)
    await client.connect(quick=True)
    await publish(client, 1)
    if JOB == "heap":
        print(imported)
        print(used() - before)
    elif JOB == "rate":
        start = time.ticks_us()
        await asyncio.gather(*[publish(client, COUNT // WINDOW) for _ in range(WINDOW)])
        print(COUNT // WINDOW * WINDOW * 1000000 // time.ticks_diff(time.ticks_us(), start))
    elif JOB == "cpu":
        start = time.clock()
        for _ in range(COUNT):
            await client.publish(TOPIC, PAYLOAD)
        print(int((time.clock() - start) * 1e9) // COUNT)
    else:
        await outages(client)
    sys.exit()  # it has tasks that do not end


prepare()
before = used()
from mqtt_as import (  # noqa: E402  # pyright: ignore[reportMissingImports]
    MQTTClient,
    config,
)

imported = used() - before


class Client(MQTTClient):
    connections = 0

    async def _connect(self, clean):
        await super()._connect(clean)
        Client.connections += 1


asyncio.run(main())
