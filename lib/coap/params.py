"""The transmission parameters of CoAP (RFC 7252, section 4.8)."""


class Params:
    """What can be chosen, and what is derived from it (section 4.8.2)."""

    def __init__(
        self,
        ack_timeout_ms=2000,
        ack_random_percent=150,
        max_retransmit=4,
        nstart=1,
        max_latency_ms=100_000,
    ):
        self.ack_timeout_ms = ack_timeout_ms
        self.ack_random_percent = ack_random_percent
        self.max_retransmit = max_retransmit
        self.nstart = nstart
        longest = ack_timeout_ms * ack_random_percent // 100
        self.transmit_wait_ms = longest * ((2 << max_retransmit) - 1)
        span = longest * ((1 << max_retransmit) - 1)
        self.non_lifetime_ms = span + max_latency_ms
        self.lifetime_ms = span + 2 * max_latency_ms + ack_timeout_ms
