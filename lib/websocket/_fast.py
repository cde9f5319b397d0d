"""Masking and copying as machine code (viper); `_plain.py` is the same in ordinary Python."""
# ruff: noqa: F821
# pyright: reportUndefinedVariable=false
import micropython


@micropython.viper
def mask(buffer, at: int, end: int, key, phase: int):
    """XOR buffer[at:end] with the 4 bytes of `key`, from its byte `phase` & 3 on (5.3)."""
    here = ptr8(buffer)
    keys = ptr8(key)
    while at < end:
        here[at] ^= keys[phase & 3]
        at += 1
        phase += 1


@micropython.viper
def move(goal, to: int, data, at: int, end: int):
    """Copy data[at:end] to `goal` from `to` on, forwards: within a buffer only downwards."""
    there = ptr8(goal)
    here = ptr8(data)
    while at < end:
        there[to] = here[at]
        at += 1
        to += 1
