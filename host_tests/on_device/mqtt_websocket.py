"""Runs on the device: MQTT over WebSocket, lib/mqtt on lib/websocket."""

import asyncio
from binascii import hexlify

from mqtt.client import Client
from websocket.stream import transport

from . import held, server
from .contexts import verifying


def client(port, protocol, ca=None, path="/mqtt", **options):
    made = Client(
        "127.0.0.1", port, "over-websocket", protocol, verifying(ca), transport(path, "mqtt"),
        timeout_s=options.pop("timeout_s", 5), **options
    )
    held.watch(made)
    return made


def longest_hold_us():
    return held.longest_us()


def exchange(port, protocol, ca=None, sizes=()):
    """Publish payloads of such sizes at QoS 0, 1 and 2, and take them back as a subscriber;
    returns [topic, QoS, payload] of each.
    """

    async def main():
        got = []
        large = {"out_bytes": 9000, "in_bytes": 9000}
        async with client(port, protocol, ca, reconnect=None, **large) as made:
            await made.subscribe("ws/#", 2)
            messages = made.messages("ws/#", 100)
            for i in range(len(sizes)):
                await made.publish("ws/%d" % i, bytes(range(i, i + 10)) * sizes[i], i % 3)
            async for message in messages:
                got.append([message.topic, message.qos, hexlify(message.payload).decode()])
                if len(got) == len(sizes):
                    break
        return got

    return asyncio.run(asyncio.wait_for(main(), 15))


def deliver(port, protocol, count):
    """Publish so many at QoS 1 and 2 over however many connections it takes; returns how many
    there were.
    """

    async def main():
        async with client(port, protocol, reconnect=(10, 50), clean=False) as made:
            for i in range(count):
                await made.publish("ws/%d" % i, b"%d" % i, 1 + i % 2)
            return made.connections

    return asyncio.run(asyncio.wait_for(main(), 30))


def failure(port, protocol, ca=None, path="/mqtt", timeout_s=5):
    """What is raised: its name, its stage if it has one, its words."""

    async def main():
        made = client(port, protocol, ca, path, timeout_s=timeout_s)
        await made.connect()

    try:
        asyncio.run(main())
    except Exception as error:
        return [type(error).__name__, getattr(error, "stage", None), str(error)]
    return None


server.serve(globals())
