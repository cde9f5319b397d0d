"""A CoAP client for asyncio.

    client = Client(endpoint)
    response = await client.get("coap://[::1]/sensors/t")
    async for response in client.observe("coap://192.0.2.1/sensors/t"): ...

A response is a Message, whatever its code. Bodies of any size go block-wise by themselves.
"""

from wake import Wake

from .message import Message, const

_URI_PATH = const(11)
_CONTENT_FORMAT = const(12)
_URI_QUERY = const(15)
_BLOCK2 = const(23)
_ECHO = const(252)
_UNAUTHORIZED = const(0x81)
_LARGEST = const(1024)  # bytes of a body in one datagram


class RequestError(OSError):
    """There is no response: the peer does not answer, or refuses to."""


def _method(code):
    def method(self, uri, payload=b"", format=None, **more):
        return self.request(code, uri, payload, format, **more)

    return method


def asks_for_proof(response, request):
    """Whether the server wants to know that our address is ours, before it answers: then
    `request` has the proof now (Echo; RFC 9175, section 2.3).
    """
    echo = response.get(_ECHO)
    if response.code != _UNAUTHORIZED or echo is None or request.get(_ECHO) is not None:
        return False
    request.add(_ECHO, echo)
    return True


class Client:
    """Any number of requests at once; each has its deadline."""

    def __init__(self, endpoint, timeout_ms=None):
        self.endpoint = endpoint
        self.timeout_ms = timeout_ms or endpoint.engine.params.lifetime_ms
        self._peers = {}

    async def exchange(self, message, peer, timeout_ms=None):
        """Send one message and return the response to it. Raises RequestError."""
        endpoint = self.endpoint
        exchange = endpoint.engine.request(message, peer, endpoint.now())
        exchange.waiter = wake = Wake()
        endpoint.flush()
        try:
            await wake.wait_ms(timeout_ms or self.timeout_ms)
        finally:
            endpoint.engine.cancel(exchange, endpoint.now())
        event = exchange.event or (0, 0, "no response in time")
        if event[0] != "response":
            raise RequestError(event[2])
        if asks_for_proof(event[2], message):
            return await self.exchange(message.copy(), peer, timeout_ms)
        return event[2]

    async def request(
        self,
        code,
        uri,
        payload=b"",
        format=None,
        options=(),
        type=0,
        timeout_ms=None,
        write=None,
    ):
        """Send a request and return the response with its whole body.

        `uri`: "coap://host:port/path?query", or (peer, path). `payload`: bytes, or (length, read)
        with read(offset, size). `options`: more (number, value) pairs. `write`: is given the
        response's body in pieces, for which there may be no memory. `timeout_ms`: of each message.

        Raises RequestError; ProtocolError for a response that makes no sense.
        """
        message, peer = self.message(code, uri, options, type)
        if format is not None:
            message.add(_CONTENT_FORMAT, format)
        if isinstance(payload, tuple) or len(payload) > _LARGEST:
            from .transfer import upload

            response = await upload(self, message, peer, payload, timeout_ms)
        else:
            message.payload = payload
            response = await self.exchange(message, peer, timeout_ms)
        if write or response.get(_BLOCK2) is not None:
            from .transfer import download

            await download(self, message, peer, response, write, timeout_ms)
        return response

    def message(self, code, uri, options, type=0):
        """A request and the peer to send it to."""
        message = Message(code, type=type)
        if isinstance(uri, str):
            from .uri import split

            host, port, path, queries = split(uri)
            for query in queries:
                message.add(_URI_QUERY, query)
            peer = self._peers.get((host, port))
            if peer is None:
                from udp import resolve

                peer = self._peers[host, port] = resolve(host, port)
        else:
            peer, path = uri
        for segment in path:
            message.add(_URI_PATH, segment)
        for number, value in options:
            message.add(number, value)
        return message, peer

    get = _method(1)
    post = _method(2)
    put = _method(3)
    delete = _method(4)
    fetch = _method(5)
    patch = _method(6)
    ipatch = _method(7)

    def observe(self, uri, **more):
        """An Observation: `async for response in client.observe(uri)`."""
        from .observation import Observation

        return Observation(self, uri, **more)
