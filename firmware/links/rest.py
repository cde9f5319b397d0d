"""What the links over CoAP share: where messages go, as what, and what is made of the answers.

    data, responses            POST to devices/{id}/data and .../responses
    status, health, profile    PUT to devices/{id}/status and so on
    commands                   devices/{id}/commands is observed

Any 2.xx means that the peer has taken responsibility. A notification is a command once; what the
resource holds when we come to observe it is an old one and is not run. A peer without commands for
us is no failure. There is no will: that a device is gone shows in its silence.
"""

import asyncio

from micropython import const

import tcp
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


class Rest:
    """Of a link with `connect()`, all that `open` has to do; `send(message)`; and `drop()`, which
    lets go of what `connect` has made; `transport` is what it goes over with `tls`. `options` is
    its section of the config, with the readings' `format` beside.
    """

    window = 1  # NSTART (RFC 7252, section 4.7)
    owed = ()

    def __init__(self, options, identity, clock, on_command, resolver):
        self.options = options
        self.identity = identity
        self.clock = clock
        self.on_command = on_command
        self.params = Params(int(options["ack_timeout_s"] * 1000))
        self.resolver = resolver or tcp.Resolver()
        self.timeout_ms = int(options["timeout_s"] * 1000)
        self.last_command = None
        self.transport = None
        self._tls = None
        self._paths = {}

    async def open(self):
        """One deadline over all of it."""
        self.transport = None
        try:
            await asyncio.wait_for_ms(self.connect(), self.timeout_ms)
        except asyncio.TimeoutError:
            self.drop()
            raise self._explained(LinkError("ack", "no answer within %d ms" % self.timeout_ms))
        except LinkError as error:
            self.drop()
            raise self._explained(error)
        except BaseException:
            self.drop()
            raise

    def secure(self, kind, peer):
        """DTLS to the peer's address: a `kind` of coap.dtls_connection, in place of a socket."""
        from .dtls import client
        from .tls import ready

        tls = self.options["tls"]
        self._tls = ready(self._tls, tls, self.clock, client)
        name = None if tls["psk_identity"] else self.options["host"]
        try:
            return kind(self._tls, peer, name)
        except OSError as error:  # no network, or no memory
            raise LinkError("tls", tcp.reason(error))

    def _explained(self, error):
        """Why there was no session, if that is why it failed."""
        if self.options["tls"] and self.transport and not self.transport.open:
            from .dtls import words

            return LinkError("tls", "no session with the peer: %s" % words(self.transport, error))
        return error

    def resolve(self):
        """The peer's address."""
        port = self.options["port"] or (5684 if self.options["tls"] else 5683)
        try:
            return self.resolver.resolve(self.options["host"], port)[1]
        except tcp.ConnectError as error:
            raise LinkError(error.stage, error.text)

    async def close(self, why):
        """Say goodbye within the time-out."""
        try:
            message = Message("status", self.identity.farewell(why))
            await asyncio.wait_for_ms(self.send(message), self.timeout_ms)
        except (LinkError, asyncio.TimeoutError):
            pass

    def path(self, kind):
        """The segments of a kind's path, as bytes."""
        if kind not in self._paths:
            self._paths[kind] = self.identity.topic(kind).split(b"/")
        return self._paths[kind]

    def method(self, message):
        return _POST if message.kind in _POSTED else _PUT

    def content_format(self, message):
        kind = self.options["format"] if message.kind == "data" else message.kind
        return _FORMATS.get(kind, _JSON)

    def check(self, kind, code):
        """Raise LinkError if the answer to a message of this kind is a refusal."""
        if code >= 0x80:
            told = "%d.%02d" % (code >> 5, code & 31)
            retry = code in _TOO_MANY or code >= 0xA0
            raise LinkError("ack", "the peer answers %s to our %s" % (told, kind), retry)

    def take_command(self, command):
        """Hand on what a notification holds."""
        if not command or command == self.last_command:
            return  # registered again, or nothing yet
        self.last_command = command
        problem = None
        if len(command) > _COMMAND_BYTES:
            problem = "a command of %d bytes; at most %d are taken"
            problem = problem % (len(command), _COMMAND_BYTES)
        try:
            self.on_command(None if problem else command, problem)
        except Exception as error:  # whoever takes commands can't break the link
            log("coap", "a command was not taken: %r" % error)

    def tell_of_no_commands(self):
        log("coap", "the peer has no commands to observe at %s" % self.path("commands"))
