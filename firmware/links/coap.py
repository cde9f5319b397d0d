"""The link on lib/coap: readings by confirmable POST, as RFC 7252 has it.

    open():  resolve, PUT the birth to devices/{id}/status, observe devices/{id}/commands;
             one deadline over all of it
    run():   takes commands as they are notified; registers again when nothing was heard for long
    With `tls` over DTLS; a peer that was restarted is noticed by its silence (coap.dtls).
    send():  as `firmware/links/rest.py` has it; block-wise if it is larger than a datagram
"""

import asyncio

import udp
from coap.client import Client, RequestError
from coap.endpoint import Endpoint
from coap.message import ProtocolError

from . import LinkError, Message
from .rest import Rest


class Link(Rest):
    """`options` is the config's section `coap`, with the readings' `format` beside."""

    def __init__(self, options, identity, clock, on_command, message_bytes=1024, resolver=None):
        super().__init__(options, identity, clock, on_command, resolver)
        self._serving = self._client = self._peer = None
        self._commands = None  # the Observation

    async def send(self, message):
        if self._client is None:
            raise LinkError("lost", "the link is closed")
        try:
            response = await self._client.request(
                self.method(message),
                (self._peer, self.path(message.kind)),
                message.payload,
                self.content_format(message),
                timeout_ms=self.timeout_ms,
            )
        except (RequestError, ProtocolError) as error:
            raise LinkError("ack", str(error))
        self.check(message.kind, response.code)

    async def run(self):
        try:
            while True:
                response = await self._next_command()
                if response is None:  # the peer has no commands for us
                    await asyncio.Event().wait()
                self.take_command(response.payload)
        except (RequestError, ProtocolError) as error:
            raise LinkError("lost", str(error))
        finally:
            self.drop()

    async def connect(self):
        self._peer = self.resolve()
        rtt = None
        if self.options["adaptive"]:
            from coap.rtt import Estimates

            rtt = Estimates()
        if self.options["tls"]:
            from coap.dtls import Session

            self.transport = self.secure(Session, self._peer)
        else:
            self.transport = udp.Socket()
        endpoint = Endpoint(self.transport, self.params, rtt, self.clock.now)
        self._client = Client(endpoint)
        self._serving = asyncio.create_task(endpoint.run())
        await self.send(Message("status", self.identity.birth()))
        self._commands = self._client.observe((self._peer, self.path("commands")))
        try:
            response = await self._next_command()
        except RequestError as error:
            raise LinkError("ack", str(error))
        self.last_command = response and response.payload

    async def _next_command(self):
        """The next notification, or None if there is none any more."""
        if self._commands is None:
            return None
        async for response in self._commands:
            if response.code < 0x80:
                return response
            break
        self.tell_of_no_commands()
        self._commands = None
        return None

    def drop(self):
        if self._serving:
            self._serving.cancel()
            self.transport.close()
        self._serving = self._client = self._commands = None
