"""Puts the flash to the queue in RAM. Forgotten once that is done."""

from .board.rtc import ticks
from .durable import DurableOutbox
from .flash import Flash
from .lives import Lives


def open(board, config, identity, channels, clock):
    """Open the journal; None if there is none to be had, which the log and the birth tell."""
    directory = board.path("journal")
    flash = Flash(directory, config["queue"], identity, clock)
    if not flash.there():
        return None
    stream, number = flash.journal.before
    before = identity.before
    if stream and not before:
        identity.before = {"s": stream, "n": number}
    elif stream and before["s"] == stream:
        before["n"] = max(number, before["n"])
    lives = Lives(directory, identity.stream, channels, clock, ticks(board))
    return _Opened(config, flash, lives)


class _Opened:
    def __init__(self, config, flash, lives):
        self._config = config
        self._flash = flash
        self._lives = lives

    def most_bytes(self, message_bytes):
        """The longest message, where this config's own is `message_bytes`: lives with other
        channels may have longer readings.
        """
        if self._lives.any_other():
            return self._config["limits"]["message_bytes"]
        return message_bytes

    def outbox(self, parts, described):
        """As of DurableOutbox."""
        options = self._config["queue"]
        outbox = DurableOutbox(parts, self._flash, self._lives, described)
        outbox.always = options["durability"] == "always"
        outbox.refuse = options["when_full"] == "drop_newest"
        outbox.newest_first = options["order"] == "newest_first"
        after_s = options["spill_after_s"]
        if after_s is None:
            after_s = self._config["payload"]["max_age_s"] + 60
        outbox.spill_after_ms = int(after_s * 1000)
        return outbox
