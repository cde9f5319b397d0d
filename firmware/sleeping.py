"""A device that sleeps between readings.

    wake up -> take the reading -> store it in flash --- nobody is to hear of it yet ---> sleep
                                          |
                                          '-> connect -> deliver all, take commands
                                              -> say "sleeping" ------------------------> sleep

The upper line needs neither network nor outbox, so neither is imported for it; the lower one is
the whole application (`firmware/delivering.py`). Reading k is due at k x interval of an uptime
that goes on while the board sleeps (`firmware/nap.py`), and the board wakes up as long before it
as it took to start the last time.
"""

import asyncio

from micropython import const

from . import reading
from .log import log

_LEAST_MS = const(500)  # a shorter sleep is not worth a start
_MOST_MS = const(3_600_000)  # RP2040's alarm is 72 minutes away at most
_LEAD_MS = const(10_000)  # the longest start that is believed
_HOUR_MS = const(3_600_000)


class Sleeper:
    """`power` sleeps deeply, `parts` are what `assemble_sleep` has made; `sampler` is made
    after us, and set then. As long as nothing is delivered we are its outbox.
    """

    def __init__(self, power, config, nap, parts, interval_ms):
        self._power = power
        self.nap = nap
        self.parts = parts
        self.sampler = None
        _, channels, self.clock, _, _, self._flash = parts
        options = config["sleep"]
        self._every = options["deliver_every"] or config["payload"]["batch"]
        self._interval_ms = interval_ms
        self.awake_ms = int(options["awake_s"] * 1000)
        self.listen_ms = int(options["listen_s"] * 1000)
        self._alarms = _alarms(options["alarms"], channels)
        self._record = bytearray(reading.most_bytes(len(channels)))
        self.kept = []  # (due, values, unix_ms) of readings that the flash would not take
        self._phases = []
        self._phase_ms = nap.wake_ms

    # ---- the upper line

    def wake(self):
        """Take and store readings, and sleep in between; returns when one is to be delivered."""
        nap, now = self.nap, self.clock.now()
        nap.lead_ms = min(_LEAD_MS, max(0, now - nap.wake_ms))
        most = max(self._every, _HOUR_MS // self._interval_ms)
        self.note("start")
        while True:
            due = self.sampler.next_due()
            if due is None:  # the recordings have ended
                return
            if due - self.clock.now() - nap.lead_ms >= _LEAST_MS:
                self.sleep(due)
            asyncio.run(self._take(due))
            nap.wakes += 1
            if self.kept or nap.to_deliver(self._every, most):
                return

    async def _take(self, due):
        await asyncio.sleep_ms(max(0, due - self.clock.now()))
        self.note("wait")
        await self.sampler.take(due)

    def put(self, due_ms, values, unix_ms=None):
        """As an Outbox's; what is not in the flash when it returns has no number yet."""
        self.note("sample")
        self.nap.alarm(self._beyond(values))
        length = reading.pack_into(self._record, due_ms, values, unix_ms)
        number = self.nap.n + 1
        if self._flash and self._flash.store(number, memoryview(self._record)[:length]):
            self.nap.n = number
        else:
            self.kept.append((due_ms, list(values), unix_ms))
            number = None
        self.note("store")
        return number

    def _beyond(self, values):
        for at, below, above in self._alarms:
            value = values[at]
            if value is not None and (
                (below is not None and value < below) or (above is not None and value > above)
            ):
                return True
        return False

    # ---- the lower line

    def app(self, *parts):
        """The application that delivers, in the place of `app.App`."""
        from .delivering import DeliveringApp

        self.sampler.deliver_to(parts[4])
        self.note("prepare")
        return DeliveringApp(self, *parts)

    def next_s(self, due):
        """Seconds until somebody will hear of us again, if the next reading is due at `due`."""
        wait = due - self.clock.now() + (self._every - 1) * self._interval_ms
        return max(1, (wait + 500) // 1000)

    # ---- and to sleep

    def sleep(self, due):
        """Sleep until a reading is due at uptime `due`."""
        nap = self.nap
        now = nap.follow(self.clock.now(), self.clock.wall_ms(), self._interval_ms)
        ms = min(_MOST_MS, max(1, due - now - nap.lead_ms))
        nap.next_ms = due
        nap.wake_ms = now + ms
        told = self._flash and self._flash.lives.told
        nap.told = told if told is None else bool(told)
        log("sleep", "for %d ms; awake: %s" % (ms, ", ".join(self._phases)))
        self._power.deepsleep(ms, nap.pack())

    def note(self, phase):
        """What came since the last note was `phase`."""
        now = self.clock.now()
        self._phases.append("%s %d" % (phase, now - self._phase_ms))
        self._phase_ms = now


def _alarms(options, channels):
    """[(index of the value, below, above)] in the channels' own integers."""
    keys = [channel.key for channel in channels]
    made = []
    for option in options:
        at = keys.index(option["channel"])
        scale = 10 ** channels[at].decimals
        below, above = [
            limit if limit is None else round(limit * scale)
            for limit in (option["below"], option["above"])
        ]
        made.append((at, below, above))
    return made
