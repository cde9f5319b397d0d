"""Brings modules of the firmware that touch nothing but memory into a test on CPython."""

import importlib
import sys
import types

_MICROPYTHON = types.ModuleType("micropython")
_MICROPYTHON.__dict__["const"] = lambda value: value


def load(name):
    """The module `firmware.{name}`. What it imports from MicroPython is `const` alone."""
    there = "micropython" in sys.modules
    sys.modules.setdefault("micropython", _MICROPYTHON)
    try:
        return importlib.import_module("firmware." + name)
    finally:
        if not there:
            del sys.modules["micropython"]
