"""What a proxy saw: lists that only grow, written by the proxy's thread, read by the test's."""

import dataclasses
import threading
import time

_ASK_AGAIN_S = (
    0.1  # a predicate may look at more than the proxy, which tells nobody of its changes
)


@dataclasses.dataclass(frozen=True)
class Segment:
    """What one recv() gave; `time` is monotonic, `connection` counts from 1."""

    data: bytes
    direction: str
    time: float
    connection: int


class Records:
    """Everything observed so far, and a way to wait for more.

    `arrived` and `delivered` hold (direction, Packet): as it came from its sender, and once its
    last byte was given to its receiver. `failures` are defects of the proxy itself.
    """

    def __init__(self):
        self._changed = threading.Condition()
        self._version = 0
        self.connect_times = []
        self.segments = []
        self.arrived = []
        self.delivered = []
        self.released = 0
        self.failures = []

    def add(self, collection, item):
        """Appends `item` to one of the lists above and wakes whoever waits."""
        collection.append(item)
        self.changed()

    def changed(self):
        """Wakes whoever waits."""
        with self._changed:
            self._version += 1
            self._changed.notify_all()

    def wait_for(self, predicate, deadline_s, what):
        """The first true answer of `predicate()`, asked after each change and now and then.

        It is asked without a lock held, so it may give the proxy commands. TimeoutError says
        what was seen.
        """
        ends = time.monotonic() + deadline_s
        while True:
            seen = self._version
            answer = predicate()
            if answer:
                return answer
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{what}: not within {deadline_s} s; {self.summary()}")
            with self._changed:
                self._changed.wait_for(lambda: self._version != seen, min(left, _ASK_AGAIN_S))  # noqa: B023

    def summary(self):
        """One line for a failing test."""
        ages = [f"{time.monotonic() - at:.1f}" for at in self.connect_times[-5:]]
        return (
            f"the proxy saw {len(self.connect_times)} connections "
            f"(the last ones {', '.join(ages) or '-'} s ago), {len(self.arrived)} packets "
            f"arrived, {len(self.delivered)} were delivered, {self.released} released"
        )

    def forget(self):
        """Empties the lists of traffic; connection times and counts stay."""
        for traffic in (self.segments, self.arrived, self.delivered):
            traffic.clear()
