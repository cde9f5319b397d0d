"""Subscriptions of a client, and the messages that wait to be taken. Imported with the first."""

import asyncio

from . import filters, packet
from .client import Lost
from .errors import Refused
from .packet import const

_SIZE = 8  # messages that an inbox keeps
# Messages of QoS 1 and 2 that found no room: with so many the client reads on only if somebody
# waits for an answer or a message, so that the broker has to wait; beyond the most it drops.
_PAUSE = const(8)
_MOST = const(64)

# Options of a subscription beside its QoS, MQTT 5.0 (section 3.8.3.1); add them up.
NO_LOCAL = 4  # not what this client publishes itself
RETAIN_AS_PUBLISHED = 8
RETAINED_IF_NEW = 16  # retained messages only for a subscription that did not exist
RETAINED_NEVER = 32


class Message:
    """An inbound publish: `topic` is text, `payload` bytes; `properties` a dict (5.0) or None."""

    def __init__(self, engine):
        self.topic = engine.topic.decode()
        self.payload = bytes(engine.payload)
        self.qos = engine.qos
        self.retain = engine.retain
        self.dup = engine.dup
        self.properties = engine.properties
        self.packet_id = engine.packet_id  # 0: there is nothing to acknowledge (any more)


class Inbox:
    """The messages that match a filter, as an asynchronous iterator."""

    def __init__(self, client, topic_filter, size):
        self._client = client
        self.filter = topic_filter
        self.size = size
        self.messages = []
        self.came = asyncio.Event()

    def __aiter__(self):
        return self

    async def __anext__(self):
        inboxes = self._client.inboxes
        while not self.messages:
            self.came.clear()
            inboxes.idle += 1
            inboxes.judge()  # what it waits for may stand behind what is for another
            try:
                await self.came.wait()
            finally:
                inboxes.idle -= 1
        message = self.messages.pop(0)
        if message.packet_id:
            self._client.engine.accept(message.packet_id)
            self._client.work.set()
            message.packet_id = 0
        inboxes.place()
        return message


class Inboxes:
    """Memory: what the messages take: at most `size` an inbox, and of QoS 1 and 2 eight more, 64
    while somebody waits for an answer or a message.
    """

    def __init__(self, client):
        self._client = client
        self._boxes = []
        self._late = []  # messages of QoS 1 and 2 that found no room
        self.idle = 0  # readers that wait for a message
        self._wanted = {}  # filter -> (options, properties)

    def messages(self, topic_filter, size=None):
        topic_filter = packet.encoded(topic_filter)
        for box in self._boxes:
            if box.filter == topic_filter:
                box.size = size or box.size
                return box
        box = Inbox(self._client, topic_filter, size or _SIZE)
        self._boxes.append(box)
        return box

    async def subscribe(self, topic_filter, options, properties):
        self.messages(topic_filter)
        code = (await self._ask([topic_filter, options], properties))[0]
        if code >= 0x80:
            what = "the subscription to %s is" % topic_filter
            raise Refused(what, code, self._client.engine.properties)
        self._wanted[topic_filter] = (options, properties)
        return code

    async def unsubscribe(self, topic_filter):
        self._wanted.pop(topic_filter, None)
        encoded = packet.encoded(topic_filter)
        self._boxes = [box for box in self._boxes if box.filter != encoded]
        self.place()
        await self._ask([topic_filter], None)

    async def subscribe_again(self):
        """The broker has lost the session."""
        for topic_filter in list(self._wanted):
            options, properties = self._wanted[topic_filter]
            await self._ask([topic_filter, options], properties)

    async def _ask(self, topics, properties):
        client = self._client
        while True:
            while not client.tasks:
                await client.movement()
            packet_id = client.engine.subscribe(topics, properties)
            client.work.set()
            try:
                return await client.answer(packet_id)
            except Lost:
                if not client.again:
                    raise

    def take(self, engine):
        """Keep the publish that the engine has just reported for whoever it is for."""
        if not engine.skipped and self._boxes_for(engine.topic):
            message = Message(engine)
            if self._put(message):
                return
            if message.qos and len(self._late) < _MOST:
                self._late.append(message)
                self.judge()
                return
        self._client.dropped += 1
        engine.accept(engine.packet_id)  # all the same [MQTT-4.5.0-2]

    def place(self):
        """There is room now, or nobody any more, for messages that found none."""
        client = self._client
        for message in list(self._late):
            if not self._put(message):
                if self._boxes_for(message.topic.encode()):
                    continue
                client.engine.accept(message.packet_id)
                client.work.set()
            self._late.remove(message)
        self.judge()

    def judge(self):
        """Is it time to let the broker wait?"""
        self._client.full = len(self._late) >= _PAUSE and not self.idle
        self._client.moved.set()

    def _boxes_for(self, topic):
        return [box for box in self._boxes if filters.matches(box.filter, topic)]

    def _put(self, message):
        kept = False
        for box in self._boxes_for(message.topic.encode()):
            if len(box.messages) < box.size:
                box.messages.append(message)
                box.came.set()
                kept = True
        return kept

    def lost(self, session=False):
        """The connection is gone, or with it the session: what is not acknowledged comes again at
        QoS 1, and can't be acknowledged any more.
        """
        for messages in [box.messages for box in self._boxes] + [self._late]:
            for message in messages:
                if session or message.qos == 1:
                    message.packet_id = 0
