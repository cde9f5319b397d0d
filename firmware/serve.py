"""The device's own CoAP server (config section `serve`): the latest readings for whoever asks.

    sampler -> put() -> outbox           a reading is noted as it passes
                 |
                 v
    /sensors/<key>     the channel's latest value as text; observable
    /sensors           the latest of all channels, SenML in JSON (RFC 8428)
    /status            what the device says of itself at its birth
    /commands          POST, of a peer that DTLS knows; plain UDP does not tell who asks
    /.well-known/core  all of these; without DTLS also by multicast to 224.0.1.187

With `tls` it is DTLS, without plain UDP. It runs in the same loop as the link and needs nothing of
it. Before the first reading of a channel the answer is 5.03, and 4.06 to who wants another format.
"""

import asyncio

from micropython import const

from coap.endpoint import Endpoint
from coap.message import Message
from coap.server import Server
from scaled import text

from .links import LinkError
from .log import log

_TEXT, _JSON, _SENML = const(0), const(50), const(110)
_CONTENT = const(0x45)
_FORBIDDEN, _NOT_ACCEPTABLE, _UNAVAILABLE = const(0x83), const(0x86), const(0xA3)
_TOO_LARGE = const(0x8D)
_CONTENT_FORMAT, _MAX_AGE, _ACCEPT = const(12), const(14), const(17)
_RETRY_MS = const(10_000)
_COMMAND_BYTES = const(512)


class Serve:
    """`options` is the config's section, `intervals_ms` each channel's. From now on every reading
    for `outbox` passes here; `on_command` is called as a link does.
    """

    def __init__(self, options, identity, clock, channels, intervals_ms, outbox, on_command):
        self._options = options
        self._clock = clock
        self._put = outbox.put
        outbox.put = self.put
        self._server = None
        self._values = [_Value(*pair) for pair in zip(channels, intervals_ms)]
        self._resources = {
            "sensors": _All(self._values, "devices/" + identity.id + "/"),
            "status": _Status(identity),
            "commands": _Commands(on_command),
        }
        for value in self._values:
            self._resources["sensors/" + value.channel.key] = value

    def put(self, due_ms, values, unix_ms=None):
        """The outbox's, which is called in turn."""
        number = self._put(due_ms, values, unix_ms)
        if unix_ms is None:
            unix_ms = self._clock.unix_ms(due_ms)
        for i in range(len(values)):
            if values[i] is not None:
                value = self._values[i]
                value.latest, value.unix_ms = values[i], unix_ms
                if self._server:
                    self._server.changed(value)
        return number

    async def run(self):
        """Serve until cancelled; while the port can't be had, try again."""
        secure, host = self._options["tls"], self._options["host"]
        port = self._options["port"] or (5684 if secure else 5683)
        while True:
            try:
                transport = self._transport(port)
                break
            except OSError as error:
                log("serve", "port %d of %s can't be had (%s)" % (port, host, error))
            except LinkError as error:
                log("serve", str(error))
                if not error.retry:
                    return await asyncio.Event().wait()
            await asyncio.sleep_ms(_RETRY_MS)
        endpoint = Endpoint(transport, now=self._clock.now)
        server = self._server = Server(endpoint, proofs=not secure)
        server.resources = self._resources
        server.on_error = lambda error: log("serve", "a request failed: %r" % error)
        log("serve", "CoAP%s at port %d of %s" % (" over DTLS" if secure else "", port, host))
        # A group has no session.
        finding = None if secure else asyncio.create_task(self._be_found(server, endpoint, port))
        try:
            await endpoint.run()
        finally:
            if finding:
                finding.cancel()
            transport.close()

    def _transport(self, port):
        if self._options["tls"]:
            from .serve_dtls import transport

            return transport(self._options, port, self._clock)
        from udp import Socket

        return Socket(port, self._options["host"])

    async def _be_found(self, server, endpoint, port):
        """By multicast, where the port can."""
        from coap.multicast import join

        try:
            await join(server, endpoint, port, self._options["host"])
        except OSError as error:
            log("serve", "not to be found by multicast: %s" % error)


def _answer(payload, content_format, request):
    """What a resource has, unless another format is wanted."""
    if request.uint(_ACCEPT) not in (None, content_format):
        return Message(_NOT_ACCEPTABLE)
    response = Message(_CONTENT, payload)
    response.add(_CONTENT_FORMAT, content_format)
    return response


class _Value:
    """A channel's latest reading."""

    observable = True
    if_ = "core.s"  # a sensor
    ct = _TEXT

    def __init__(self, channel, interval_ms):
        self.channel = channel
        self.rt = channel.unit
        self._max_age = max(1, (interval_ms + 999) // 1000)
        self.latest = self.unix_ms = None

    async def get(self, request):
        if self.latest is None:
            return Message(_UNAVAILABLE, b"no reading yet")
        value = text(self.latest, self.channel.decimals).encode()
        response = _answer(value, _TEXT, request)
        response.add(_MAX_AGE, self._max_age)
        return response


class _All:
    ct = _SENML

    def __init__(self, values, base):
        self._values, self._base = values, base

    async def get(self, request):
        records = []
        for value in self._values:
            if value.latest is not None:
                channel = value.channel
                record = '{"n":"%s","v":%s' % (channel.key, text(value.latest, channel.decimals))
                if channel.unit:
                    record += ',"u":"%s"' % channel.unit
                if value.unix_ms is not None:
                    record += ',"t":' + text(value.unix_ms, 3)
                records.append(record + "}")
        if not records:
            return Message(_UNAVAILABLE, b"no reading yet")
        records[0] = '{"bn":"%s",' % self._base + records[0][1:]
        return _answer(("[" + ",".join(records) + "]").encode(), _SENML, request)


class _Status:
    ct = _JSON

    def __init__(self, identity):
        self._identity = identity

    async def get(self, request):
        return _answer(self._identity.birth(), _JSON, request)


class _Commands:
    """What is taken is answered with 2.04; what became of it goes by the link, as always."""

    def __init__(self, on_command):
        self._on_command = on_command

    async def post(self, request):
        if not getattr(request.peer, "known", False):
            return Message(_FORBIDDEN, b"commands are taken over DTLS only")
        if len(request.payload) > _COMMAND_BYTES:
            return Message(_TOO_LARGE, b"at most %d bytes" % _COMMAND_BYTES)
        self._on_command(request.payload, None)


def serve(options, identity, clock, sensors, intervals, outbox, commands):
    """Put a Serve before `outbox` and into the app of `commands`; `intervals` of the sensors."""
    channels, intervals_ms = [], []
    for sensor, interval in zip(sensors, intervals):
        channels += sensor.channels
        intervals_ms += [interval] * len(sensor.channels)
    served = Serve(options, identity, clock, channels, intervals_ms, outbox, commands.receive)
    commands.app.parts += (served.run(),)
