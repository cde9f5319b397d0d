"""Puts the flash to the queue in RAM. Forgotten once that is done."""

from .board.rtc import ticks
from .durable import DurableOutbox
from .flash import Flash
from .lives import Lives


def open(board, config, identity, channels, clock, nap=None):
    """Open the journal; None if there is none to be had, which the log and the birth tell. `nap`:
    what was carried through a deep sleep.
    """
    directory = board.path("journal")
    flash = Flash(directory, config["queue"], identity, clock, nap.n if nap else 0)
    if not flash.there():
        return None
    stream, number = flash.journal.before
    before = identity.before
    if stream and stream != identity.stream and not before:
        identity.before = {"s": stream, "n": number}
    elif before and before["s"] == stream:
        before["n"] = max(number, before["n"])
    told = nap and nap.told and nap.offset
    lives = Lives(directory, identity.stream, channels, clock, ticks(board), told)
    return _Opened(config, flash, lives)


class _Opened:
    def __init__(self, config, flash, lives):
        self._config = config
        self.flash = flash
        self.lives = lives

    def store(self, n, record):
        """Make reading `n` durable before there is an outbox; False if that can't be done now."""
        if not self.flash.works():
            return False
        try:
            self.lives.tell(alone=not len(self.flash.journal))
        except OSError:
            pass  # the journal will say what is wrong
        return self.flash.write(((n, record),), 1) is not None

    def most_bytes(self, message_bytes):
        """The longest message, where this config's own is `message_bytes`: lives with other
        channels may have longer readings.
        """
        if self.lives.any_other():
            return self._config["limits"]["message_bytes"]
        return message_bytes

    def outbox(self, parts, described):
        """As of DurableOutbox."""
        options = self._config["queue"]
        outbox = DurableOutbox(parts, self.flash, self.lives, described)
        outbox.always = options["durability"] == "always"
        outbox.refuse = options["when_full"] == "drop_newest"
        outbox.newest_first = options["order"] == "newest_first"
        after_s = options["spill_after_s"]
        if after_s is None:
            after_s = self._config["payload"]["max_age_s"] + 60
        outbox.spill_after_ms = int(after_s * 1000)
        return outbox
