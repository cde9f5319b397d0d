"""The state of a device, in a word, with the reason in words.

                 status online             silent for long
      NEVER ------------------> ONLINE <------------------> STALE
                                ^ |  |         heard           ^
                                | |  '-- will --> LOST         |
             heard or online    | '-- farewell -> STOPPED      |
                                '---- SLEEPING ----------------'
                                               not heard when it was due

A device that says nothing of itself, only sends, is online as long as it is heard.
"""

NEVER, ONLINE, SLEEPING, STALE, LOST, STOPPED = (
    "never seen", "online", "sleeping", "stale", "lost", "stopped"
)
STATES = (ONLINE, SLEEPING, STALE, LOST, STOPPED, NEVER)

LEAST_SILENCE_MS = 10_000
MISSED = 3  # usual intervals without a word make a device stale
UNKNOWN_SILENCE_MS = 900_000  # where no usual interval is known; health comes every 180 s
_REASONS = {  # docs/WIRE.md
    "stopped": "it was told to stop", "reboot": "it reboots",
    "drained": "all it had to send is delivered",
}


def judge(status, heard_ms, usual_ms, now):
    """(state, why) of a device.

    status: what it said last of itself, a dictionary. heard_ms: when any word of it came, None if
    never. usual_ms: between its messages, None if that is not known.
    """
    said = status.get("status")
    if said == "offline" and "reason" in status:
        reason = str(status["reason"])
        return STOPPED, _REASONS.get(reason, reason)
    if said == "offline":
        return LOST, "the connection broke; the broker gave its will"
    if heard_ms is None:
        return NEVER, "expected, and nothing has come"
    if said == "sleeping":
        if now > due_ms(status, heard_ms) + grace_ms(status):
            return STALE, "it should have woken"
        return SLEEPING, "it said so"
    if now - heard_ms > silence_ms(usual_ms):
        return STALE, "nothing has come" + (
            f"; usually every {in_words(usual_ms)}" if usual_ms else "")
    return ONLINE, f"heard every {in_words(usual_ms)}" if usual_ms else "connected"


def due_ms(status, heard_ms):
    """When a sleeping device is to be heard of again."""
    next_s = status.get("next_s")
    known = isinstance(next_s, int | float) and 0 <= next_s < 1e9
    return heard_ms + (next_s * 1000 if known else UNKNOWN_SILENCE_MS)


def grace_ms(status):
    """What a sleeping device may be late: a whole cycle, as one message may be missed."""
    return max(due_ms(status, 0), LEAST_SILENCE_MS)


def silence_ms(usual_ms):
    """After so long without a word a device is stale."""
    return UNKNOWN_SILENCE_MS if usual_ms is None else max(MISSED * usual_ms, LEAST_SILENCE_MS)


def in_words(ms):
    """A duration in the largest unit that leaves a number above one."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)):
        if ms >= size:
            return f"{ms / size:.2g} {unit}"
    return f"{round(ms)} ms"
