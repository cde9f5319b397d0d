"""A client's observation of a resource (RFC 7641), as an asynchronous iterator.

    observation = client.observe(uri)
    async for response in observation:      # the first at once, then whenever it changes
        ...
    await observation.close()

It registers again when nothing was heard for Max-Age, because the server may have forgotten us.
The iteration ends with a response that is no notification: an error, or a resource that can't be
observed. A peer that does not answer raises RequestError.
"""

import asyncio

from .client import RequestError, asks_for_proof
from .message import const
from .observe import Order

_OBSERVE = const(6)
_BLOCK2 = const(23)
_WAITING = const(4)  # notifications that the reader has not taken; then the oldest gives way


class Observation:
    """`options` and `type` as of `Client.request`. `dropped` counts what was not taken in time."""

    def __init__(self, client, uri, options=(), type=0):
        self._client = client
        self._request, self._peer = client.message(1, uri, options, type)
        self._request.add(_OBSERVE, 0)
        self._order = Order()
        self._exchange = None
        self._events = []
        self._some = asyncio.Event()
        self._over = False
        self.dropped = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self._over:
            raise StopAsyncIteration
        if self._exchange is None:
            self._register()
        while True:
            event = await self._next_event()
            if event[0] == "failed":
                self._over = True
                raise RequestError(event[2])
            response = event[2]
            if asks_for_proof(response, self._request):
                self._register()
                continue
            goes_on = response.get(_OBSERVE) is not None and response.code < 0x80
            if not goes_on:
                self._over = True
            elif not self._order.take(response, self._client.endpoint.now()):
                continue
            if response.get(_BLOCK2) is not None:
                from .transfer import download

                request = self._request.copy(_OBSERVE)
                await download(self._client, request, self._peer, response, None, None)
            return response

    async def close(self):
        """Tell the server that we are no longer interested (section 3.6)."""
        if self._exchange and not self._over:
            self._over = True
            self._forget()
            farewell = self._request.copy(_OBSERVE)
            farewell.token = self._request.token
            farewell.add(_OBSERVE, 1)
            await self._client.exchange(farewell, self._peer)

    def _register(self):
        """Ask for notifications, again under the same token."""
        endpoint = self._client.endpoint
        self._forget()
        request = self._request.copy()
        request.token = self._request.token
        self._exchange = endpoint.engine.request(request, self._peer, endpoint.now())
        self._exchange.waiter = self
        self._request.token = request.token
        endpoint.flush()

    def _forget(self):
        endpoint = self._client.endpoint
        if self._exchange:
            endpoint.engine.cancel(self._exchange, endpoint.now())

    def set(self):
        """The exchange has an event for us."""
        if len(self._events) >= _WAITING:
            self._events.pop(0)
            self.dropped += 1
        self._events.append(self._exchange.event)
        self._some.set()

    async def _next_event(self):
        while not self._events:
            self._some.clear()
            due = self._order.due_ms
            if due is None:
                await self._some.wait()
                continue
            try:
                wait = max(0, due - self._client.endpoint.now())
                await asyncio.wait_for_ms(self._some.wait(), wait)
            except asyncio.TimeoutError:
                self._order.due_ms = None
                self._register()
        return self._events.pop(0)
