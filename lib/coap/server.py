"""A CoAP server for asyncio.

    class Lamp:
        rt = "light"
        async def get(self, request):
            return b"on"
        async def put(self, request):
            ...

    server = Server(endpoint)
    server.add("lamp", Lamp())

A resource is any object with coroutines named like methods: get, post, put, delete, fetch, patch,
ipatch. Each is given the request, its body whole, and returns a Message, or what it would
contain: bytes, (bytes, content format), or nothing. One with `observable = True` is observed; tell
the server of a new value by `changed(resource)`. `rt`, `if_`, `sz`, `ct` and `title` are for
discovery.
"""

import asyncio
from os import urandom

from .blockwise import Uploads, get_block, slice_into, szx_for
from .message import Message, ProtocolError, const
from .proof import Proofs
from .serving import Serving

_ETAG = const(4)
_OBSERVE = const(6)
_URI_PATH = const(11)
_CONTENT_FORMAT = const(12)
_URI_QUERY = const(15)
_BLOCK2 = const(23)
_BLOCK1 = const(27)
_PROXY_URI = const(35)
_PROXY_SCHEME = const(39)
_BAD_REQUEST = const(0x80)
_NOT_FOUND = const(0x84)
_NOT_ALLOWED = const(0x85)
_INCOMPLETE = const(0x88)
_INTERNAL = const(0xA0)
_BUSY = const(0xA3)
_NO_PROXY = const(0xA5)
_METHODS = ("get", "post", "put", "delete", "fetch", "patch", "ipatch")
_SUCCESS = b"\x45\x44\x44\x42\x45\x44\x44"  # the code of each, if nothing else is said
_HEADERS = const(40)  # bytes of a response beside its payload, at the most
_KEPT = const(2)  # responses to other methods than GET, for their further blocks


