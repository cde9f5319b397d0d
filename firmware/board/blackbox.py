"""The black box: why the last life ended, for the next birth.

What a life says before it ends, its error or the reason for safe mode, is a file, `error`. What
changes with the network is kept in memory that outlives a reset (`retained.py`), five bytes:

    WiFi status, low byte | stage of the last failure | failures in a row | minutes of uptime (2)

so that a life that ends without a word, by the watchdog, is told of too.
"""

import json

from micropython import const

_NAME = "error"
_SLOT = "b"
_STAGES = ("", "wifi", "dns", "tcp", "tls", "clock", "connack", "ack", "lost", "protocol")
_MINUTES = const(0xFFFF)
_CHARS = const(120)  # the birth must fit the memory of a link


def put(board, key, words):
    """Add words, or an exception, to the file; whatever is wrong with flash or memory, the reset
    must come.
    """
    try:
        if isinstance(words, Exception):
            words = "%s: %s" % (type(words).__name__, words)
        told = take(board)
        told[key] = words[:_CHARS]
        board.save(_NAME, json.dumps(told).encode())
    except (OSError, MemoryError, ValueError):
        pass


def take(board):
    """What is in the file."""
    try:
        return json.loads(board.load(_NAME) or b"{}")
    except ValueError:
        return {}


def clear(board):
    """The birth that told of it was delivered."""
    if board.load(_NAME) not in (None, b"{}"):
        board.save(_NAME, b"{}")


def pack(status, stage, failures, up_s):
    minutes = min(_MINUTES, up_s // 60)
    stage = _STAGES.index(stage) if stage in _STAGES else 0
    return bytes((status & 0xFF, stage, min(failures, 255), minutes & 0xFF, minutes >> 8))


def unpack(record):
    """{"wifi", "stage", "failures", "up_min"} of the life before; what is zero is left out."""
    told = {
        "wifi": record[0] - 256 if record[0] > 250 else record[0],  # RP2's numbers go below zero
        "stage": _STAGES[record[1]] if record[1] < len(_STAGES) else "",
        "failures": record[2],
        "up_min": record[3] | record[4] << 8,
    }
    return {key: told[key] for key in told if told[key]}


def last_life(board):
    """All that is known of the life before this one: {"error", "safe_mode"} and as in `unpack`."""
    told = take(board)
    retained = getattr(board, "retained", None)  # the Unix port has none
    record = retained and retained.get(_SLOT)
    if record and board.reset_cause != "power":
        told.update(unpack(record))
    return told


def birth(board):
    """What the birth says of the life before: {"last": ...}, or nothing."""
    told = last_life(board)
    if told and not hasattr(board, "retained"):
        clear(board)
    return {"last": told} if told else {}


def note(board, status, stage, failures, up_s):
    """Write down how the network is."""
    board.retained.keep(_SLOT, pack(status, stage, failures, up_s))
