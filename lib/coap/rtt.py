"""Time-outs that follow the round-trip time of each peer (RFC 6298), an option of the engine.

RFC 7252 waits 2 s for the first acknowledgement whatever the network. A peer that is near answers
in milliseconds, and a lost datagram can be repeated much sooner; one behind a satellite needs
longer. Only what was acknowledged at its first transmission is a sample (Karn's rule).
"""

_PEERS = 8


class Estimates:
    """Of the peers heard of last. `least_ms` bounds the time-out from below, so that a peer which
    takes a moment to think is not asked twice.
    """

    def __init__(self, least_ms=200, most_ms=60_000):
        self._least, self._most = least_ms, most_ms
        self._peers = []  # [peer, smoothed ms x 8, deviation ms x 4]

    def timeout_ms(self, peer, default_ms):
        for known, smoothed, deviation in self._peers:
            if known == peer:
                return min(self._most, max(self._least, (smoothed >> 3) + max(10, deviation)))
        return default_ms

    def sample(self, peer, rtt_ms):
        for entry in self._peers:
            if entry[0] == peer:
                error = rtt_ms - (entry[1] >> 3)
                entry[1] += error
                entry[2] += abs(error) - (entry[2] >> 2)
                return
        if len(self._peers) >= _PEERS:
            self._peers.pop(0)
        self._peers.append([peer, rtt_ms << 3, rtt_ms << 1])
