"""Prints the heap that each module of the application takes: name, bytes.

Names are interned in tables that grow by doubling, which would charge one module for the next
hundred names: so a table large enough is made beforehand.
"""

import asyncio
import gc
import os


def heap():
    gc.collect()
    return gc.mem_alloc()


class Dummy:
    pass


for part in ("Event", "wait_for_ms"):
    getattr(asyncio, part)  # loads what the application uses of it
for i in range(int(os.getenv("SPARE_NAMES"))):
    setattr(Dummy, "spare_name_%d" % i, 0)
Dummy = None
before = heap()
for name in os.getenv("MODULES").split():
    __import__(name)
    after = heap()
    print(name, after - before)
    before = after
