"""A socket for microCoAPy's `setCustomSocket` that keeps what CoAP promises (RFC 7252, section 4).

    client = microcoapy.Coap()
    client.setCustomSocket(ReliableSocket())
    client.post("192.0.2.7", 5683, "log", b"21.5")
    ...                                       # client.loop(False) every now and then

microCoAPy itself sends a confirmable message once, acknowledges wrongly and matches answers by
nothing. Between it and the network stands the engine of this library:

    microCoAPy                       here                              network
    a request      ---------->  id and token of our own  ------->  repeated until acknowledged
    its response   <----------  id and token it had      <-------  once, however it comes
    a response     ---------->  to the request of its id ------->  kept for duplicates
    loop(False)    ---------->  the time passes

Whatever comes is answered as the RFC has it and handed on only if microCoAPy can read it: it loses
the payload behind many options, and fails at tokens, texts and lengths that are not right.
"""

import errno
import socket
import time

from ticks import Uptime

from .endpoint import random
from .exchange import Engine
from .message import ACK, Message, ProtocolError, const, decode

_DATAGRAM = const(1024)  # all that microCoAPy reads
_OPTIONS = const(9)  # and of one message
_BURST = const(8)  # datagrams looked at for one that is for microCoAPy
_OWED = const(8)  # requests that it may leave unanswered
_STEP_MS = const(5)
_INTERNAL = const(0xA0)
_OBSERVING = const(3)  # a state, as in exchange.py


class ReliableSocket:
    """`on_failure(message_id, reason)` hears of every request that comes to nothing; the id is
    what microCoAPy's `get`, `post` and `put` returned.

    `serves`: take requests, too. `transport`: a socket that does not block, or what has its
    `sendto`, `recvfrom`, `close` and `sock`, the socket beneath: `coap.dtls_socket` is such a one.
    Answers bear the id and token of their request: with the
    same token a request takes the place of the one before it, as an observation's end does.
    """

    def __init__(self, transport=None, params=None, on_failure=None, serves=False):
        _keep_order()
        self.transport = transport or _udp()
        self.engine = Engine(random, params)
        if serves:
            from os import urandom

            from .proof import Proofs
            from .serving import Serving

            Serving(self.engine, Proofs(urandom(16)))
        self.on_failure = on_failure
        self.unreadable = 0  # what came and microCoAPy could not read
        self._now = Uptime().now
        self._blocking = True
        self._ready = None  # the next (datagram, (host, port)) for microCoAPy
        self._owed = []  # requests that it has not answered

    # What microCoAPy calls

    def sendto(self, data, address):
        """Take a message and return its length. Raises ValueError for one that is written wrong,
        OSError if too much is under way.
        """
        try:
            message = decode(data)
        except ProtocolError as error:
            raise ValueError("microCoAPy wrote no CoAP: %s" % error)
        if isinstance(address, tuple):
            from udp import resolve

            address = resolve(*address[:2])
        now = self._now()
        if message.type >= ACK:
            self._respond(message, address, now)
        elif 0 < message.code < 0x20:
            self._request(message, address, now)
        else:
            self.engine.send(message, address, now)
        self._flush(now)
        return len(data)

    def recvfrom(self, size):
        """The next (datagram, (host, port)) for microCoAPy. Raises OSError if there is none; it
        blocks, if it may, only while something can still come.
        """
        while True:
            self._take()
            ready, self._ready = self._ready, None
            if ready:
                return ready
            engine = self.engine
            if not self._blocking or not (engine.exchanges or engine.serving):
                raise OSError(errno.EAGAIN)
            time.sleep_ms(_STEP_MS)

    def setblocking(self, flag):
        self._blocking = flag

    def close(self):
        self.transport.close()

    # async
    def readable(self):
        """Wait, in asyncio's loop, until the network has something."""
        from asyncio import core

        yield core._io_queue.queue_read(getattr(self.transport, "sock", self.transport))

    # From microCoAPy to the network

    def _request(self, message, peer, now):
        engine = self.engine
        known = message.mid, message.token
        for exchange in engine.exchanges:
            if message.token and exchange.peer == peer and exchange.is_token(message.token):
                engine.cancel(exchange, now)
                break
        # There is no endpoint that would wake anybody: who waits is a message id and a token.
        engine.request(message, peer, now).waiter = known

    def _respond(self, message, peer, now):
        """Its acknowledgement belongs to a request, or is one that we have sent already."""
        for incoming in self._owed:
            if message.code >= 0x40 and incoming.mid == message.mid and incoming.peer == peer:
                self._owed.remove(incoming)
                self.engine.serving.respond(incoming, message, now)
                return

    # From the network to microCoAPy

    def _take(self):
        """Let the time pass, and take datagrams until one is for microCoAPy."""
        now = self._now()
        self.engine.on_timer(now)
        self._flush(now)
        for _ in range(_BURST):
            try:
                data, peer = self.transport.recvfrom(_DATAGRAM + 1)
            except OSError:  # nothing there, or word that what we sent was refused
                return
            self.engine.receive(data, peer, now)
            self._flush(now)
            if self._ready:
                return

    def _flush(self, now):
        """Hand on what happened and send what is to be sent."""
        engine = self.engine
        event = engine.next_event()
        while event:
            if event[0] == "response":
                self._answered(event[1], event[2])
            elif event[0] == "request":
                self._asked(event[1], event[2], now)
            elif event[0] == "failed":
                self._failed(event[1].waiter, event[2])
            event = engine.next_event()
        out = engine.next_out()
        while out:
            try:
                self.transport.sendto(out[0], out[1])
            except OSError:
                pass  # lost, as the network does it a moment later
            out = engine.next_out()

    def _answered(self, exchange, message):
        """A separate response is as good as one in the acknowledgement."""
        known = exchange.waiter
        message.mid, message.token = known
        message.type = ACK
        if not self._hand(message) and exchange.state != _OBSERVING:
            self._failed(known, "a response that microCoAPy can't read")

    def _asked(self, incoming, message, now):
        if len(self._owed) >= _OWED:
            self.engine.serving.respond(self._owed.pop(0), Message(_INTERNAL), now)
        self._owed.append(incoming)
        if not self._hand(message):
            self._owed.pop()
            self.engine.serving.respond(incoming, Message(_INTERNAL), now)

    def _hand(self, message):
        """Whether microCoAPy can have it."""
        if len(message.options) > _OPTIONS or message.size() > _DATAGRAM:
            self.unreadable += 1
            return False
        self._ready = self.engine.encode(message), host_and_port(message.peer)
        return True

    def _failed(self, known, reason):
        if known and self.on_failure:
            self.on_failure(known[0], reason)


def host_and_port(address):
    """A socket's address as (text, number): the Unix port has it packed."""
    if isinstance(address, tuple):
        return address[:2]
    family, host, port = socket.sockaddr(address)[:3]
    return socket.inet_ntop(family, host), port


def _udp():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    return sock


def _keep_order():
    """MicroPython's `sorted`, by which microCoAPy orders options, leaves no order among equals:
    `a/b` would go out as `b/a`.
    """
    try:
        writer = __import__("microcoapy.coap_writer", None, None, ("sorted",))
    except ImportError:
        return
    writer.sorted = _sorted


def _sorted(options, key):
    ordered = []
    for option in options:
        at = len(ordered)
        while at and key(ordered[at - 1]) > key(option):
            at -= 1
        ordered.insert(at, option)
    return ordered
