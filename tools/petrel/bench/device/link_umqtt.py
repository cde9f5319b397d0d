"""Publishes the same messages through Petrel's link on umqtt.simple; prints messages a second."""

import asyncio
import os
import time

from firmware.clock import Clock
from firmware.identity import Identity
from firmware.links import Message
from firmware.links.umqtt import Link
from ticks import Uptime

OPTIONS = {
    "host": "127.0.0.1",
    "port": int(os.getenv("PORT")),
    "username": None,
    "password": None,
    "keepalive_s": 30,
    "timeout_s": 10,
    "qos": 1,
    "tls": None,
}


async def main(count):
    link = Link(OPTIONS, Identity("bench-link", 1), Clock(Uptime(), lambda: 0), print)
    await link.open()
    serving = asyncio.create_task(link.run())
    message = Message("data", b"x" * 64)
    await link.send(message)
    start = time.ticks_us()
    for _ in range(count):
        await link.send(message)
    print(count * 1000000 // time.ticks_diff(time.ticks_us(), start))
    await link.close("done")
    serving.cancel()


asyncio.run(main(int(os.getenv("COUNT"))))
