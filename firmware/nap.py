"""What a life of the queue takes through a deep sleep, and what it decides by.

A deep sleep is a pause of one life, not its end: stream, numbers and uptime go on. So a reading
after it is due at a multiple of its interval like those before, and dated by the same offset.

    bytes   4 stream      8 wake_ms     2 wakes       4 before's stream   1 flags
            4 n           8 offset      2 failures    4 before's n        1 version
                          8 next_ms     2 lead_ms
"""

import struct

_FORMAT = "<IIqqqHHHIIBB"
_VERSION = 1
_NEVER = -1 << 62
_MOST = 0xFFFF
_DOUBLED = 16

# flags
_TOLD, _DATED, _ALARMED, _URGENT, _ENDED = 1, 2, 4, 8, 16


class Nap:
    """stream, n: of the last reading; 0, 0 in a new life. before: as of `Identity`, until a birth
    has said it. wake_ms: uptime at which the sleep was to end. offset: Unix ms at uptime 0, None
    while it was never known. next_ms: uptime of the next reading. wakes: since the last delivery.
    failures: deliveries in a row that failed. lead_ms: how long the board takes from its waking up
    to a reading. told: as of `Lives`. alarmed: a value was beyond its limit. urgent: somebody is
    to hear of us at the next wake-up.
    """

    def __init__(self):
        self.stream = self.n = 0
        self.before = self.offset = self.told = None
        self.wake_ms = self.next_ms = self.wakes = self.failures = self.lead_ms = 0
        self.alarmed = False
        self.urgent = True  # whoever has just switched it on waits for it

    # ---- the schedule

    def follow(self, now, wall_ms, interval_ms):
        """Uptime, where our own count says `now` and the board's clock `wall_ms`, or None.

        The clock knows how long the chip took to start, which we don't. It is followed within an
        interval; what it is off by in whole ones, because somebody has set it, changes the dates
        alone, and no reading is skipped or waited for long.
        """
        if wall_ms is None:
            return now
        if self.offset is None:
            self.offset = wall_ms - now
        ahead = wall_ms - self.offset - now
        steps = (ahead + interval_ms // 2) // interval_ms
        if steps:
            self.offset += steps * interval_ms
            self.told = False if self.told else self.told
        return now + ahead - steps * interval_ms

    # ---- the deliveries

    def alarm(self, beyond):
        """Is any value beyond its limit? That it begins and that it ends are both news."""
        self.urgent = self.urgent or beyond != self.alarmed
        self.alarmed = beyond

    def to_deliver(self, every, most):
        """Is it time for a delivery, of which there is one at every so many wake-ups? Those that
        fail are tried again after twice as many, and so on up to `most`.
        """
        turn = (1 if self.urgent else every) << min(self.failures, _DOUBLED)
        return self.wakes >= min(turn, most)

    def delivered(self, everything):
        """A delivery is over; was everything delivered?"""
        self.wakes = 0
        if everything:
            self.failures, self.urgent = 0, False
        else:
            self.failures += 1

    # ---- as bytes

    def pack(self):
        before = self.before or {"s": 0, "n": 0}
        flags = (
            (self.told is not None and _TOLD)
            | (bool(self.told) and _DATED)
            | (self.alarmed and _ALARMED)
            | (self.urgent and _URGENT)
            | ("end" in before and _ENDED)
        )
        offset = _NEVER if self.offset is None else self.offset
        times = self.wake_ms, offset, self.next_ms
        counts = [min(x, _MOST) for x in (self.wakes, self.failures, self.lead_ms)]
        last = before["s"], before["n"], flags, _VERSION
        return struct.pack(_FORMAT, self.stream, self.n, *times, *counts, *last)


def unpack(data):
    """The Nap that was packed; a new one if `data` is None, or none of ours."""
    nap = Nap()
    if not data or len(data) != struct.calcsize(_FORMAT) or data[-1] != _VERSION:
        return nap
    nap.stream, nap.n, nap.wake_ms, offset, nap.next_ms, *more = struct.unpack(_FORMAT, data)
    nap.wakes, nap.failures, nap.lead_ms, stream, n, flags, _ = more
    nap.offset = None if offset == _NEVER else offset
    if stream:
        nap.before = {"s": stream, "n": n}
        if flags & _ENDED:
            nap.before["end"] = True
    nap.told = bool(flags & _DATED) if flags & _TOLD else None
    nap.alarmed, nap.urgent = bool(flags & _ALARMED), bool(flags & _URGENT)
    return nap
