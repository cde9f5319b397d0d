"""Letting go of modules that have done their work: a board has not the memory for all at once."""

import gc
import sys


def forget(*beginnings):
    """Drop the modules of the package whose names begin so (up to an underscore)."""
    package = sys.modules["firmware"]
    for path in list(sys.modules):
        parts = path.split(".")
        if len(parts) > 1 and parts[0] == "firmware" and parts[1].split("_")[0] in beginnings:
            del sys.modules[path]
            if hasattr(package, parts[1]):
                delattr(package, parts[1])
    gc.collect()
