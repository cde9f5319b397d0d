"""lib/mqtt as `petrel.bench.mqtt` measures it: does the JOB and prints what came of it."""

import asyncio
import gc
import os
import time

JOB = os.getenv("JOB")
COUNT = int(os.getenv("COUNT"))
WINDOW = int(os.getenv("WINDOW"))
PROTOCOL = os.getenv("PROTOCOL")
TOPIC = b"bench/petrel"
PAYLOAD = b"x" * 64


def client(**options):
    from mqtt.client import Client

    port = int(os.getenv("PORT"))
    options["protocol"] = PROTOCOL
    return Client("127.0.0.1", port, "bench-petrel", **options)


async def publish(made, count):
    for _ in range(count):
        await made.publish(TOPIC, PAYLOAD, 1)


async def rate():
    """Messages a second at QoS 1, WINDOW of them under way at once."""
    async with client(window=WINDOW) as made:
        await publish(made, WINDOW)
        start = time.ticks_us()
        await asyncio.gather(*[publish(made, COUNT // WINDOW) for _ in range(WINDOW)])
        print(COUNT // WINDOW * WINDOW * 1000000 // time.ticks_diff(time.ticks_us(), start))


async def cpu():
    """Nanoseconds of CPU time a publish at QoS 0, until all have left."""
    async with client() as made:
        await made.publish(TOPIC, PAYLOAD)
        start = time.clock()
        for _ in range(COUNT):
            await made.publish(TOPIC, PAYLOAD)
        while len(made.engine.next_out()):
            await asyncio.sleep_ms(0)
        print(int((time.clock() - start) * 1e9) // COUNT)


async def heap():
    """Bytes after the import, with a connection, and once WINDOW publishes were under way and the
    tasks that made them are gone. mqtt_as has a buffer of 50 bytes.
    """
    before = used()
    import mqtt.client  # noqa: F401

    print(used() - before)
    made = client(reconnect=None, window=WINDOW)
    await made.connect()
    await publish(made, 1)
    print(used() - before)
    await fill(made)
    await asyncio.sleep_ms(100)
    print(used() - before)
    await made.disconnect()


async def fill(made):
    await asyncio.gather(*[publish(made, 1) for _ in range(WINDOW)])


async def flat():
    """Bytes of heap in use, ten times during COUNT messages."""
    async with client(window=WINDOW) as made:
        for _ in range(10):
            await asyncio.gather(*[publish(made, COUNT // WINDOW // 10) for _ in range(WINDOW)])
            print(used())


async def outages():
    """Print a line for the first acknowledgement of each connection, until killed."""
    async with client(reconnect=(10, 10)) as made:
        connections = 0
        while True:
            await publish(made, 1)
            if made.connections > connections:
                connections = made.connections
                print("acknowledged")
            await asyncio.sleep_ms(1)


def used():
    gc.collect()
    return gc.mem_alloc()


def prepare():
    """What is not to be counted: asyncio, and the table of names."""
    for part in ("Event", "Lock", "wait_for_ms", "gather"):
        getattr(asyncio, part)

    class Dummy:
        pass

    for i in range(int(os.getenv("SPARE_NAMES"))):
        setattr(Dummy, "spare_name_%d" % i, 0)


prepare()
asyncio.run({"rate": rate, "cpu": cpu, "heap": heap, "flat": flat, "outages": outages}[JOB]())
