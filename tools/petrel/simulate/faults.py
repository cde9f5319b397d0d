"""What happens to a device, and when: drawn from the seed, so that it happens again.

    DROP      the connection breaks, and is made again soon
    OUTAGE    the network is away for a while; readings wait in the device
    GAP       some readings never come
"""

import random

DROP, OUTAGE, GAP = "drop", "outage", "gap"
_OFTEN = {DROP: 3, OUTAGE: 2, GAP: 1}
DROP_S, OUTAGE_S, GAP_READINGS = (1, 5), (10, 60), (1, 20)


class Faults:
    """Those of one device. per_hour: how many, on average; 0 for none. due_ms: the next one's
    uptime, None for never.
    """

    def __init__(self, seed, per_hour):
        self._random = random.Random(seed)
        self._per_hour = per_hour
        self.due_ms = None
        self._draw(0)

    def take(self, now):
        """(kind, how much) of the fault that is due, in ms or readings; None before."""
        if self.due_ms is None or now < self.due_ms:
            return None
        self._draw(now)
        kind = self._random.choices([*_OFTEN], [*_OFTEN.values()])[0]
        if kind == GAP:
            return kind, self._random.randint(*GAP_READINGS)
        return kind, round(1000 * self._random.uniform(*(DROP_S if kind == DROP else OUTAGE_S)))

    def _draw(self, now):
        if self._per_hour:
            self.due_ms = now + 1 + round(self._random.expovariate(self._per_hour) * 3_600_000)