class Server:
    """At most `tasks` requests are served at once, at most `observers` told of changes, and a
    request's body is at most `body_bytes` long. `proofs` False trusts every address.
    """

    def __init__(self, endpoint, proofs=True, tasks=8, observers=8, body_bytes=4096):
        self._endpoint = endpoint
        self._engine = endpoint.engine
        self.serving = Serving(self._engine, Proofs(urandom(16)) if proofs else None)
        self._left = tasks
        self._observers_limit = observers
        self.observers = None  # an Observers once somebody observes
        self._uploads = Uploads(limit=body_bytes)
        self._kept = []  # [(peer, key, the response as it was made)]
        self._task = self._notifying = None
        self.resources = {}
        self.on_error = None  # called with what a resource raised
        endpoint.server = self._take

    def add(self, path, resource):
        """Serve `resource` at `path`, which has no leading slash."""
        self.resources[path] = resource

    def changed(self, resource):
        """`resource` has a new value: tell who observes it."""
        if self.observers:
            self.observers.changed(resource)
            self._notify_soon()

    # Requests

    def _take(self, incoming, request):
        if not self._left:
            return self._respond(incoming, Message(_BUSY))
        self._left -= 1
        self._task = asyncio.create_task(self._serve(incoming, request))

    async def _serve(self, incoming, request):
        try:
            response = await self._answer(incoming, request)
        except ProtocolError as error:
            response = Message(_BAD_REQUEST, str(error).encode())
        except Exception as error:  # a resource's fault is no end of the server
            if self.on_error:
                self.on_error(error)
            response = Message(_INTERNAL)
        finally:
            self._left += 1
        self._respond(incoming, response)

    def _respond(self, incoming, response):
        try:
            self.serving.respond(incoming, response, self._endpoint.now())
        except ValueError:  # options that fit no datagram
            self.serving.respond(incoming, Message(_INTERNAL), self._endpoint.now())
        except OSError:
            return  # too much is under way: the client will ask again
        self._endpoint.flush()

    async def _answer(self, incoming, request):
        if request.get(_PROXY_URI) or request.get(_PROXY_SCHEME):
            return Message(_NO_PROXY)
        path = b"/".join(request.all(_URI_PATH)).decode()
        key = (request.code, path, request.all(_URI_QUERY))
        block2 = get_block(request, _BLOCK2)
        if request.code > 1 and block2 and block2[0]:
            for peer, kept, response in self._kept:
                if peer == request.peer and kept == key:
                    return self._slice(response.copy(), request, incoming.room)
            return Message(_INCOMPLETE)
        if request.get(_BLOCK1) is not None:
            body, code = self._uploads.take(request, key, self._endpoint.now())
            if code is not None:
                response = Message(code)
                self._uploads.answer_into(response, request)
                return response
            request.payload = body
        resource = self._find(path)
        response = await self._ask(resource, request)
        if request.code > 1 and len(response.payload) > 1024:
            self._kept.insert(0, (request.peer, key, response.copy()))
            del self._kept[_KEPT:]
        self._uploads.answer_into(response, request)
        self._observe(incoming, request, resource, response)
        return self._slice(response, request, incoming.room)

    def _find(self, path):
        if path == ".well-known/core" and path not in self.resources:
            from .wellknown import Core

            return Core(self.resources)
        return self.resources.get(path)

    async def _ask(self, resource, request):
        """A resource's answer as a Message."""
        if resource is None:
            return Message(_NOT_FOUND)
        handler = None
        if request.code <= len(_METHODS):
            handler = getattr(resource, _METHODS[request.code - 1], None)
        if handler is None:
            return Message(_NOT_ALLOWED)
        answer = await handler(request)
        if isinstance(answer, Message):
            return answer
        response = Message(_SUCCESS[request.code - 1])
        if isinstance(answer, tuple):
            answer, content_format = answer
            response.add(_CONTENT_FORMAT, content_format)
        response.payload = answer or b""
        return response

    def _slice(self, response, request, room):
        """The block of a response that was asked for, or that a stranger may have."""
        body = response.payload
        szx = 6
        if room is not None:
            szx = szx_for(max(16, room - _HEADERS - len(request.token)))
        etag = response.get(_ETAG)
        if response.code >= 0x80 or etag is not None:
            etag = None
        elif len(body) > 16 << szx or get_block(request, _BLOCK2):
            from hashlib import sha256

            etag = sha256(body).digest()[:4]
        if not slice_into(response, body, request, szx, etag):
            return Message(_BAD_REQUEST)
        return response

    # Observers

    def _observe(self, incoming, request, resource, response):
        observe = request.uint(_OBSERVE) if request.code == 1 else None
        if observe == 1 and self.observers:
            self.observers.cancel(request.peer, request.token)
        if observe == 0 and response.code < 0x80 and getattr(resource, "observable", False):
            if self.observers is None:
                from .observe import Observers

                self.observers = Observers(self._engine, self._observers_limit)
                self.observers.on_free = self._notify_soon
            number = self.observers.register(request, resource, incoming.room)
            response.add(_OBSERVE, number)

    def _notify_soon(self):
        if self._notifying is None and self.observers.stale():
            self._notifying = asyncio.create_task(self._notify())

    async def _notify(self):
        try:
            observer = self.observers.stale()
            while observer:
                observer.stale = False
                response = await self._represent(observer)
                try:
                    self.observers.send(observer, response, self._endpoint.now())
                except OSError:
                    observer.stale = True
                    break  # too much is under way; the next change tries again
                self._endpoint.flush()
                observer = self.observers.stale()
        finally:
            self._notifying = None

    async def _represent(self, observer):
        """What a GET of the observer's would be answered with now."""
        request = Message(1)
        request.peer, request.token = observer.peer, observer.token
        request.options = observer.options
        try:
            resource = observer.resource
            if resource not in self.resources.values():  # taken away meanwhile
                resource = None
            response = await self._ask(resource, request)
            return self._slice(response, request, observer.room)
        except Exception as error:
            if self.on_error:
                self.on_error(error)
            return Message(_INTERNAL)
