"""Messages to everybody who looks, over WebSocket, as soon as they are on disk.

    {"deviceId": "shed", "data": {"s": 7, "n": 1, "t": 25.5}, "timestamp": "2026-...",
     "topic": "devices/shed/data"}

A viewer gets what comes from now on, and the rest is in the database: what it is not fast enough
for is not kept. One that falls `MOST_BEHIND` messages or `MOST_BYTES` behind is disconnected, so
that it sees no gap without knowing.
"""

import asyncio
import json

from paho.mqtt.client import topic_matches_sub

from petrel.gateway.message import timestamp

MOST_BEHIND, MOST_BYTES = 1000, 1 << 21


class Viewer:
    """One WebSocket. topics: MQTT filters of what it wants to see. abort(): ends its connection
    without a word, which whoever does not read would not see.
    """

    def __init__(self, socket, topics, abort):
        self._socket, self._topics, self._abort = socket, topics, abort
        self._queue = asyncio.Queue()
        self._waiting = 0  # characters in the queue
        self.behind = False

    def offer(self, topic, text):
        if self.behind or not any(topic_matches_sub(own, topic) for own in self._topics):
            return
        if self._queue.qsize() >= MOST_BEHIND or self._waiting > MOST_BYTES:
            self.behind = True
            self._abort()
            return
        self._waiting += len(text)
        self._queue.put_nowait(text)

    async def run(self):
        """Send until its connection ends."""
        try:
            while not self.behind:
                text = await self._queue.get()
                self._waiting -= len(text)
                await self._socket.send_str(text)
        except ConnectionError:
            return


class Hub:
    """viewers: those who look now. too_slow: disconnected ones."""

    def __init__(self):
        self.viewers, self.too_slow = set(), 0

    def broadcast(self, messages):
        for message in messages if self.viewers else ():
            text = text_of(message)
            for viewer in self.viewers:
                viewer.offer(message.topic, text)

    async def serve(self, viewer):
        """Run a viewer, among the others."""
        self.viewers.add(viewer)
        try:
            await viewer.run()
        finally:
            self.viewers.discard(viewer)
            self.too_slow += viewer.behind


def text_of(message):
    """The JSON text of a message for viewers."""
    return (f'{{"deviceId":{json.dumps(message.device)},"data":{message.data},'
            f'"timestamp":"{timestamp(message.time_ms)}","topic":{json.dumps(message.topic)}}}')
