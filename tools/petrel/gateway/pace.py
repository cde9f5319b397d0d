"""How a sink is given messages: how many at a time, and when again after a failure.

                 delivered: twice as many next time, up to `most`
    .---------------------------------------------------------.
    v                                                          |
    batch --> refused, more than one: half as many ------------+
         \\-> refused, one alone: aside with it, on with the rest
          \\> failed: the same batch again, after a delay with full jitter or the peer's own

So one message that a peer refuses is found in a few attempts and takes none of its batch with it,
and a batch that may have arrived is repeated as it was, under the same key. No clock in here.
"""

from backoff import Backoff


class Retry(Exception):
    """The sink could not take the batch now; after_s: what the peer asked us to wait, or None."""

    def __init__(self, why, after_s=None):
        super().__init__(why)
        self.after_s = after_s


class Refused(Exception):
    """The sink will never take this batch as it is."""


class Pace:
    """size: messages of the next batch. failures: of the batch in a row."""

    def __init__(self, most, first_s=0.5, max_s=60):
        self.most = self.size = most
        self.max_s = max_s
        self._backoff = Backoff(int(first_s * 1000), int(max_s * 1000))

    @property
    def failures(self):
        return self._backoff.failures

    def delivered(self):
        self.size = min(self.most, self.size * 2)
        self._backoff.reset()

    def refused(self, count):
        """A batch of `count` was refused: True if it is to be tried in parts."""
        self._backoff.reset()
        self.size = max(1, count // 2)
        return count > 1

    def failed(self, after_s=None):
        """Seconds to wait. A peer that asks for more time gets it, up to ten times `max_s`, and
        never more load than the backoff allows.
        """
        delay_s = self._backoff.next_ms() / 1000
        return max(delay_s, min(after_s or 0, 10 * self.max_s))
