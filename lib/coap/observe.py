"""Observing resources (RFC 7641): Order at the client, Observers at the server.

A server's observer, whose notifications may be lost, is brought up to date like this:

               changed()                        send()
     CURRENT ------------> STALE (the edge makes -------> CURRENT, under way ---+
                            ^ a representation)               | acknowledged    |
                            |                                 v                 | failed, RST
                            +---- changed() meanwhile ----- CURRENT             v
                                  (the latest value replaces)             forgotten

One notification is under way to an observer at a time (section 4.5.1); every so often it is
confirmable, so that one that went away is noticed.
"""

from .message import const

_CON = const(0)
_NON = const(1)
_OBSERVE = const(6)
_MAX_AGE = const(14)
_KEPT = (15, 17, 23)  # Uri-Query, Accept, Block2: what a representation depends on
_NEWER = const(1 << 23)
_FORGET_MS = const(128_000)


class Order:
    """Tells new notifications from late ones (section 3.4), and when to ask again."""

    def __init__(self):
        self._number = None
        self._at = 0
        self.due_ms = None  # when what we have is too old: Max-Age, and a little for the network

    def take(self, message, now, slack_ms=2000):
        """Whether `message` is newer than what came before."""
        number = message.uint(_OBSERVE)
        last = self._number
        if (
            number is not None
            and last is not None
            and now <= self._at + _FORGET_MS
            and not 0 < number - last & 0xFFFFFF < _NEWER
        ):
            return False
        max_age = message.uint(_MAX_AGE)
        self._number = number
        self._at = now
        self.due_ms = now + (60 if max_age is None else max_age) * 1000 + slack_ms
        return True


class Observer:
    """Who is told of a resource. Memory: at most 200 bytes on a 32-bit port."""

    def __init__(self, request, resource, room):
        self.peer = request.peer
        self.token = request.token
        self.resource = resource
        self.confirmable = request.type == _CON
        self.room = room  # bytes that may be sent while the peer's address is not proven, or None
        self.options = []
        for option in request.options:
            if option[0] in _KEPT:
                self.options.append(option)
        self.stale = False
        self.exchange = None  # the notification that is under way
        self.count = 0  # notifications so far


class Observers:
    """At most `limit`; a new one takes the place of the one that was heard of longest ago.

    Who registered by a confirmable request is notified by confirmable messages, others by one in
    `every`.
    """

    def __init__(self, engine, limit=8, every=8):
        self._engine = engine
        self._limit = limit
        self._every = every
        self._number = 0
        self.all = []  # heard of last at the end
        self.evicted = 0
        self.on_free = None  # called when a notification is no longer under way

    def register(self, request, resource, room=None):
        """Return the Observe value for the response to a registration."""
        self.cancel(request.peer, request.token)
        if len(self.all) >= self._limit:
            self.all.pop(0)
            self.evicted += 1
        self.all.append(Observer(request, resource, room))
        return self._next()

    def cancel(self, peer, token):
        for observer in self.all:
            if observer.token == token and observer.peer == peer:
                self.all.remove(observer)
                return

    def changed(self, resource):
        """The resource has a new value: `stale` gives who must be told."""
        for observer in self.all:
            if observer.resource is resource:
                observer.stale = True

    def stale(self):
        """An observer to whom a notification may be sent now, or None."""
        for observer in self.all:
            if observer.stale and observer.exchange is None:
                proofs = self._engine.serving.proofs
                if proofs is None or proofs.is_proven(observer.peer):
                    observer.room = None
                return observer
        return None

    def send(self, observer, message, now):
        """Send a representation; an error is the last that an observer is told (section 4.2)."""
        observer.stale = False
        message.token = observer.token
        observer.count += 1
        if message.code >= 0x80:
            self.cancel(observer.peer, observer.token)
        else:
            message.add(_OBSERVE, self._next())
            if not observer.confirmable and observer.count % self._every:
                message.type = _NON
        left = None  # how often it may be repeated: as often as any message
        if observer.room is not None:
            message.type = _CON  # its acknowledgement is a proof
            size = message.size()
            left = observer.room // size - 1
            observer.room -= size * (left + 1)
            if left < 0:  # it has not proven that it wants any of this
                self.cancel(observer.peer, observer.token)
                return
        exchange = observer.exchange = self._engine.send(message, observer.peer, now, left)
        exchange.waiter = self

    def set(self):
        """Notifications are no longer under way: take what became of them."""
        for observer in list(self.all):
            event = observer.exchange and observer.exchange.event
            if event:
                observer.exchange = None
                self.all.remove(observer)
                if event[0] != "failed":  # alive: the last to give way
                    self.all.append(observer)
        if self.on_free:
            self.on_free()

    def _next(self):
        self._number = self._number + 1 & 0xFFFFFF
        return self._number
