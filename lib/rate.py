"""A rate limit in whole numbers: so many events a second, with a burst of 20 ms' worth, but at
least one event.
"""


class RateLimit:
    def __init__(self, per_s, now):
        self.per_s = per_s
        self._full = max(1000, per_s * 20)
        self._credit = self._full  # in thousandths of an event
        self._then = now

    def wait_ms(self, now):
        """Milliseconds until the next event may happen; 0 is now, and then `take` it."""
        self._credit = min(self._full, self._credit + (now - self._then) * self.per_s)
        self._then = now
        return max(0, (1000 - self._credit + self.per_s - 1) // self.per_s)

    def take(self):
        self._credit -= 1000
