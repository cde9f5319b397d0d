"""Gives one sink its messages, in order, at its own speed.

    spool behind the cursor -> batch -> sink.deliver -> cursor moves on

A sink is an object with `name`, `topics` (MQTT filters), `most` (messages a batch), `retry_max_s`
(the longest delay after a failure), `keyed`, and

    async open(spool_name) -> the last message it has itself, or None if it does not know
    async deliver(messages, key)       returns once the peer has them; raises Retry or Refused
    async close()

keyed: the peer knows a repeated batch by its key. The end of such a batch is on disk before it is
sent, so that it is repeated with the same messages under the same key, also after a power cut.
"""

import asyncio

from paho.mqtt.client import topic_matches_sub

from petrel.errors import one_line
from petrel.gateway.pace import Pace, Refused, Retry
from petrel.gateway.spool import Reader
from petrel.gateway.threads import in_thread

MOST_LOOKED_AT = 1000  # messages a read, of which a sink may want few
_SAY_EVERY = 10  # failures in a row


class Feed:
    """state: what a person is told. cursor: the last message done with. delivered, aside,
    attempts_failed: counters since the start.
    """

    def __init__(self, sink, spool, writer, say):
        self.sink, self._writer, self._say = sink, writer, say
        self._spool_name, self._path = spool.name, spool.path
        self.cursor, self._sending = spool.place(sink.name)
        self._all = "#" in sink.topics
        self.pace = Pace(sink.most, max_s=sink.retry_max_s)
        self.state = "starting"
        self.delivered = self.aside = self.attempts_failed = 0
        self._news = asyncio.Event()

    def wake(self):
        """There may be new messages, or dead letters to try again."""
        self._news.set()

    async def run(self):
        """For ever; cancel it to end."""
        self._reader = Reader(self._path)
        try:
            self.cursor = max(self.cursor, await self._until_taken(self._open))
            while True:
                self._news.clear()
                if not (await self._retry_dead() or await self._step()):
                    self.state = "up to date"
                    await self._news.wait()
        finally:
            self._reader.close()
            await self.sink.close()

    async def _open(self):
        return await self.sink.open(self._spool_name) or 0

    async def _step(self):
        """Deliver one batch; False if there is nothing to deliver."""
        batch, end = await self._next()
        if batch:
            if self.sink.keyed and end != self._sending:
                await self._do(lambda spool: spool.begin(self.sink.name, end))
            self._sending = 0
            if not await self._delivered(batch):
                return True  # in parts, from the same cursor
        elif end == self.cursor:
            return False
        self.cursor = end
        self._writer.advance(self.sink.name, end)
        return True

    async def _next(self):
        """(messages that the sink wants, id up to which they are all that it wants)."""
        last, most = self._sending or None, MOST_LOOKED_AT
        found = await in_thread(self._reader.after, self.cursor, most, last)
        wanted = [message for message in found if self._wants(message)]
        if len(wanted) > self.pace.size and not last:
            wanted = wanted[: self.pace.size]
            return wanted, wanted[-1].id
        return wanted, found[-1].id if found else last or self.cursor

    def _wants(self, message):
        return self._all or any(
            topic_matches_sub(topic, message.topic) for topic in self.sink.topics
        )

    async def _delivered(self, batch):
        """True if we are through with the batch: taken, or set aside."""
        try:
            key = self._key(batch)
            await self._until_taken(lambda: self.sink.deliver(batch, key))
        except Refused as why:
            reason = one_line(why)
            if self.pace.refused(len(batch)):
                return False
            self.aside += 1
            self._say(f"{self.sink.name} refuses a message on {batch[0].topic}: {reason}; it is "
                      "in the dead letters")
            await self._do(lambda spool: spool.set_aside(self.sink.name, reason, batch))
            return True
        self.pace.delivered()
        self.delivered += len(batch)
        return True

    async def _retry_dead(self):
        """Deliver one dead letter that is to be tried again; False if there is none."""
        letters = await in_thread(self._reader.dead, self.sink.name, 1, 1)
        for number, _, message in letters:
            reason = None
            try:
                key = self._key([message])
                await self._until_taken(lambda: self.sink.deliver([message], key))  # noqa: B023
                self.delivered += 1
            except Refused as why:
                reason = one_line(why)
            await self._do(lambda spool: spool.bury(number, reason))  # noqa: B023
        return bool(letters)

    def _key(self, batch):
        return f"{self._spool_name}-{batch[0].id}-{batch[-1].id}"

    async def _until_taken(self, attempt):
        """The answer of attempt(), which is repeated while it raises Retry."""
        while True:
            try:
                answer = await attempt()
            except Retry as why:
                self.attempts_failed += 1
                delay_s = self.pace.failed(why.after_s)
                self.state = f"waiting: {one_line(why)}"
                if self.pace.failures % _SAY_EVERY == 1:
                    self._say(f"{self.sink.name}: {one_line(why)}; next try in {delay_s:.1f} s")
                await asyncio.sleep(delay_s)
            else:
                self.state = "delivering"
                return answer

    async def _do(self, work):
        return await asyncio.wrap_future(self._writer.do(work))
