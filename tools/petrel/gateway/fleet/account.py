"""What the ledger says of a device: readings that came, that are lost, that are still awaited.

A missing number is lost for certain when the device counts it as delivered or dropped (`acked` of
its health), or when a later one came from a queue that keeps the order. Else it may wait in the
device, and is awaited.
"""

import dataclasses

from petrel.gateway.intake import parsed


@dataclasses.dataclass
class Account:
    """Counts of readings."""

    received: int = 0
    lost: int = 0
    awaited: int = 0
    duplicates: int = 0

    def __add__(self, other):
        return Account(*(a + b for a, b in zip(self.counts(), other.counts(), strict=True)))

    def __sub__(self, other):
        return Account(*(a - b for a, b in zip(self.counts(), other.counts(), strict=True)))

    def counts(self):
        return self.received, self.lost, self.awaited, self.duplicates


def account(intake, device):
    """The Account of a device, from the ledger and from its last health."""
    said = intake.latest.get(f"devices/{device}/health")
    health = parsed(said.payload) if said else {}
    total = Account()
    for number, stream in intake.ledger.streams(device).items():
        lost = min(stream.missing, lost_of(number, stream, health))
        total += Account(stream.received, lost, stream.missing - lost, stream.duplicates)
    if device in intake.ledger.closed:
        _, received, missing, duplicates = intake.ledger.closed[device]
        total += Account(received, missing, 0, duplicates)
    return total


def lost_of(number, stream, health):
    """How many readings of a stream are lost for certain."""
    flash = health.get("flash")
    if not isinstance(flash, dict):  # nothing outlives a start, and nothing overtakes
        return stream.missing if stream.over else stream.highest - stream.received
    if number == health.get("s"):
        acked = health.get("acked")
        return missing_up_to(stream, acked) if isinstance(acked, int) else 0
    return 0 if flash.get("queued") else stream.missing


def missing_up_to(stream, last):
    """How many numbers up to `last` did not come."""
    return sum(min(end, last) - first + 1 for first, end in stream.gaps() if first <= last)
