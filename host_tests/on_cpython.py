"""Brings modules of the firmware that touch nothing but memory into a test on CPython."""

import importlib
import sys
import types


class _Wake:
    """Stands in for wake.Wake where nobody waits."""

    def set(self):
        pass


def _stand_in(name, **contents):
    module = types.ModuleType(name)
    module.__dict__.update(contents)
    return module


_STAND_INS = {
    "micropython": _stand_in("micropython", const=lambda value: value),
    "wake": _stand_in("wake", Wake=_Wake),
}


def load(name):
    """The module `firmware.{name}`; what it imports of MicroPython's is replaced meanwhile."""
    replaced = [module for module in _STAND_INS if module not in sys.modules]
    for module in replaced:
        sys.modules[module] = _STAND_INS[module]
    try:
        return importlib.import_module("firmware." + name)
    finally:
        for module in replaced:
            del sys.modules[module]
