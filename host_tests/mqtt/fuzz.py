"""Does anything but an event, a ProtocolError or patience come of what a broker sends, and does
any order of losses cost a message?

    python -m host_tests.mqtt.fuzz --count 100000 [--seed N]

Half of it are conversations with random damage, in random pieces; the rest are whole lives of an
engine and a broker whose wire is cut at random bytes, and whose power is.
"""

import argparse
import random
import sys
import time

from host_tests.mqtt import test_every_byte as lives
from host_tests.mqtt import test_power_cuts as powers
from host_tests.mqtt.pair import Pair
from host_tests.mqtt.test_packets import TALKS, listen, waiting
from mqtt.packet import ProtocolError

LIVES_OF = 200  # damaged conversations for each life


def damaged(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        what, at = rng.randrange(4), rng.randrange(len(data))
        if what == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            data[at] = rng.randrange(256)
        elif what == 2 and len(data) > 12:
            del data[at : at + rng.randint(1, 9)]
        else:
            data[at:at] = rng.randbytes(rng.randint(1, 9))
    return bytes(data)


def converse(rng):
    """A damaged conversation; only ProtocolError is allowed."""
    level = rng.choice((4, 5))
    data = damaged(rng, b"".join(rng.sample(TALKS[level], rng.randint(1, 9))))
    made, at = waiting(level), 0
    try:
        while at < len(data):
            size = rng.choice((1, 3, 17, 200))
            listen(made, data[at : at + size])
            at += size
    except ProtocolError:
        pass


def live(rng):
    random.seed(rng.getrandbits(32))
    level = rng.choice((4, 5))
    cuts = [rng.randint(1, 150) for _ in range(rng.randint(1, 15))]
    if rng.random() < 0.5:
        pair = Pair(level, window=rng.randint(1, 5))
        lives.story(pair, cuts)
        lives.check(pair)
    else:
        powers.check(powers.tell(level, cuts, rng.randint(1, 5)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    given = parser.parse_args()
    rng, start = random.Random(given.seed), time.monotonic()
    print(f"mqtt: {given.count} conversations, seed {given.seed}", flush=True)
    for number in range(given.count):
        try:
            converse(rng)
            if number % LIVES_OF == 0:
                live(rng)
        except Exception:
            print(f"number {number}, --seed {given.seed}", file=sys.stderr)
            raise
    print(f"mqtt: fine, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
