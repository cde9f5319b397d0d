"""The server's side of requests (RFC 7252, sections 4.5 and 5.2): each is told of once, and its
reply kept for duplicates.

                     respond()
      ASKED ---------------------------> ANSWERED ---> forgotten after EXCHANGE_LIFETIME, or
        |                                   ^          sooner to make room
        | no answer yet: empty ACK          | respond(): a separate response
        +-----------> PROMISED -------------+

A request that must not be answered (RFC 7967) is acknowledged all the same.
"""

from .message import Message, const

_ASKED = const(0)
_PROMISED = const(1)
_ANSWERED = const(2)

_CON = const(0)
_NON = const(1)
_ACK = const(2)
_ECHO = const(252)
_NO_RESPONSE = const(258)
_BAD_OPTION = const(0x82)
_UNAUTHORIZED = const(0x81)
_FLOODED = const(0x9D)
_MAX_AGE = const(14)


class Incoming:
    """A request of a peer's. `room`: bytes that may be sent for it, while the peer's address is
    not proven, else None.
    """

    def __init__(self, message, room, due_ms):
        self.peer = message.peer
        self.mid = message.mid
        self.token = message.token
        self.type = message.type
        self.quiet = message.uint(_NO_RESPONSE) or 0
        self.room = room
        self.state = _ASKED
        self.due_ms = due_ms
        self.reply = None  # what a duplicate is answered with


class Serving:
    """Hangs itself on `engine`. `proofs` is a `coap.proof.Proofs`; without one every address is
    trusted, as it is under DTLS.

    Memory: `requests` of about 120 bytes on a 32-bit port, and `reply_bytes` of replies.
    """

    def __init__(self, engine, proofs=None, requests=24, reply_bytes=4096):
        engine.serving = self
        self._engine = engine
        self.proofs = proofs
        self._requests = requests
        self._reply_bytes = reply_bytes
        self.table = []  # oldest first
        self.duplicates = 0
        self.refused = 0  # for want of room

    def receive(self, message, size, now):
        """A request came, in a datagram of `size` bytes."""
        for known in self.table:
            if known.mid == message.mid and known.peer == message.peer:
                self.duplicates += 1
                if known.reply and message.type == _CON:
                    self._engine.put_out(known.reply, known.peer)
                return
        room = self._room(message, size, now)
        incoming = Incoming(message, room, now + self._engine.params.ack_timeout_ms // 2)
        if message.bad is not None:
            self._refuse(incoming, _BAD_OPTION, now)
        elif len(self.table) >= self._requests and not self._make_room():
            self.refused += 1
            self._refuse(incoming, _FLOODED, now)
        else:
            self.table.append(incoming)
            self._engine.events.append(("request", incoming, message))

    def respond(self, incoming, message, now):
        """Answer: in the acknowledgement if that is not sent yet, else separately. Returns the
        Exchange of a separate response that is to be acknowledged, or None.

        Raises ValueError if it does not fit a datagram, OSError if too many exchanges are under
        way. What an unproven address may not be sent becomes a 4.01 with an Echo option
        (RFC 9175).
        """
        message.token = incoming.token
        if incoming.quiet >> (message.code >> 5) - 1 & 1:
            self._keep_quiet(incoming, now)
            return None
        separate = incoming.state == _PROMISED
        message.type = _CON if separate else _ACK
        message.mid = incoming.mid
        if incoming.type == _NON:  # nothing is owed to it
            message.type = _NON
            self._engine.mid = message.mid = self._engine.mid + 1 & 0xFFFF
        data = self._engine.encode(message)
        if incoming.room is not None and len(data) > incoming.room:
            ask = Message(_UNAUTHORIZED, type=message.type)
            ask.mid, ask.token = message.mid, message.token
            ask.add(_ECHO, self.proofs.echo(incoming.peer, now))
            message, data = ask, self._engine.encode(ask)
            if len(data) > incoming.room:
                self._keep_quiet(incoming, now)
                return None
        if not separate:
            self._answered(incoming, data, now)
            self._engine.put_out(data, incoming.peer)
            return None
        left = None if incoming.room is None else incoming.room // len(data) - 1
        try:
            return self._engine.send(message, incoming.peer, now, left)
        finally:  # there may be no room for it: then it is as if it were lost
            self._answered(incoming, incoming.reply, now)

    def on_timer(self, now):
        table = self.table
        for i in range(len(table) - 1, -1, -1):
            incoming = table[i]
            if incoming.due_ms is None or incoming.due_ms > now:
                continue
            if incoming.state == _ANSWERED:
                table.pop(i)
            else:
                incoming.due_ms = None
                if incoming.type == _CON:
                    self._promise(incoming)
                    self._engine.put_out(incoming.reply, incoming.peer)

    def _room(self, message, size, now):
        proofs = self.proofs
        if proofs is None or proofs.is_proven(message.peer):
            return None
        echo = message.get(_ECHO)
        if echo is not None and proofs.check(message.peer, echo, now):
            return None
        return 3 * size

    def _refuse(self, incoming, code, now):
        """Answer what is not remembered; only what wants an answer."""
        if incoming.type == _CON:
            message = Message(code)
            if code == _FLOODED:
                message.add(_MAX_AGE, 10)
            self.respond(incoming, message, now)

    def _promise(self, incoming):
        incoming.state = _PROMISED
        incoming.reply = bytes((0x60, 0, incoming.mid >> 8, incoming.mid & 0xFF))
        if incoming.room is not None:
            incoming.room -= 4

    def _keep_quiet(self, incoming, now):
        if incoming.type == _CON and incoming.state == _ASKED:
            self._promise(incoming)
            self._engine.put_out(incoming.reply, incoming.peer)
        self._answered(incoming, incoming.reply, now)

    def _answered(self, incoming, reply, now):
        params = self._engine.params
        lifetime = params.lifetime_ms if incoming.type == _CON else params.non_lifetime_ms
        incoming.state = _ANSWERED
        incoming.due_ms = now + lifetime
        incoming.reply = reply
        kept = -self._reply_bytes
        for other in self.table:
            kept += len(other.reply or b"")
        while kept > 0:
            forgotten = self._make_room()
            if not forgotten:
                break
            kept -= len(forgotten.reply or b"")

    def _make_room(self):
        """Forget the oldest answered request, one of an unproven address if there is any: a flood
        of forged ones must not make us run a known peer's request twice. Returns it; None if all
        are under way.
        """
        oldest = None
        for incoming in self.table:
            if incoming.state == _ANSWERED:
                if incoming.room is not None:
                    oldest = incoming
                    break
                oldest = oldest or incoming
        if oldest:
            self.table.remove(oldest)
        return oldest
