"""Does anything bring an endpoint down, or make it keep what it should not?

    python -m host_tests.coap.fuzz --count 1000000 [--seed N]

Random and damaged datagrams, from few and from many peers, reach an engine that serves, asks and
is observed, while its time goes on. Whatever comes is an event or is rejected; what is kept stays
within its bounds, and no address that has proven nothing is sent more than three times what it
sent.
"""
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false

import argparse
import collections
import random
import sys

from coap.message import Message
from coap.observe import Observers
from coap.proof import Proofs
from host_tests.coap.test_message import ACCEPTS
from host_tests.coap.wire import EDGE, Party


class Target:
    """A party that answers, and counts what it is sent and sends."""

    def __init__(self, seed):
        self.party = Party("target", seed, serves=True)
        self.engine = self.party.engine
        self.engine.serving.proofs = Proofs(b"secret")
        self.observers = Observers(self.engine, limit=4)
        self.took, self.gave = collections.Counter(), collections.Counter()
        self.now = EDGE

    def step(self, datagram, peer, ms):
        self.now += ms
        self.took[peer] += len(datagram)
        self.engine.receive(datagram, peer, self.now)
        self.engine.on_timer(self.now)
        self._answer()
        while out := self.engine.next_out():
            self.gave[out[1]] += len(out[0])

    def ask(self, peer):
        """A request of ours; what it is sent for that is no answer to it."""
        if len(self.engine.exchanges) < 16:
            self.engine.request(Message(1), peer, self.now)
            self.took[peer] += 5 * 8

    def _answer(self):
        while event := self.engine.next_event():
            if event[0] == "request":
                incoming, message = event[1:]
                response = Message(0x45, bytes(message.mid % 200))
                if message.uint(6) == 0:
                    number = self.observers.register(message, "resource", incoming.room)
                    response.add(6, number)
                self.engine.serving.respond(incoming, response, self.now)

    def check(self):
        engine = self.engine
        assert len(engine.exchanges) <= 32 and len(engine.serving.table) <= 24
        assert len(self.observers.all) <= 4 and len(engine._heard) <= 12
        for peer, given in self.gave.items():
            if not engine.serving.proofs.is_proven(peer):
                assert given <= 3 * self.took[peer], (peer, given, self.took[peer])


def spoilt(rng):
    """A datagram: random, or a golden one that was damaged."""
    if rng.random() < 0.3:
        return rng.randbytes(rng.randrange(40))
    data = bytearray(rng.choice(ACCEPTS))
    for _ in range(rng.choice((0, 1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.2:
        del data[rng.randrange(len(data)) :]
    return bytes(data)


def run(count, seed):
    rng = random.Random(seed)
    target = Target(seed)
    for number in range(count):
        many = rng.random() < 0.5
        peer = f"peer {rng.randrange(10_000) if many else rng.randrange(4)}"
        if rng.random() < 0.02:
            target.ask(peer)
        target.step(spoilt(rng), peer, rng.choice((0, 0, 1, 50, 3000)))
        if number % 1000 == 0:
            target.check()
    target.check()
    return target


def main():
    parser = argparse.ArgumentParser(prog="coap.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    target = run(arguments.count, arguments.seed)
    print(f"{arguments.count} datagrams, {target.engine.rejected} rejected, "
          f"{target.engine.serving.duplicates} duplicates; nothing grew, nothing broke")
    return 0


if __name__ == "__main__":
    sys.exit(main())
