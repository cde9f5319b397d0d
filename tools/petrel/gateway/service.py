"""The composition root: sources, spool and sinks of a config, put together, started and ended.

    MQTT -----.                                        .--> database
    HTTP -----+--> writer --> spool --(a Feed each)----+--> webhook
    WebSocket-+      '--> what was committed just now --> viewers, commands that wait
    CoAP -----'
"""

import asyncio
import signal
import sys

from petrel.errors import Failure, complain
from petrel.gateway.api import Api
from petrel.gateway.commands import Commands, Unreachable
from petrel.gateway.feed import Feed
from petrel.gateway.intake import parsed
from petrel.gateway.metrics import Metrics
from petrel.gateway.page import Page
from petrel.gateway.sinks.database import Database
from petrel.gateway.sinks.hub import Hub
from petrel.gateway.sinks.republish import Republish
from petrel.gateway.sinks.webhook import Webhook
from petrel.gateway.sources.coap import CoapSource
from petrel.gateway.sources.http import DISK_S, HttpSource
from petrel.gateway.sources.mqtt import MqttSource
from petrel.gateway.spool import Spool
from petrel.gateway.web import Web
from petrel.gateway.writer import Writer

PROGRAM = "petrel gateway"
# SQLite lets go of the interpreter at every row, and a busy thread gives it back only after this.
_SWITCH_S = 0.0005
_ENDING_S = 5  # what sinks have under way may take so long to end


def say(text):
    complain(PROGRAM, text)


class Service:
    """Everything that runs. newest: number of the newest message."""

    def __init__(self, config):
        self.config = config
        self.spool = Spool(config.data_folder, config.spool.limit_mb << 20)
        self.writer = Writer(self.spool, self._committed, say)
        self.sinks = [*self._sinks()]
        self.spool.register([sink.name for sink in self.sinks])
        self.feeds = [Feed(sink, self.spool, self.writer, say) for sink in self.sinks]
        self.mqtt = self._mqtt() if config.mqtt.url else None
        self.newest = self.spool.last
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.hub = Hub()
        self.http = HttpSource(self.take, self.hub, config.http.body_kb << 10)
        self.coap = CoapSource(config.coap, self.take, say)
        self.commands = Commands(self._send, self._status)
        self.page = Page(self) if config.page.on and config.http.listen else None
        parts = [self.http, Api(self, Metrics(self)), self.page]
        self.web = Web(config.http, [part for part in parts if part])

    def _sinks(self):
        if self.config.database.path:
            yield Database(self.config.database, self.config.data_folder)
        yield from map(Webhook, self.config.webhook)
        # Imported only where the config names one: the start is to be quick without.
        if self.config.amqp:
            from petrel.gateway.sinks.amqp import Amqp
            for settings in self.config.amqp:
                yield Amqp(settings, self.spool.intake.units)
        if self.config.postgresql:
            from petrel.gateway.sinks.postgresql import Postgresql
            yield from map(Postgresql, self.config.postgresql)
        yield from map(Republish, self.config.republish)

    def _mqtt(self):
        client_id = self.config.mqtt.client_id or self.spool.about(
            "client_id", lambda: f"petrel-gateway-{self.spool.name}"
        )
        return MqttSource(self.config.mqtt, client_id, self.writer.put, say)

    async def take(self, arrival):
        """Spool an arrival; returns when it is on disk, raises TimeoutError if it is not soon."""
        stored = self._loop.create_future()
        self.writer.put(arrival, lambda: self._loop.call_soon_threadsafe(_resolve, stored))
        async with asyncio.timeout(DISK_S):
            await stored

    def _send(self, device, text):
        if self.http.send(device, text) or self.coap.send(device, text):
            return
        if self.mqtt is None:
            raise Unreachable(409, f"{device} is not connected")
        self.mqtt.publish(f"devices/{device}/commands", text)

    def _status(self, device):
        if device in self.http.sockets or device in self.coap.mailboxes:
            return {}
        return self.spool.intake.status(device)

    def behind(self, feed):
        """Messages that a sink does not have yet."""
        return max(0, self.newest - feed.cursor)

    def condition(self):
        """How sources, spool and sinks are, for the fleet page."""
        return {
            "mqtt": self.mqtt.state if self.mqtt else None, "spool": self.writer.problem,
            "sinks": [{"name": feed.sink.name, "state": feed.state,
                       "behind": self.behind(feed)} for feed in self.feeds],
        }

    async def run(self):
        """Until SIGTERM or Ctrl-C."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._ended.set)
        self.writer.start()
        tasks = [asyncio.create_task(feed.run(), name=feed.sink.name) for feed in self.feeds]
        if self.page:
            tasks.append(asyncio.create_task(self.page.run(), name="page"))
        try:
            if self.config.http.listen:
                await self.web.start()
                say(f"listens on {self.config.http.address[0]}:{self.web.port}")
            if self.config.coap.listen:
                await self.coap.start()
            if self.mqtt:
                self.mqtt.start()
            await self._until_ended(tasks)
        finally:
            await self.http.close()
            if self.page:
                await self.page.close()
            await self.coap.stop()
            await self.web.stop()
            if self.mqtt:
                await asyncio.to_thread(self.mqtt.stop)
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=_ENDING_S)
            await asyncio.to_thread(self.writer.stop)
            self.spool.close()

    async def _until_ended(self, tasks):
        ended = asyncio.create_task(self._ended.wait())
        done, _ = await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        for task in done - {ended}:
            task.result()  # a feed never ends but by a defect
        if self.writer.failure:
            raise self.writer.failure

    def _committed(self, messages):
        """In the writer's thread, after every commit."""
        self._loop.call_soon_threadsafe(self._live, messages)

    def _live(self, messages):
        if self.writer.failure:
            self._ended.set()
        if messages:
            self.newest = messages[-1].id
        self.hub.broadcast(messages)
        if self.page:
            self.page.take(messages)
        for message in messages:
            if message.kind == "responses":
                self.coap.answered(message.device)
                self.commands.answered(message.device, parsed(message.data))
        self.wake()

    def wake(self):
        """Have every feed look for what is to be done."""
        for feed in self.feeds:
            feed.wake()


def _resolve(future):
    if not future.done():
        future.set_result(None)


def run_gateway(config):
    """Run the gateway of a config.Config until it is ended; returns the exit status."""
    sys.setswitchinterval(_SWITCH_S)
    try:
        asyncio.run(_run(config))
    except OSError as error:
        raise Failure(str(error)) from error
    return 0


async def _run(config):
    service = Service(config)
    say(f"runs; spool and database are in {config.data_folder}")
    await service.run()
