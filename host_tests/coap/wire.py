"""Two engines back to back: a wire that loses what it is told to, in a time of its own."""
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
# pyright: reportPossiblyUnboundVariable=false

import random

from coap.exchange import Engine
from coap.message import Message
from coap.proof import Proofs
from coap.serving import Serving

EDGE = 1 << 30
"""Milliseconds at which a board's counter wraps and a small int of a 32-bit port ends."""

GET, POST = 1, 2
CONTENT = 0x45


class Party:
    """An engine, and what became of it."""

    def __init__(self, name, seed, serves=False, proofs=False, **options):
        self.name = name
        generator = random.Random(f"{name} {seed}")
        self.engine = Engine(generator.getrandbits, **options)
        if serves:
            secret = generator.randbytes(16)
            Serving(self.engine, Proofs(secret) if proofs else None)
        self.events = []

    def told(self, name):
        return [event for event in self.events if event[0] == name]


class Wire:
    """`lost(n)` says whether datagram n, counted from 0, is lost. `answer(incoming, message)` is
    called for every request of the server.
    """

    def __init__(self, answer=None, lost=lambda n: False, seed=0, start=EDGE - 1000, **options):
        self.now = start
        self.client = Party("client", seed, **options)
        self.server = Party("server", seed, serves=True, **options)
        self.lost = lost
        self.answer = answer or (lambda incoming, message: None)
        self.next_step = lambda event: None  # the client's, at every event of its own
        self.sent = []  # (from, datagram)
        self.later = []  # (when, function)

    def request(self, message=None, **more):
        message = message or Message(GET)
        return self.client.engine.request(message, "server", self.now, **more)

    def respond(self, incoming, code=CONTENT, payload=b"x", after_ms=None):
        def do():
            self.server.engine.serving.respond(incoming, Message(code, payload), self.now)

        if after_ms is None:
            do()
        else:
            self.later.append((self.now + after_ms, do))

    def run(self, until_ms=10_000_000):
        """Until nothing is owed to anybody any more, at most so long."""
        end = self.now + until_ms
        while True:
            while self._deliver():
                pass
            due = [when for when, _ in self.later]
            due += [self.client.engine.deadline(), self._serving_deadline()]
            due = [when for when in due if when is not None]
            if not due or min(due) > end:
                return
            self.now = max(self.now, min(due))
            for entry in [entry for entry in self.later if entry[0] <= self.now]:
                self.later.remove(entry)
                entry[1]()
            for party in (self.client, self.server):
                party.engine.on_timer(self.now)
                self._take_events(party)

    def _serving_deadline(self):
        """Without the time at which answered requests are forgotten: nobody waits for that."""
        due = [exchange.due_ms for exchange in self.server.engine.exchanges]
        serving = self.server.engine.serving
        due += [i.due_ms for i in serving.table if i.state == 0] if serving else []
        return min((when for when in due if when is not None), default=None)

    def _deliver(self):
        """Move what both have to send; returns whether there was anything."""
        moved = False
        for party, other in ((self.client, self.server), (self.server, self.client)):
            while out := party.engine.next_out():
                datagram, peer = out
                assert peer == other.name
                number = len(self.sent)
                self.sent.append((party.name, bytes(datagram)))
                moved = True
                if not self.lost(number):
                    other.engine.receive(datagram, party.name, self.now)
                    self._take_events(other)
        return moved

    def _take_events(self, party):
        while event := party.engine.next_event():
            party.events.append(event)
            if event[0] == "request":
                self.answer(*event[1:])
            elif party is self.client:
                self.next_step(event)
            elif event[1].waiter:
                event[1].event = event
                event[1].waiter.set()
