"""What a device keeps beside its queue to understand readings of earlier lives: `lives`, a JSON
object a line (docs/JOURNAL.md).
"""

import dataclasses
import json

FILE = "lives"


@dataclasses.dataclass(frozen=True)
class Life:
    """channels: [(key, decimals), ...] in the order of the records. unix_ms: Unix time at uptime
    0, None if that can't be known.
    """

    channels: list[tuple[str, int]]
    unix_ms: int | None


def read_lives(folder):
    """{stream: Life} of a queue's folder; damaged lines are left out."""
    try:
        lines = (folder / FILE).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        try:
            told = json.loads(line)
            channels = [(str(each[0]), int(each[2])) for each in told["ch"]]
            found[int(told["s"])] = channels, told["unix"], told["rtc"]
        except (ValueError, KeyError, TypeError, IndexError):
            continue
    runs = {rtc[0]: unix - rtc[1] for _, unix, rtc in found.values() if rtc and unix is not None}
    return {stream: Life(life[0], _unix_ms(life, runs)) for stream, life in found.items()}


def _unix_ms(life, runs):
    """`runs`: {run of the real-time clock: Unix time when it showed 0}, from lives whose clock was
    set; a life without such a time takes it from another one in the same run.
    """
    _, unix, rtc = life
    if unix is None and rtc and rtc[0] in runs:
        return runs[rtc[0]] + rtc[1]
    return unix
