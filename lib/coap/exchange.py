"""CoAP's message layer and the client's side of requests (RFC 7252, sections 4 and 5).

What we send and are owed something for is an Exchange; its state is changed by `_set` alone:

                 NSTART allows it        empty ACK to a request
       QUEUED ------------------> SENT -------------------------> ACKED
         |                        |  |                              | response
         | cancel()               |  | response with Observe        |   with Observe
         v                        |  +-------------> OBSERVING <----+
       DONE <---------------------+------------------- | -----------+
              response, RST, ACK of a response, given up, cancel()

GATHERING stands in for SENT where many may answer: a request to a group.

Separate responses and notifications are sent by the same layer (`send`); who serves requests
hangs a `coap.serving.Serving` on the engine. Without one every request is refused by RST.

Times are integer milliseconds of any clock that never runs backwards.
"""

from .message import ProtocolError, const, decode
from .params import Params

_QUEUED = const(0)
_SENT = const(1)
_ACKED = const(2)
_OBSERVING = const(3)
_GATHERING = const(4)
_DONE = const(5)

_CON = const(0)  # as in message.py; a name that is imported takes memory
_NON = const(1)
_ACK = const(2)
_RST = const(3)
_OBSERVE = const(6)
_EXCHANGES = const(32)  # of ours at once
_HEARD = const(12)  # separate responses remembered, so that a duplicate is acknowledged again
_OUT = const(32)  # datagrams waiting for the network; more are dropped, as a network does


class Exchange:
    """A message of ours. The endpoint puts what becomes of it into `event` and calls
    `waiter.set()`.

    Memory: its datagram, and on a 32-bit port some 110 bytes.
    """

    def __init__(self, datagram, peer, left):
        self.datagram = datagram  # cut to header and token when it needs no repeating any more
        self.peer = peer
        self.left = left  # transmissions that may still follow the first
        self.state = _QUEUED
        self.due_ms = None  # when it is repeated or given up
        self.timeout_ms = 0
        self.observe = False  # it asks for notifications
        self.waiter = self.event = None

    def is_token(self, token):
        end = 4 + (self.datagram[0] & 15)
        return end == 4 + len(token) and self.datagram[4:end] == token

    def is_request(self):
        return 0 < self.datagram[1] < 0x20


