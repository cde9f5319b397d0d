"""The time from NTP servers, by `ntptime`, which blocks for up to a second a call, and for as long
as the name server takes before that: one server a call, at a moment that the caller chooses.
"""

# pyright: reportAttributeAccessIssue=true

from micropython import const

from ..log import log

_RETRY_MS = const(15_000)  # after a failure; twice as long after the next, and so on
_RETRY_MAX_MS = const(900_000)


class Ntp:
    """`servers` empty: never."""

    def __init__(self, board, clock, servers, every_ms):
        self._board = board
        self._clock = clock
        self._servers = servers
        self._every_ms = every_ms
        self._failures = 0
        self._set_ms = None  # uptime of the last answer
        self.due_ms = 0  # uptime
        self.drift_s = None  # what the board's clock gained (-) or lost (+) ...
        self.drift_over_s = 0  # ... in so many seconds

    def is_due(self):
        return bool(self._servers) and self._clock.now() >= self.due_ms

    def postpone(self):
        self.due_ms = self._clock.now() + _RETRY_MS

    def ask(self):
        """Ask one server; True if the clock is right now. Blocks."""
        server = self._servers[self._failures % len(self._servers)]
        now = self._clock.now()
        try:
            wrong_s = self._board.set_clock(self._answer(server))
        except (OSError, ValueError, IndexError) as error:  # the last two: half an answer
            delay = min(_RETRY_MAX_MS, _RETRY_MS << min(self._failures, 6))
            self._failures += 1
            self.due_ms = self._clock.now() + delay
            log("time", "%s does not tell it (%s); again in %d s" % (server, error, delay // 1000))
            return False
        self._told(server, wrong_s, now)
        return True

    def _answer(self, server):
        import ntptime

        ntptime.host = server
        ntptime.timeout = 1
        return self._board.unix_s(ntptime.time())

    def _told(self, server, wrong_s, now):
        self._failures = 0
        self.due_ms = now + self._every_ms
        if wrong_s is None:
            log("time", "set by " + server)
        else:
            since = 0 if self._set_ms is None else (now - self._set_ms) // 1000
            self.drift_s, self.drift_over_s = wrong_s, since
            log("time", "%s: our clock was wrong by %d s after %d s" % (server, wrong_s, since))
        self._set_ms = now
        self._clock.sync()
