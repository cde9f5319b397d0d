"""SenML packs into resolved records (RFC 8428, section 4.6)."""

import dataclasses
import decimal

LABELS = {
    -6: "bs", -5: "bv", -4: "bu", -3: "bt", -2: "bn", -1: "bver",
    0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
}
"""The integer labels of SenML in CBOR (table 4)."""

VERSION = 10
_RELATIVE = 2**28  # a smaller time is relative to now (section 4.5.3)


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One resolved record. time: Unix seconds, None where the pack gives none; more: the labels
    that SenML does not know.
    """

    name: str
    unit: str | None
    value: object
    time: float | decimal.Decimal | None
    more: dict


def resolve(pack):
    """The records of a pack, a list of maps; raises ValueError for what the RFC forbids."""
    base = {}
    return [_resolve(_labelled(item), base) for item in pack]


def _labelled(item):
    if not isinstance(item, dict):
        raise ValueError("a record is a map")
    record = {LABELS.get(label, label): value for label, value in item.items()}
    for label in record:
        if isinstance(label, int) or label.endswith("_"):
            raise ValueError(f"the label {label} must be understood, and is not")  # section 4.4
    return record


def _resolve(record, base):
    base.update((label, value) for label, value in record.items() if label in _BASES)
    if base.get("bver", VERSION) > VERSION:
        raise ValueError(f"version {base['bver']} is newer than {VERSION}")
    name = base.get("bn", "") + record.get("n", "")
    if not name:
        raise ValueError("a record without a name")
    values = [record[label] for label in ("v", "vs", "vb", "vd") if label in record]
    if len(values) > 1 or not (values or "s" in record or "bv" in base):
        raise ValueError(f"{name}: a record has one value")
    value = values[0] if values else None
    if "bv" in base and (not values or "v" in record):
        value = base["bv"] + (value or 0)
    time = base.get("bt", 0) + record.get("t", 0)
    more = {label: value for label, value in record.items() if label not in _KNOWN}
    return Record(
        name, record.get("u", base.get("bu")), value, time if time >= _RELATIVE else None, more
    )


_BASES = {"bn", "bt", "bu", "bv", "bs", "bver"}
_KNOWN = set(LABELS.values())
