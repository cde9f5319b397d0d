"""Masking and copying in ordinary Python; `_fast.py` is the same as machine code."""


def mask(buffer, at, end, key, phase):
    """XOR buffer[at:end] with the 4 bytes of `key`, from its byte `phase` & 3 on (5.3)."""
    while at < end:
        buffer[at] ^= key[phase & 3]
        at += 1
        phase += 1


def move(goal, to, data, at, end):
    """Copy data[at:end] to `goal` from `to` on, forwards: within a buffer only downwards."""
    while at < end:
        goal[to] = data[at]
        at += 1
        to += 1
