"""Counters and gauges of the whole device, published every few minutes and at each birth."""

import asyncio
import gc

from micropython import const

from .identity import compact

_EVERY_MS = const(180_000)
_SLICE_MS = const(20_000)


class Health:
    """Publishes through `uplink.post`; also keeps the clock compared with the wall clock."""

    profile = None  # of frames, where there are any

    def __init__(self, identity, clock, vitals, sampler, outbox):
        self._identity = identity
        self._clock = clock
        self._vitals = vitals
        self._sampler = sampler
        self._outbox = outbox
        self.uplink = None  # made after us, and told of us
        self.network = None  # the board's, where it has one to care for

    def publish(self):
        self.uplink.post("health", self.payload())

    def payload(self):
        """{"s" stream, "up" uptime in s, "n" last number sampled, "acked" last number
        acknowledged, "queued" and "dropped" readings, "late_ms" the latest reading since the last
        health, "skipped" readings, "failed" reads a sensor, "connects", "acks" messages
        acknowledged, "posts_dropped", "free" heap in bytes, "edges_dropped" where sensors have
        edges, "profile" the revision of the frame profile in use, where there are frames, "flash"
        what `DurableOutbox.health` says}
        """
        sampler, outbox, uplink = self._sampler, self._outbox, self.uplink
        gc.collect()
        health = {
            "s": self._identity.stream,
            "up": self._clock.now() // 1000,
            "n": outbox.sampled,
            "acked": outbox.acked,
            "queued": len(outbox),
            "dropped": outbox.dropped,
            "late_ms": sampler.late_ms,
            "skipped": sampler.skipped,
            "failed": sampler.failed(),
            "connects": uplink.connects,
            "acks": uplink.acks,
            "posts_dropped": uplink.posts_dropped,
            "free": gc.mem_free(),
        }
        if sampler.edges:
            health["edges_dropped"] = sampler.edges.dropped
        if self.profile:
            health["profile"] = self.profile.revision()
        if self.network:
            health.update(self.network.health())
        if outbox.flash:
            health["flash"] = outbox.health()
        sampler.late_ms = 0
        return compact(health)

    async def run(self):
        next_ms = self._clock.now() + _EVERY_MS
        while True:
            self._vitals.within("health", _SLICE_MS)
            await asyncio.sleep_ms(_SLICE_MS)
            self._clock.sync()
            if self._clock.now() >= next_ms:
                next_ms += _EVERY_MS
                self.publish()
