"""Messages of devices that speak CoAP, and their commands, which they observe.

    POST or PUT  devices/{id}/data|status|health|profile|responses    2.04: it is on disk
    GET, Observe devices/{id}/commands                                one notification a command

A notification holds the latest command alone (RFC 7641, section 1.3), so the next one waits until
the former is answered or has had its time:

    IDLE -- send --> ASKED -- answered, or _ANSWER_S --> IDLE, or ASKED with the next one

What is not on disk soon is answered with 5.03, and the device sends it again.
"""

import asyncio
import collections
import logging
import time

import aiocoap
from aiocoap import Code, error, resource

from petrel.errors import Failure
from petrel.gateway.commands import Unreachable
from petrel.gateway.intake import parsed
from petrel.gateway.message import KINDS, Arrival, is_device_id
from petrel.gateway.sources.datagrams import Plain, Transport

_FORMATS = (None, 0, 42, 50, 60, 110, 112, 65000, 65001)
"""Content formats that are taken: text, bytes, JSON, CBOR, SenML, frame, profile. What a payload
is its bytes say; the number is for those who could not tell us in any other way that we won't
understand it.
"""
_RETRY_S = 5
_MAX_AGE_S = 60  # after which a device asks whether it is still observed
_ANSWER_S = 30  # no command of a device's takes longer
_MOST_WAITING = 16  # commands of a device
_MOST_MAILBOXES, _MOST_OBSERVATIONS = 20_000, 3  # observations: of a device
_AWAY = ("offline", "sleeping")  # of which only the device itself tells, not a will
_LOGGER = "petrel.coap"


