"""Exponential backoff with full jitter, in integer milliseconds.

The n-th delay after a success is drawn evenly from `first_ms` to `min(max_ms, first_ms * 2**n)`,
n starting at 1: never sooner than `first_ms`, so that a device cannot hammer its peer, never
later than `max_ms`, and spread over the whole range between, so that a fleet which lost its
broker at one moment does not come back at one moment.
"""

from random import getrandbits


def _below(n):
    """A random integer from 0 to n - 1 (MicroPython's randrange is not on every port)."""
    bits = 1
    while n >> bits:
        bits += 1
    while True:
        value = getrandbits(bits)
        if value < n:
            return value


class Backoff:
    """`below(n)` gives a random integer from 0 to n - 1; tests replace it."""

    def __init__(self, first_ms, max_ms, below=_below):
        if not 0 < first_ms <= max_ms:
            raise ValueError("backoff needs 0 < first_ms <= max_ms")
        self._first = first_ms
        self.max_ms = max_ms
        self._below = below
        self._cap = first_ms
        self.failures = 0

    def next_ms(self):
        """The delay to wait after one more failure."""
        self.failures += 1
        self._cap = min(self.max_ms, self._cap * 2)
        return self._first + self._below(self._cap - self._first + 1)

    def reset(self):
        """Start again at `first_ms`: the peer has proven itself."""
        self.failures = 0
        self._cap = self._first
