"""The link on lib/coap: readings by confirmable POST, as RFC 7252 has it.

    open():  resolve, PUT the birth to devices/{id}/status, observe devices/{id}/commands;
             one deadline over all of it
    run():   takes commands as they are notified; registers again when nothing was heard for long
    send():  POST to devices/{id}/data and .../responses, PUT to .../status, .../health and
             .../profile; block-wise if it is larger than a datagram; returns at a 2.xx

A notification is a command once; what the resource holds when we come to observe it is an old one
and is not run. A peer without commands for us is no failure. There is no will: that a device is
gone shows in its silence.
"""

import asyncio

from micropython import const

import tcp
import udp
from coap.client import Client, RequestError
from coap.endpoint import Endpoint
from coap.message import ProtocolError
from coap.params import Params

from ..log import log
from . import LinkError, Message

_POST = const(2)
_PUT = const(3)
_POSTED = ("data", "responses")
_JSON = const(50)
_FORMATS = {"frame": 65000, "profile": 65001, "cbor": 60, "senml-cbor": 112}
_TOO_MANY = (0x9D, 0xA3)  # 4.29 and 5.03: later it may be taken
_COMMAND_BYTES = const(512)


class Link:
    """`options` is the config's section `coap`, with the readings' `format` beside."""

    window = 1  # NSTART (RFC 7252, section 4.7)
    owed = ()

    def __init__(self, options, identity, clock, on_command, message_bytes=1024, resolver=None):
        self.options = options
        self._identity = identity
        self._clock = clock
        self.on_command = on_command
        self._timeout_ms = int(options["timeout_s"] * 1000)
        self._params = Params(int(options["ack_timeout_s"] * 1000))
        self.resolver = resolver or tcp.Resolver()
        self._topic = {}  # kind -> its path's segments
        self._transport = self._serving = self._client = self._peer = None
        self._commands = None  # the Observation
        self._last_command = None

    async def open(self):
        try:
            await asyncio.wait_for_ms(self._open(), self._timeout_ms)
        except asyncio.TimeoutError:
            self._drop()
            raise LinkError("ack", "no answer within %d ms" % self._timeout_ms)
        except BaseException:
            self._drop()
            raise

    async def send(self, message):
        code = _POST if message.kind in _POSTED else _PUT
        kind = self.options["format"] if message.kind == "data" else message.kind
        if self._client is None:
            raise LinkError("lost", "the link is closed")
        try:
            response = await self._client.request(
                code,
                (self._peer, self._path(message.kind)),
                message.payload,
                _FORMATS.get(kind, _JSON),
                timeout_ms=self._timeout_ms,
            )
        except (RequestError, ProtocolError) as error:
            raise LinkError("ack", str(error))
        if response.code >= 0x80:
            raise self._refused(message.kind, response)

    async def run(self):
        try:
            while True:
                response = await self._next_command()
                if response is None:  # the peer has no commands for us
                    await asyncio.Event().wait()
                self._take(response)
        except (RequestError, ProtocolError) as error:
            raise LinkError("lost", str(error))
        finally:
            self._drop()

    async def close(self, why):
        """Say goodbye within the time-out."""
        try:
            message = Message("status", self._identity.farewell(why))
            await asyncio.wait_for_ms(self.send(message), self._timeout_ms)
        except (LinkError, asyncio.TimeoutError):
            pass

    async def _open(self):
        options, identity = self.options, self._identity
        try:
            _, self._peer = self.resolver.resolve(options["host"], options["port"] or 5683)
        except tcp.ConnectError as error:
            raise LinkError(error.stage, error.text)
        rtt = None
        if options["adaptive"]:
            from coap.rtt import Estimates

            rtt = Estimates()
        self._transport = udp.Socket()
        endpoint = Endpoint(self._transport, self._params, rtt, self._clock.now)
        self._client = Client(endpoint)
        self._serving = asyncio.create_task(endpoint.run())
        await self.send(Message("status", identity.birth()))
        self._commands = self._client.observe((self._peer, self._path("commands")))
        try:
            response = await self._next_command()
        except RequestError as error:
            raise LinkError("ack", str(error))
        self._last_command = response and response.payload

    async def _next_command(self):
        """The next notification, or None if there is none any more."""
        if self._commands is None:
            return None
        async for response in self._commands:
            if response.code < 0x80:
                return response
            break
        log("coap", "the peer has no commands to observe at %s" % self._path("commands"))
        self._commands = None
        return None

    def _take(self, response):
        command = response.payload
        if not command or command == self._last_command:
            return  # registered again, or nothing yet
        self._last_command = command
        problem = None
        if len(command) > _COMMAND_BYTES:
            problem = "a command of %d bytes; at most %d are taken"
            problem = problem % (len(command), _COMMAND_BYTES)
        try:
            self.on_command(None if problem else command, problem)
        except Exception as error:  # whoever takes commands can't break the link
            log("coap", "a command was not taken: %r" % error)

    def _refused(self, kind, response):
        code = "%d.%02d" % (response.code >> 5, response.code & 31)
        retry = response.code in _TOO_MANY or response.code >= 0xA0
        return LinkError("ack", "the peer answers %s to our %s" % (code, kind), retry)

    def _path(self, kind):
        if kind not in self._topic:
            self._topic[kind] = self._identity.topic(kind).split(b"/")
        return self._topic[kind]

    def _drop(self):
        if self._serving:
            self._serving.cancel()
            self._transport.close()
        self._serving = self._client = self._commands = None
