"""Runs on MicroPython, started by frame_bench.py: encodes batches of readings.

    micropython frame_on_runtime.py LIB FILE

FILE: a JSON object a line. The first says what is encoded: channels, interval_ms, size, stream,
profile (hexadecimal or null); every other is {"seq": , "times": , "values": }. Prints a line of
frames in hexadecimal for each: several where the clock leaps.
"""
import sys

sys.path.insert(0, sys.argv[1])

import binascii
import json

from frame.encoder import Encoder
from frame.schema import Channel, Schema

with open(sys.argv[2]) as file:
    setup = json.loads(file.readline())
    schema = Schema(tuple([Channel(*channel) for channel in setup["channels"]]),
                    setup["interval_ms"])
    encoder = Encoder(schema, setup["size"])
    encoder.begin(setup["stream"])
    if setup["profile"]:
        encoder.use(binascii.unhexlify(setup["profile"]))
    buffer = bytearray(64 + 64 * setup["size"] * len(schema.channels))
    for line in file:
        case = json.loads(line)
        frames = []
        at = 0
        while at < len(case["times"]):
            encoder.clear()
            first = at
            while at < len(case["times"]) and encoder.add(case["times"][at], case["values"][at]):
                at += 1
            size = encoder.encode_into(buffer, case["seq"] + first)
            frames.append(binascii.hexlify(memoryview(buffer)[:size]).decode())
        print(" ".join(frames))
