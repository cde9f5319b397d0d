"""The sampler of a device that sleeps: its schedule goes on where it was."""

import asyncio

from .sampler import Sampler
from .sensors import Ended


class WakingSampler(Sampler):
    def start(self, first_ms):
        """Reading k is due at uptime k x interval; those before `first_ms` are over. Recordings go
        on behind what was taken of them.
        """
        for slot in self._slots:
            slot.start_ms = 0
            slot.skip_to(first_ms)
            if slot.name.split(".")[0] == "replay":
                for _ in range(slot.taken):
                    self._pass_over(slot)

    def _pass_over(self, slot):
        try:
            slot.sensor.read(self.values, slot.first)
        except (Ended, ValueError, IndexError):
            pass  # as it was when it was taken

    async def take(self, due):
        """Take the one reading that is due at `due`."""
        await asyncio.sleep_ms(self._begin(due))
        self._read(due)

    def deliver_to(self, outbox):
        self._outbox = outbox
