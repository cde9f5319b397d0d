"""The link on microCoAPy, for who knows it: its `Coap` client, unmodified, over a ReliableSocket
(`lib/coap/reliable_socket.py`).

    open():  resolve, PUT the birth to devices/{id}/status, GET devices/{id}/commands with Observe
    run():   calls `loop` whenever something may have come; registers again when nothing was heard
             for Max-Age
    send():  as `firmware/links/rest.py` has it, at most 880 bytes: microCoAPy knows no blocks,
             and leaves out a payload without a word when its message comes near 1024 bytes
    With `tls` over DTLS, beneath the ReliableSocket (`lib/coap/dtls_socket.py`).
"""
# pyright: reportMissingImports=false

import asyncio

from micropython import const

from coap.observe import Order
from coap.reliable_socket import ReliableSocket, host_and_port
from wake import Wake

from . import LinkError, Message
from .rest import Rest

try:
    from microcoapy import Coap
    from microcoapy.coap_packet import CoapPacket
except ImportError:
    raise ImportError("microCoAPy is missing; mip install github:insighio/microCoAPy")

_MESSAGE_BYTES = const(880)  # beside header, host, and a path with an id of 64 bytes
_GET = const(1)
_OBSERVE = const(6)
_COMMANDS = b"commands"  # a token; it tells notifications from answers
_LOOK_MS = const(100)  # a retransmission is late by so much at the most


class Link(Rest):
    """`options` is the config's section `microcoapy`, with the readings' `format` beside."""

    def __init__(self, options, identity, clock, on_command, message_bytes=1024, resolver=None):
        super().__init__(options, identity, clock, on_command, resolver)
        self._client = self._socket = self._looking = None
        self._where = None  # (host, port)
        self._order = None  # of notifications, while we observe
        self._answers = {}  # message id -> code of its response, or why there is none
        self._some = Wake()

    async def send(self, message):
        if self._client is None:
            raise LinkError("lost", "the link is closed")
        size = len(message.payload)
        if size > _MESSAGE_BYTES:
            raise ValueError("%d bytes; microCoAPy takes %d" % (size, _MESSAGE_BYTES))
        packet = CoapPacket()
        packet.method = self.method(message)
        packet.payload = message.payload
        packet.content_format = self.content_format(message)
        self.check(message.kind, await self._ask(message.kind, packet))

    async def run(self):
        try:
            while self._order:
                wait = self._order.due_ms - self.clock.now()
                if wait > 0:
                    await asyncio.sleep_ms(wait)  # a notification may put it off meanwhile
                else:
                    await self._observe()
            await asyncio.Event().wait()
        finally:
            self.drop()

    async def connect(self):
        peer = self.resolve()
        self._where = host_and_port(peer)
        if self.options["tls"]:
            from coap.dtls_socket import Socket

            self.transport = self.secure(Socket, peer)
        self._socket = ReliableSocket(self.transport, self.params, self._failed)
        client = self._client = Coap()
        client.debug = False
        client.responseCallback = self._heard
        client.setCustomSocket(self._socket)
        self._looking = asyncio.create_task(self._look())
        await self.send(Message("status", self.identity.birth()))
        await self._observe()

    async def _look(self):
        while True:
            while self._client.loop(False):
                pass
            try:
                await asyncio.wait_for_ms(self._socket.readable(), _LOOK_MS)
            except asyncio.TimeoutError:
                pass

    async def _ask(self, kind, packet):
        """Send a packet and return its response's code; raises LinkError."""
        path = str(self.identity.topic(kind), "utf-8")
        sent = self._client.sendEx(self._where[0], self._where[1], path, packet)
        number, answers = packet.messageid, self._answers
        if not sent and number:
            raise LinkError("ack", "microCoAPy could not send; it has said why")
        answers[number] = None
        end = self.clock.now() + self.timeout_ms
        try:
            while answers[number] is None:
                left = end - self.clock.now()
                if left <= 0:
                    raise LinkError("ack", "no answer within %d ms" % self.timeout_ms)
                await self._some.wait_ms(left)
            answer = answers[number]
        finally:
            del answers[number]
        if isinstance(answer, str):
            raise LinkError("ack", answer)
        return answer

    async def _observe(self):
        packet = CoapPacket()
        packet.method = _GET
        packet.token = _COMMANDS
        packet.addOption(_OBSERVE, b"\0")  # an empty one would be left out
        await self._ask("commands", packet)

    # Called by microCoAPy's loop

    def _heard(self, packet, address):
        if packet.token == _COMMANDS:
            self._notified(packet)
        self._answer(packet.messageid, packet.method)

    def _failed(self, number, reason):
        self._answer(number, reason)

    def _answer(self, number, answer):
        if number in self._answers:
            self._answers[number] = answer
            self._some.set()

    def _notified(self, packet):
        options = _Options(packet)
        if packet.method >= 0x80 or options.uint(_OBSERVE) is None:
            self._order = None
            self.tell_of_no_commands()
            return
        command = bytes(packet.payload or b"")
        if self._order is None:
            self._order = Order()
            self.last_command = command
        if self._order.take(options, self.clock.now()):
            self.take_command(command)

    def drop(self):
        if self._looking:
            self._looking.cancel()
            self._socket.close()
        self._looking = self._client = self._order = None


class _Options:
    """Of a packet, as Order asks for them."""

    def __init__(self, packet):
        self._options = packet.options

    def uint(self, number):
        for option in self._options:
            if option.number == number:
                return int.from_bytes(option.buffer, "big")
        return None
