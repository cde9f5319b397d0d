"""Messages to RabbitMQ, or another broker of AMQP 0-9-1: each whole, and each value by itself.

    exchange (durable, topic) --- sensors.temperature, sensors.roof ... ---> queue, if one is named
                              --- devices.shed.data, devices.shed.status ... ---> whoever binds

Messages are persistent, and a batch is delivered when the broker has confirmed all of it. One that
no queue wanted comes back: if it was for our own queue, that is gone and is made again; else it is
counted as `unrouted`. A batch that may have arrived is repeated, with the same ids (`message_id`):
`device/stream/number/channel` of a value, `spool-id` of a message.
"""

import asyncio
import contextlib
import logging
import typing

import aio_pika
import aiormq
from aiormq.exceptions import AMQPError, ChannelInvalidStateError
from pamqp.commands import Basic
from yarl import URL

from petrel.gateway.pace import Refused, Retry
from petrel.gateway.routing import MOST_KEY, Routes, is_bound
from petrel.listen import trust

_CLOSE_S = 2
_HEARTBEAT_S = 20
LOST = (AMQPError, ChannelInvalidStateError, OSError, EOFError)
"""What comes of a connection that is lost, or not to be had."""

for _name in ("aiormq", "aio_pika"):  # what they have to say, we say in a line
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
logging.getLogger("asyncio").addFilter(lambda record: "socket.send() raised" not in record.msg)


class Amqp:
    """settings: a config_sinks.Amqp. units: as of Routes. unrouted: messages nobody wanted."""

    keyed = False

    def __init__(self, settings, units):
        self.name, self.topics, self.most = settings.name, settings.topics, settings.batch
        self.retry_max_s = settings.retry_max_s
        self.unrouted = 0
        self._settings, self._routes = settings, Routes(settings.quantities, units)
        self._connection = self._channel = None
        self._tls = trust(settings.ca) if settings.secure else None

    async def open(self, spool_name):
        self._spool_name = spool_name

    async def close(self):
        await closed(self._connection)
        self._connection = None

    async def deliver(self, messages, key):
        parcels = [parcel for message in messages
                   for parcel in self._routes.parcels(message, self._spool_name)]
        long = next((text for *names, _ in parcels for text in names
                     if len(text.encode()) > MOST_KEY), None)
        if long:
            raise Refused(f"a routing key and an id have at most {MOST_KEY} bytes: {long[:40]}...")
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                if self._connection is None:
                    await self._connect()
                answers = await self._publish(parcels)
        except BaseException as error:
            await self.close()  # what is under way there must not arrive after the repetition
            if isinstance(error, TimeoutError):
                raise Retry(f"no confirmation within {self._settings.timeout_s} s") from error
            if isinstance(error, LOST):
                raise Retry(explained(error)) from error
            raise
        await self._judge(parcels, answers)

    async def _connect(self):
        self._connection = await connected(self._settings.url, self._tls)
        channel = await self._connection.channel(publisher_confirms=True)
        exchange = await channel.declare_exchange(
            self._settings.exchange, aio_pika.ExchangeType.TOPIC, durable=True
        )
        if self._settings.queue:
            kind = self._settings.queue_type
            queue = await channel.declare_queue(
                self._settings.queue, durable=True,
                arguments=None if kind == "classic" else {"x-queue-type": kind},
            )
            for pattern in self._settings.bindings:
                await queue.bind(exchange, pattern)
        # Its basic_publish has a `wait` that the abstract one lacks.
        self._channel = typing.cast(aiormq.Channel, await channel.get_underlay_channel())

    async def _publish(self, parcels):
        """The broker's answers; the channel's own lock keeps the order."""
        return await asyncio.gather(*(
            self._channel.basic_publish(
                text.encode(errors="replace"), exchange=self._settings.exchange, routing_key=key,
                mandatory=True, wait=False, properties=Basic.Properties(
                    delivery_mode=2, message_id=number, app_id="petrel",
                    content_type="application/json",
                ),
            ) for key, number, text in parcels
        ))

    async def _judge(self, parcels, answers):
        for (key, *_), answer in zip(parcels, answers, strict=True):
            if isinstance(answer, Basic.Ack):
                continue
            if self._settings.queue and any(is_bound(p, key) for p in self._settings.bindings):
                await self.close()
                raise Retry(f"the queue {self._settings.queue} is gone; it is made again")
            self.unrouted += 1


async def connected(url, tls=None):
    """A connection, for one who repeats what was lost with it."""
    address = URL(url).update_query(heartbeat=_HEARTBEAT_S)
    return await aio_pika.connect(address, ssl_context=tls,
                                  client_properties={"connection_name": "petrel gateway"})


async def closed(connection):
    """Close a connection, or give it up if that takes too long."""
    if connection is not None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                await connection.close()


def explained(error):
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