class Engine:
    """Exchanges with any number of peers. `random(bits)` gives that many random bits.

    `rtt` may be a `coap.rtt.Estimates`, for time-outs that follow each peer's round-trip time.
    A message is at most `limit_bytes` long. What waits is bounded as the constants above say.

    Events: ("response", exchange, message); ("acknowledged", exchange), of what `send`
    sent; ("failed", exchange, reason); with a Serving also ("request", incoming, message).
    """

    def __init__(self, random, params=None, rtt=None, limit_bytes=1152):
        self.random = random
        self.params = params or Params()
        self.rtt = rtt
        self.serving = None
        self.exchanges = []
        self._heard = []  # [(peer, mid, until)]
        self._out = []  # [(datagram, peer)]
        self.events = []
        self.mid = random(16)  # of the last message that was sent
        self.limit_bytes = limit_bytes
        self.retransmissions = 0
        self.rejected = 0  # messages that were malformed, or answers to nothing
        self.dropped = 0  # datagrams for which the queue to the network was full

    # What the caller says

    def request(self, message, peer, now, group=False):
        """Send a request, under a new token if it has none, and return its Exchange. `group`: to
        a multicast address, from which every answer within the time is an event.

        Raises ValueError if it does not fit a datagram, OSError if too many wait already.
        """
        if not message.token:
            message.token = self.random(32).to_bytes(4, "big")
        exchange = self.send(message, peer, now)
        exchange.observe = message.uint(_OBSERVE) == 0
        if group:
            exchange.state = _GATHERING
        return exchange

    def send(self, message, peer, now, left=None):
        """Send a message and return its Exchange; `left` bounds how often it is repeated.
        Errors as of `request`. An empty one is a ping (section 4.3): it is "acknowledged" when
        the peer's RST comes.
        """
        if len(self.exchanges) >= _EXCHANGES:
            raise OSError("too many exchanges")
        if message.type != _CON:
            left = 0
        elif left is None:
            left = self.params.max_retransmit
        self.mid = message.mid = self.mid + 1 & 0xFFFF
        exchange = Exchange(self.encode(message), peer, left)
        self.exchanges.append(exchange)
        self._start(now)
        return exchange

    def cancel(self, exchange, now):
        """Forget an exchange: answers that still come are refused by RST, which also ends an
        observation (RFC 7641, section 3.6).
        """
        if exchange.state != _DONE:
            self._set(exchange, _DONE, now)
            self._start(now)

    def encode(self, message):
        size = message.size()
        if size > self.limit_bytes:
            raise ValueError("%d bytes are too many for a datagram" % size)
        datagram = bytearray(size)
        message.encode_into(datagram)
        return datagram

    # Time, bytes and events

    def on_timer(self, now):
        """Do what the time asks for."""
        for i in range(len(self.exchanges) - 1, -1, -1):
            exchange = self.exchanges[i]
            if exchange.due_ms is not None and exchange.due_ms <= now:
                self._overdue(exchange, now)
        if self.serving:
            self.serving.on_timer(now)
        self._start(now)

    def deadline(self):
        """When `on_timer` has something to do, or None."""
        first = None
        for entries in (self.exchanges, self.serving.table if self.serving else ()):
            for entry in entries:
                due = entry.due_ms
                if due is not None and (first is None or due < first):
                    first = due
        return first

    def next_out(self):
        """The next (datagram, peer) to be sent, or None."""
        return self._out.pop(0) if self._out else None

    def next_event(self):
        return self.events.pop(0) if self.events else None

    def put_out(self, datagram, peer):
        if len(self._out) < _OUT:
            self._out.append((datagram, peer))
        else:
            self.dropped += 1

    def receive(self, data, peer, now):
        """Take a datagram. What is malformed is rejected as section 4.2 says, and counted."""
        try:
            message = decode(data)
        except ProtocolError:
            self.rejected += 1
            if len(data) >= 4 and data[0] >> 4 == 4:  # a confirmable message of version 1
                self.reply(_RST, data[2] << 8 | data[3], peer)
            return
        message.peer = peer
        if message.type >= _ACK:
            self._answered(message, now)
        elif 0 < message.code < 0x20 and self.serving:
            self.serving.receive(message, len(data), now)
        elif 0x40 <= message.code < 0xC0:
            self._response(message, now)
        elif message.type == _CON:  # a ping, a request to a mere client, a reserved code
            self.reply(_RST, message.mid, peer)
        self._start(now)

    def reply(self, kind, mid, peer):
        """An empty ACK or RST."""
        self.put_out(bytes((0x40 | kind << 4, 0, mid >> 8, mid & 0xFF)), peer)

    # Exchanges

    def _set(self, exchange, state, now):
        exchange.state = state
        exchange.due_ms = None
        if state == _DONE:
            self.exchanges.remove(exchange)
        elif state in (_ACKED, _OBSERVING):
            exchange.datagram = exchange.datagram[: 4 + (exchange.datagram[0] & 15)]
            exchange.left = 0
            if state == _ACKED:
                exchange.due_ms = now + self.params.lifetime_ms

    def _start(self, now):
        """Send what is queued and may go: `nstart` confirmable messages a peer at once (4.7)."""
        for exchange in self.exchanges:
            if exchange.due_ms is None and exchange.state in (_QUEUED, _GATHERING):
                if exchange.datagram[0] >> 4 != 4:  # no confirmable one
                    params = self.params
                    wait = exchange.is_request()
                    wait = params.transmit_wait_ms if wait else params.ack_timeout_ms
                    exchange.due_ms = now + wait
                    if exchange.state == _QUEUED:
                        exchange.state = _SENT
                elif not self._may_go(exchange, now):
                    continue
                self.put_out(exchange.datagram, exchange.peer)

    def _may_go(self, exchange, now):
        params = self.params
        left = params.nstart
        for other in self.exchanges:
            if other.state == _SENT and other.peer == exchange.peer:
                left -= other.datagram[0] >> 4 == 4
        if left <= 0:
            return False
        base = params.ack_timeout_ms
        if self.rtt:
            base = self.rtt.timeout_ms(exchange.peer, base)
        spread = base * (params.ack_random_percent - 100) // 100
        exchange.timeout_ms = base + (spread * self.random(10) >> 10)
        exchange.due_ms = now + exchange.timeout_ms
        exchange.state = _SENT
        return True

    def _overdue(self, exchange, now):
        if exchange.left:
            exchange.left -= 1
            exchange.timeout_ms *= 2
            exchange.due_ms = now + exchange.timeout_ms
            self.retransmissions += 1
            self.put_out(exchange.datagram, exchange.peer)
        elif exchange.state == _SENT and exchange.datagram[0] >> 4 == 4:
            self._end(exchange, now, "no acknowledgement")
        elif exchange.is_request():
            self._end(exchange, now, "no response")
        else:  # nobody objected to what was not confirmable
            self._end(exchange, now)

    def _end(self, exchange, now, failure=None):
        """It failed for a reason, or was acknowledged."""
        self._set(exchange, _DONE, now)
        if failure:
            self.events.append(("failed", exchange, failure))
        else:
            self.events.append(("acknowledged", exchange))

    # Answers

    def _answered(self, message, now):
        """An ACK or RST: it belongs to the message whose id it bears."""
        for exchange in self.exchanges:
            datagram = exchange.datagram
            if (
                exchange.state == _SENT
                and datagram[2] << 8 | datagram[3] == message.mid
                and exchange.peer == message.peer
            ):
                if self.rtt and exchange.left == self.params.max_retransmit:
                    sent = exchange.due_ms - exchange.timeout_ms
                    self.rtt.sample(message.peer, now - sent)
                return self._end_of(exchange, message, now)
        self.rejected += 1

    def _end_of(self, exchange, message, now):
        code = exchange.datagram[1]
        if message.type == _RST and code:
            self._end(exchange, now, "reset by the peer")
        elif message.type == _RST:  # the answer to a ping
            self._end(exchange, now)
        elif message.code:
            if 0x40 <= message.code < 0xC0 and exchange.is_token(message.token) and code < 0x20:
                self._deliver(exchange, message, now)
            else:
                self.rejected += 1
        elif 0 < code < 0x20:
            self._set(exchange, _ACKED, now)
        elif code:
            if self.serving and self.serving.proofs:
                self.serving.proofs.prove(message.peer)
            self._end(exchange, now)

    def _response(self, message, now):
        """A response that comes by itself: it belongs to the request whose token it bears."""
        for peer, mid, until in self._heard:
            if mid == message.mid and now < until and peer == message.peer:
                if message.type == _CON:
                    self.reply(_ACK, mid, peer)
                return
        for exchange in self.exchanges:
            if (
                _SENT <= exchange.state <= _GATHERING
                and exchange.is_request()
                and exchange.is_token(message.token)
                and (exchange.peer == message.peer or exchange.state == _GATHERING)
            ):
                break
        else:
            self.rejected += 1
            self.reply(_RST, message.mid, message.peer)
            return
        lifetime = self.params.lifetime_ms
        if message.type == _NON:
            lifetime = self.params.non_lifetime_ms
        else:
            self.reply(_ACK, message.mid, message.peer)
        if len(self._heard) >= _HEARD:
            self._heard.pop(0)
        self._heard.append((message.peer, message.mid, now + lifetime))
        self._deliver(exchange, message, now)

    def _deliver(self, exchange, message, now):
        if message.bad is not None:
            return self._end(exchange, now, "critical option %d" % message.bad)
        if exchange.state != _GATHERING:
            goes_on = (
                exchange.observe and message.code < 0x80 and message.get(_OBSERVE) is not None
            )
            self._set(exchange, _OBSERVING if goes_on else _DONE, now)
        self.events.append(("response", exchange, message))
