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
                del sys.modules[path]
                if hasattr(sys.modules.get(package), own):
                    delattr(sys.modules[package], own)
    gc.collect()
