"""The sampler of a device that sleeps: its schedule goes on where it was."""

import asyncio

from .sampler import Sampler


class WakingSampler(Sampler):
    def start(self, first_ms):
        """Reading k is due at uptime k x interval; those before `first_ms` are over. Recordings go
        on behind what was taken of them.
        """
        for slot in self._slots:
            slot.start_ms = 0
            slot.skip_to(first_ms)
            if hasattr(slot.sensor, "skip"):
                slot.sensor.skip(slot.taken)

    async def take(self, due):
        """Take the one reading that is due at `due`."""
        await asyncio.sleep_ms(self._begin(due))
        self._read(due)

    def deliver_to(self, outbox):
        self._outbox = outbox
