"""`"when_full": "drop_newest"` for the queue in RAM: what has waited longest is kept."""

from . import outbox, reading


class Outbox(outbox.Outbox):
    refused = 0  # readings that found no room; they get no number

    @property
    def dropped(self):
        return self.refused

    def put(self, due_ms, values, unix_ms=None):
        """As an Outbox's, but None for a reading that is refused."""
        length = reading.pack_into(self._record, due_ms, values, unix_ms)
        if not self._queue.room(length + 2):
            self.refused += 1
            return None
        return outbox.Outbox.put(self, due_ms, values, unix_ms)
