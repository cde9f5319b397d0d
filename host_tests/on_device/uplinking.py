"""Runs on the device: the uplink over a link that does as it is told, in virtual time."""

import asyncio
import json

from backoff import Backoff
from firmware import uplink
from firmware.links import LinkError
from firmware.outbox import Outbox
from firmware.payloads.json import Encoder
from firmware.sensors import Channel
from rate import RateLimit
from ring import RingQueue

from . import server, virtual_time
from .virtual_time import Clock, Vitals, time


class Link:
    """Connection i does what told[i] says, the last one for ever; see test_uplink.connection()."""

    owed = ()

    def __init__(self, told, window):
        self.told = told
        self.window = window
        self.opens = []  # when it was asked to
        self.online = False
        self.sent = []  # [kind, payload, began, ended], what the peer took responsibility for
        self.under_way = self.most_under_way = 0
        self.closed = None  # [why, when]

    async def open(self):
        self.now = self.told[min(len(self.opens), len(self.told) - 1)]
        self.opens.append(time.now())
        await asyncio.sleep_ms(self.now["open_ms"])
        if self.now["refused"]:
            stage, retry = self.now["refused"]
            raise LinkError(stage, "as told", retry)
        self.online = True
        self.left = self.now["sends"]

    async def send(self, message):
        if message.kind in self.now["refuses"]:
            raise ValueError("as told")
        began = time.now()
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            payload = bytes(message.payload)
            await asyncio.sleep_ms(self.now["send_ms"])
            if self.left == 0:
                raise LinkError("ack", "as told")
            self.left -= 1
            if payload != bytes(message.payload):
                raise RuntimeError("the message changed while it was under way")
        finally:
            self.under_way -= 1
        self.sent.append([message.kind, payload.decode(), began, time.now()])

    async def run(self):
        try:
            await asyncio.sleep_ms(self.now["lives_ms"])
            if self.now["breaks"]:
                raise RuntimeError(self.now["breaks"])
            raise LinkError("lost", "as told")
        finally:
            self.online = False

    async def close(self, why):
        await asyncio.sleep_ms(self.now["close_ms"])
        self.closed = [why, time.now()]


class Scene:
    def __init__(self, told, window, batch, max_age_ms, per_s, first_ms, max_ms, queue_bytes):
        self.link = Link(told, window)
        clock = Clock()
        self.vitals = Vitals()
        encoder = Encoder([Channel("t", None, 0)], 1)
        self.outbox = Outbox(RingQueue(queue_bytes), encoder, 1, clock, 200, window)
        self.outbox.batch, self.outbox.max_age_ms = batch, max_age_ms
        self.births = []
        rate = RateLimit(per_s, clock.now())
        self.uplink = uplink.Uplink(
            "stub", self.link, self.outbox, clock, self.vitals,
            Backoff(first_ms, max_ms), rate, self.on_online, 10_000,
        )

    def on_online(self):
        self.births.append(time.now())

    async def put(self, at_ms, count):
        await asyncio.sleep_ms(at_ms)
        for _ in range(count):
            self.outbox.put(time.now(), [len(self.births)])

    async def post(self, at_ms, kind, payload):
        await asyncio.sleep_ms(at_ms)
        self.uplink.post(kind, payload.encode())

    async def stop(self, at_ms, drain_ms):
        await asyncio.sleep_ms(at_ms)
        await self.uplink.stop("told to", drain_ms)
        self.stopped_ms = time.now()

    async def main(self, events, until_ms):
        self.ran_ms = self.stopped_ms = None
        tasks = [asyncio.create_task(getattr(self, e[0])(*e[1:])) for e in events]
        try:
            await asyncio.wait_for_ms(self.uplink.run(), until_ms)
            self.ran_ms = time.now()
        except asyncio.TimeoutError:
            pass
        await asyncio.sleep_ms(max(0, until_ms - time.now()))
        del tasks


def run(events, until_ms, told, window, batch, max_age_ms, per_s, first_ms, max_ms, queue_bytes):
    """Run the uplink for so long. `events`: ["put", at_ms, count], ["post", at_ms, kind, payload],
    ["stop", at_ms, drain_ms].
    """
    virtual_time.restart()
    scene = Scene(told, window, batch, max_age_ms, per_s, first_ms, max_ms, queue_bytes)
    raised = None
    try:
        asyncio.run(scene.main(events, until_ms))
    except RuntimeError as error:
        raised = str(error)
    link = scene.link
    return {
        "opens": link.opens,
        "births": scene.births,
        "sent": [m for m in link.sent if m[0] != "data"],
        "data": [[_numbers(m[1]), m[2], m[3]] for m in link.sent if m[0] == "data"],
        "most_under_way": link.most_under_way,
        "closed": link.closed,
        "queued": len(scene.outbox),
        "dropped": scene.outbox.dropped,
        "acked": scene.outbox.acked,
        "acks": scene.uplink.acks,
        "connects": scene.uplink.connects,
        "posts_dropped": scene.uplink.posts_dropped,
        "ran_ms": scene.ran_ms,
        "stopped_ms": scene.stopped_ms,
        "overdue": scene.vitals.ever_overdue(),
        "raised": raised,
    }


def _numbers(payload):
    content = json.loads(payload)
    return [reading["n"] for reading in (content if isinstance(content, list) else [content])]


server.serve(globals())
