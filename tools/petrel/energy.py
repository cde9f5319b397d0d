"""How long a battery lasts: a model of a device that sleeps, without measuring anything itself.

A cycle is the time of one reading. In each the board wakes up, takes the reading, stores it and
sleeps; in every k-th it also joins the network, delivers and listens. A phase is a time at a
current, so it takes ms x mA microcoulombs, and a day

    86,400 s / every_s x (waking + delivering / k) + sleep current x what is left of the day.
"""

import dataclasses

DAY_S = 86_400
WAKING = ("boot", "start", "wait", "sample", "store")
DELIVERING = ("prepare", "join", "connect", "deliver", "listen", "end")


@dataclasses.dataclass(frozen=True)
class Phase:
    """`basis` is "published", "measured", "assumed" or "config"; `source` says by whom, where."""

    ms: float
    ma: float
    basis: str
    source: str

    @property
    def mc(self):
        """Its charge in millicoulombs."""
        return self.ms * self.ma / 1000


@dataclasses.dataclass(frozen=True)
class Cycle:
    """phases: {name: Phase} with the names above; sleep_ma: the current asleep."""

    phases: dict
    sleep_ma: float

    def sum(self, names, of):
        return sum(getattr(self.phases[name], of) for name in names if name in self.phases)


@dataclasses.dataclass(frozen=True)
class Day:
    """Charges of a day in mAh, by what they are for."""

    sleeping: float
    waking: float
    delivering: float

    @property
    def mah(self):
        return self.sleeping + self.waking + self.delivering

    def life_days(self, battery_mah):
        """How long a battery lasts that gives all it has and discharges in no other way."""
        return battery_mah / self.mah


def day(cycle, every_s, deliver_every):
    """The Day of a device that takes a reading every `every_s` seconds and delivers each k-th."""
    cycles = DAY_S / every_s
    deliveries = cycles / deliver_every
    awake_s = (
        cycles * cycle.sum(WAKING, "ms") + deliveries * cycle.sum(DELIVERING, "ms")
    ) / 1000
    asleep_s = max(0.0, DAY_S - awake_s)
    return Day(
        sleeping=asleep_s * cycle.sleep_ma / 3600,
        waking=cycles * cycle.sum(WAKING, "mc") / 3600,
        delivering=deliveries * cycle.sum(DELIVERING, "mc") / 3600,
    )


def saves_most(cycle, every_s, deliver_every):
    """(what to change, mAh a day that it saves): the best of a few changes that anybody can make.
    """
    now = day(cycle, every_s, deliver_every).mah
    silent = {name: phase for name, phase in cycle.phases.items() if name != "listen"}
    changes = {
        "deliver half as often (sleep.deliver_every)": day(cycle, every_s, 2 * deliver_every),
        "measure half as often, delivering as often as now (every_s)":
            day(cycle, 2 * every_s, max(1, deliver_every / 2)),
        "do not wait for commands (sleep.listen_s 0)":
            day(Cycle(silent, cycle.sleep_ma), every_s, deliver_every),
        "cut the board's current asleep by half (its regulator, its LED, its USB chip, or another "
        "board)": day(Cycle(cycle.phases, cycle.sleep_ma / 2), every_s, deliver_every),
    }
    best = min(changes, key=lambda change: changes[change].mah)
    return best, now - changes[best].mah
