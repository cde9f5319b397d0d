"""Letting go of modules that have done their work: a board has not the memory for all at once."""

import gc
import sys


def forget(*names):
    """Drop the modules of the package with these names, and what belongs to them: for "config"
    also `config_rules`, for "sensors" also `sensors.replay`.
    """
    for path in list(sys.modules):
        package, _, own = path.rpartition(".")
        for name in names:
            name = "firmware." + name
            if path == name or path.startswith(name + "_") or path.startswith(name + "."):
                sys.modules.pop(path)  # `del` would leave the module in the dictionary's table
                if hasattr(sys.modules.get(package), own):
                    drop(sys.modules[package], own)
    gc.collect()


def drop(owner, name):
    """Delete an attribute, and the last reference to what it was: MicroPython leaves that in the
    place of a deleted name until another takes it (py/map.c).
    """
    setattr(owner, name, None)
    delattr(owner, name)
