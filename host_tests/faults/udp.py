"""A relay for UDP that loses, doubles and reorders datagrams: by a seed, or those it is told to.

    client socket <-> relay port | one socket a client <-> target

What happens to a datagram depends on the seed, its direction and its number in that direction
alone, so that two peers tried with the same seed meet the same network.
"""

import collections
import contextlib
import heapq
import random
import selectors
import socket
import threading
import time

TO_SERVER, TO_CLIENT = "to_server", "to_client"

_LONGEST = 65536
_IDLE_S = 0.05


class UdpRelay:
    """Listens on `port`. `loss`, `double` and `late` are probabilities of each datagram, each way;
    one that is late arrives `late_s` after its successors.

    drop(direction, *numbers) loses the datagrams of these numbers, counted from 1, besides.
    `seen` is [(direction, number, bytes, what became of it)].
    """

    def __init__(self, target, seed=0, loss=0.0, double=0.0, late=0.0, late_s=0.03):
        self._target = ("127.0.0.1", target)
        self._seed = seed
        self.loss = loss
        self._double, self._late, self._late_s = double, late, late_s
        self._drops = collections.defaultdict(set)
        self._counts = collections.Counter()
        self._waiting = []  # heap of (when, number, socket, data, address)
        self._clients = {}  # address -> socket towards the target
        self._addresses = {}  # that socket -> address
        self.seen = []
        self._front = self._socket()
        self._front.bind(("127.0.0.1", 0))
        self.port = self._front.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ)
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over = True
        self._thread.join(10)
        for sock in [self._front, *self._clients.values()]:
            sock.close()
        self._selector.close()

    def drop(self, direction, *numbers):
        self._drops[direction].update(numbers)

    def summary(self):
        fates = collections.Counter((direction, fate) for direction, _, _, fate in self.seen)
        return f"seed {self._seed}: " + ", ".join(
            f"{direction} {fate} {count}" for (direction, fate), count in sorted(fates.items())
        )

    def _socket(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        return sock

    def _run(self):
        while not self._over:
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                self._send(*heapq.heappop(self._waiting)[2:])
            wait = min(_IDLE_S, self._waiting[0][0] - now) if self._waiting else _IDLE_S
            for key, _ in self._selector.select(wait):
                self._read(key.fileobj)

    def _read(self, sock):
        with contextlib.suppress(OSError):  # a refusal of what was sent before
            data, address = sock.recvfrom(_LONGEST)
            if sock is self._front:
                self._pass(TO_SERVER, data, self._towards_target(address), self._target)
            else:
                self._pass(TO_CLIENT, data, self._front, self._addresses[sock])

    def _towards_target(self, address):
        if address not in self._clients:
            sock = self._clients[address] = self._socket()
            sock.bind(("127.0.0.1", 0))
            self._addresses[sock] = address
            self._selector.register(sock, selectors.EVENT_READ)
        return self._clients[address]

    def _pass(self, direction, data, sock, address):
        self._counts[direction] += 1
        number = self._counts[direction]
        chance = random.Random(f"{self._seed} {direction} {number}")
        lost, double, late = (chance.random() for _ in range(3))
        fate = "passed"
        if number in self._drops[direction] or lost < self.loss:
            fate = "lost"
        elif late < self._late:
            fate = "late"
            heapq.heappush(
                self._waiting,
                (time.monotonic() + self._late_s, len(self.seen), sock, data, address),
            )
        else:
            self._send(sock, data, address)
            if double < self._double:
                fate = "doubled"
                self._send(sock, data, address)
        self.seen.append((direction, number, data, fate))

    def _send(self, sock, data, address):
        with contextlib.suppress(OSError):
            sock.sendto(data, address)
