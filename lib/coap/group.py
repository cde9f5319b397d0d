"""Discovery by multicast (RFC 7252, section 8): GET /.well-known/core, asked of all CoAP nodes.

`coap.multicast` joins the group. Who asks many is answered by many, so each answer waits for a
moment of its leisure, drawn anew for every request (section 8.2), and there is none where there is
nothing to say: no links that match, an error, a request that is malformed, confirmable, or for
anything else than discovery (section 11.3 wants as little as possible to be had by multicast). No
answer is longer than three times the request, since its address is not proven: the first block is
sent, the others are fetched from the server itself.
"""

from .blockwise import slice_into, szx_for
from .message import Message, ProtocolError, const, decode
from .wellknown import Core

_NON = const(1)
_GET = const(1)
_CONTENT = const(0x45)
_URI_PATH = const(11)
_CONTENT_FORMAT = const(12)
_ACCEPT = const(17)
_LINK_FORMAT = const(40)
_WAITING = const(4)  # answers; what is asked meanwhile gets none
_HEADERS = const(40)  # bytes of a response beside its payload, at the most


class Group:
    """An engine that answers for `resources`, a dictionary as a Server has it. `random(bits)`
    gives that many random bits.
    """

    def __init__(self, resources, random, leisure_ms=5000):
        self._resources = resources
        self._random = random
        self._leisure_ms = leisure_ms
        self._waiting = []  # [(due, datagram, peer)]
        self._due = []
        self.ignored = 0  # requests that were not answered

    def receive(self, data, peer, now):
        try:
            answer = self._answer(decode(data), 3 * len(data))
        except ProtocolError:
            answer = None
        if answer is None or len(self._waiting) >= _WAITING:
            self.ignored += 1
            return
        delay = self._leisure_ms * self._random(10) >> 10
        self._waiting.append((now + delay, answer, peer))

    def on_timer(self, now):
        for entry in list(self._waiting):
            if entry[0] <= now:
                self._waiting.remove(entry)
                self._due.append(entry[1:])

    def deadline(self):
        return min([entry[0] for entry in self._waiting]) if self._waiting else None

    def next_out(self):
        return self._due.pop(0) if self._due else None

    def next_event(self):
        return None

    def _answer(self, request, room):
        """The datagram for a request, or None."""
        if (
            (request.type, request.code, request.bad) != (_NON, _GET, None)
            or request.all(_URI_PATH) != [b".well-known", b"core"]
            or request.uint(_ACCEPT) not in (None, _LINK_FORMAT)
        ):
            return None
        links = Core(self._resources).links(request)
        response = Message(_CONTENT, type=_NON)
        response.mid, response.token = self._random(16), request.token
        response.add(_CONTENT_FORMAT, _LINK_FORMAT)
        szx = szx_for(max(16, room - _HEADERS - len(request.token)))
        if not links or not slice_into(response, links, request, szx):
            return None
        size = response.size()
        if size > room:
            return None
        datagram = bytearray(size)
        response.encode_into(datagram)
        return datagram