class CoapSource:
    """settings: a config.Coap. take(arrival): returns once it is on disk; raises TimeoutError.

    taken, refused: messages. odd: datagrams and requests that aiocoap could make nothing of.
    """

    def __init__(self, settings, take, say):
        self.settings, self._take, self._say = settings, take, say
        self._most = settings.body_kb << 10
        self.mailboxes = {}  # device -> Mailbox, while it observes its commands
        self.taken = self.refused = 0
        self._context, self._transports = None, []
        self._oddities = _Count()
        logger = logging.getLogger(_LOGGER)  # whoever sends nonsense can't fill our log
        logger.handlers, logger.propagate = [self._oddities], False

    @property
    def odd(self):
        return self._oddities.count + sum(transport.odd for transport in self._transports)

    async def start(self):
        """Listen; raises Failure if that can't be."""
        site = resource.Site()
        site.add_resource(["devices"], _Devices(self))
        self._context = aiocoap.Context(serversite=site, loggername=_LOGGER)
        await self._listen(self.settings.listen, self.settings.address, Plain())
        self._say(f"listens for CoAP on {self.settings.listen}")

    async def _listen(self, listen, address, protocol):
        async def made(manager):
            transport = Transport(manager, self._context.log, protocol)
            self._transports.append(transport)
            return await transport.open(address)

        try:  # what aiocoap's create_server_context does with transports of its own
            await self._context._append_tokenmanaged_messagemanaged_transport(made)
        except OSError as problem:
            raise Failure(f'coap.listen = "{listen}": {problem}') from problem

    async def stop(self):
        if self._context and self._context.request_interfaces:  # aiocoap can't wait for none
            await self._context.shutdown()

    def send(self, device, text):
        """Notify a device of a command; False if it does not observe its commands."""
        if device not in self.mailboxes:
            return False
        self.mailboxes[device].put(text.encode())
        return True

    def observe(self, device, observation):
        """A device wants to be told of its commands."""
        box = self.mailboxes.get(device)
        if box is None and len(self.mailboxes) >= _MOST_MAILBOXES:
            return _answer_once(observation)
        box = self.mailboxes.setdefault(device, Mailbox())
        box.add(observation)

        def end():
            box.observations.pop(observation, None)
            if not box.observations and self.mailboxes.get(device) is box:
                del self.mailboxes[device]

        return observation.accept(end)

    def answered(self, device):
        """A response of the device is there: it can have the next command."""
        if device in self.mailboxes:
            self.mailboxes[device].next()

    async def store(self, device, kind, payload):
        """Returns once the message is on disk; raises what becomes the error's response."""
        try:
            topic = f"devices/{device}/{kind}"
            await self._take(Arrival(topic, payload, time.time_ns() // 1_000_000, via="CoAP"))
        except TimeoutError as problem:
            self.refused += 1
            raise _Busy from problem
        self.taken += 1
        box = self.mailboxes.get(device)
        if box and kind == "status" and parsed(payload).get("status") in _AWAY:
            box.close()

    def check(self, request):
        """(device, kind) of a request; raises what becomes the error's response."""
        path = request.opt.uri_path
        if len(path) != 2 or path[1] not in KINDS:
            raise error.NotFound("there is devices/{id}/data and a few more")
        if not is_device_id(path[0]):
            raise error.BadRequest("an id has 1 to 64 bytes, printable and without /, + and #")
        return path

    def check_size(self, request):
        """Refuse a block-wise transfer while it grows, not when it is whole."""
        block = request.opt.block1
        if (block.start if block else 0) + len(request.payload) > self._most:
            self.refused += 1
            raise error.RequestEntityTooLarge(f"{self._most} bytes at most")


class Mailbox:
    """The commands of one device. text: what whoever asks now is told."""

    def __init__(self):
        self.observations = {}  # in the order in which they came
        self.text = b""
        self._waiting = collections.deque()
        self._timer = None

    def add(self, observation):
        """One more; a device that always comes back under another address loses the oldest."""
        if len(self.observations) >= _MOST_OBSERVATIONS:
            _end(next(iter(self.observations)))
        self.observations[observation] = None

    def put(self, text):
        if len(self._waiting) >= _MOST_WAITING:
            raise Unreachable(503, f"{_MOST_WAITING} commands wait for the device already")
        self._waiting.append(text)
        if self._timer is None:
            self.next()

    def next(self):
        """The former command has had its turn."""
        if self._timer:
            self._timer.cancel()
        self._timer, self.text = None, b""
        if self._waiting:
            self.text = self._waiting.popleft()
            self._timer = asyncio.get_running_loop().call_later(_ANSWER_S, self.next)
            for observation in self.observations:
                observation.trigger(self.message())

    def close(self):
        """Nobody is to be told any more."""
        self._waiting.clear()
        self.next()
        for observation in [*self.observations]:
            _end(observation)

    def message(self):
        return aiocoap.Message(code=Code.CONTENT, payload=self.text, content_format=50,
                               max_age=_MAX_AGE_S)


class _Devices(resource.ObservableResource, resource.PathCapable):
    """Everything below devices/."""

    def __init__(self, source):
        super().__init__()
        self._source = source

    async def needs_blockwise_assembly(self, request):
        self._source.check(request)
        self._source.check_size(request)
        return True

    async def render_post(self, request):
        device, kind = self._source.check(request)
        if kind == "commands":
            raise error.MethodNotAllowed()
        if request.opt.content_format not in _FORMATS:
            raise error.UnsupportedContentFormat()
        await self._source.store(device, kind, request.payload)
        return aiocoap.Message(code=Code.CHANGED)

    render_put = render_post

    async def render_get(self, request):
        device, kind = self._source.check(request)
        if kind != "commands":
            raise error.MethodNotAllowed()
        return self._source.mailboxes.get(device, Mailbox()).message()

    async def add_observation(self, request, serverobservation):
        device, kind = self._source.check(request)
        if request.code == Code.GET and kind == "commands":
            self._source.observe(device, serverobservation)
        else:
            _answer_once(serverobservation)


def _end(observation):
    """End it without a word to the device."""
    quiet = 2 | 8 | 16  # RFC 7967: no response of any class
    observation.trigger(aiocoap.Message(code=Code.SERVICE_UNAVAILABLE, no_response=quiet))


def _answer_once(observation):
    observation.accept(lambda: None)
    observation.deregister()


class _Busy(error.ServiceUnavailable):
    def to_message(self):
        message = super().to_message()
        message.opt.max_age = _RETRY_S
        return message


class _Count(logging.Handler):
    """Counts what aiocoap would have logged."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record):
        self.count += 1
