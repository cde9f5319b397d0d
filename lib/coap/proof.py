"""Which peers have proven that their address is theirs (RFC 9175, section 2.4).

A datagram's source is easily forged, and a server that answers 20 bytes with 1,000 is a weapon
against whoever lives there. So an address that has proven nothing is sent at most three times
what came from it. It proves itself by an Echo option that it was sent before, or by
acknowledging a confirmable message of ours, whose id nobody else can know.
"""

from hashlib import sha256

from .message import const

_PEERS = const(32)
_WINDOW_MS = const(60_000)  # an Echo is good for one to two of these
_LENGTH = const(8)


class Proofs:
    """`secret`: random bytes, new at every start. Memory: the peers' addresses, 32 of them."""

    def __init__(self, secret):
        self._secret = secret
        self._proven = []  # heard of last at the end

    def is_proven(self, peer):
        return peer in self._proven

    def prove(self, peer):
        if peer in self._proven:
            self._proven.remove(peer)
        elif len(self._proven) >= _PEERS:
            self._proven.pop(0)
        self._proven.append(peer)

    def echo(self, peer, now):
        """The Echo option that proves `peer` if it comes back."""
        return self._sign(peer, now // _WINDOW_MS)

    def check(self, peer, echo, now):
        """Whether `echo` is what we sent to `peer`; then it is proven."""
        window = now // _WINDOW_MS
        if echo not in (self._sign(peer, window), self._sign(peer, window - 1)):
            return False
        self.prove(peer)
        return True

    def _sign(self, peer, window):
        return sha256(self._secret + repr((peer, window)).encode()).digest()[:_LENGTH]
