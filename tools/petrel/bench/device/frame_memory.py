"""Prints the bytes of heap that an encoder of 8 channels and 60 readings keeps."""

import gc

from frame.encoder import Encoder
from frame.schema import Schema, channel

schema = Schema(tuple([channel("k%d" % i, "Cel", 2) for i in range(8)]), 1000)
Encoder(schema, 60)
gc.collect()
before = gc.mem_alloc()
encoder = Encoder(schema, 60)
gc.collect()
print(gc.mem_alloc() - before)
