"""Runs on MicroPython, started by ports.py: on_port.py IMAGE WHAT FILE."""
# ruff: noqa: I001
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
import sys

sys.path.insert(0, sys.argv[1])

import binascii
import gc
import json
import time

import micropython
from frame import encoder as module
from frame.encoder import Encoder
from frame.schema import Channel, Schema

STREAM = 0x5EED1234


def schema_of(case):
    channels = tuple([Channel(key, unit, decimals, tuple(step) if step else None, kind)
                      for key, unit, decimals, step, kind in case["channels"]])
    return Schema(channels, case["interval_ms"])


def cases():
    with open(sys.argv[3]) as file:
        for line in file:
            yield json.loads(line)


def encode_locked(encoder, times, rows, out, seq):
    """add() and encode_into() with the heap locked: the least allocation is a MemoryError."""
    micropython.heap_lock()
    try:
        for i in range(len(times)):
            encoder.add(times[i], rows[i])
        return encoder.encode_into(out, seq)
    finally:
        micropython.heap_unlock()


def encoded():
    """Print every case's frame."""
    for case in cases():
        rows = [tuple(row) for row in case["values"]]
        encoder = Encoder(schema_of(case), len(rows))
        encoder.begin(STREAM)
        if case["profile"]:
            encoder.use(binascii.unhexlify(case["profile"]))
        out = bytearray(9000)
        size = encode_locked(encoder, case["times"], rows, out, case["seq"])
        print(binascii.hexlify(memoryview(out)[:size]).decode())
        gc.collect()


def decoded():
    """Print what every case's frame decodes to."""
    from frame.decoder import decode
    from frame.profile import Profile

    for case in cases():
        profiles = {}
        if case["profile"]:
            profile = Profile(binascii.unhexlify(case["profile"]))
            profiles[profile.mark] = profile
        frame = decode(binascii.unhexlify(case["frame"]), profiles)
        print(json.dumps([frame.stream, frame.seq, frame.times, frame.values]))
        gc.collect()


def memory():
    """Print the bytes that an encoder of 8 channels x 60 readings keeps."""
    schema = Schema(tuple([Channel("k" + str(i), "Cel", 2, None, "") for i in range(8)]), 1000)
    Encoder(schema, 60)
    gc.collect()
    before = gc.mem_alloc()
    encoder = Encoder(schema, 60)
    gc.collect()
    print(gc.mem_alloc() - before)
    return encoder


def imported():
    """Print the modules of the codec that an encoder brings along, and which loops it uses."""
    print(" ".join(sorted([name for name in sys.modules if name.startswith("frame")])))
    print("fast" if "frame._fast" in sys.modules else "plain")


def trained():
    """Print the profile that this port makes of the first case's readings."""
    from frame.train import Trainer

    case = next(cases())
    rows = [tuple(row) for row in case["values"]]
    encoder = Encoder(schema_of(case), len(rows))
    encoder.begin(STREAM)
    trainer = Trainer(encoder)
    for _ in range(Trainer.PASSES):
        encoder.clear()
        for i in range(len(rows)):
            encoder.add(case["times"][i], rows[i])
        for _ in trainer.feed(1):
            pass
        for _ in trainer.next_pass():
            pass
    print(binascii.hexlify(trainer.blob(1)).decode())


def learning():
    """Print the most bytes of heap that learning takes, its code included, and what stays."""
    case = next(cases())
    rows = [tuple(row) for row in case["values"]]
    encoder = Encoder(schema_of(case), len(rows))
    for i in range(len(rows)):
        encoder.add(case["times"][i], rows[i])
    gc.collect()
    before = gc.mem_alloc()
    most = most_while_learning(encoder)
    sys.modules["frame"].forget("train", "habits", "least_squares", "describe", "renew")
    gc.collect()
    print(most - before, gc.mem_alloc() - before)


def most_while_learning(encoder):
    from frame.train import Trainer

    most = 0
    trainer = Trainer(encoder)
    for _ in range(Trainer.PASSES):
        for steps in (trainer.feed, lambda _: trainer.next_pass()):
            for _ in steps(1):
                gc.collect()
                most = max(most, gc.mem_alloc())
    trainer.blob(1)
    return most


def timed():
    """Print microseconds: json.dumps, add, encode_into; best of many."""
    case = next(cases())
    rows = [tuple(row) for row in case["values"]]
    times = case["times"]
    schema = schema_of(case)
    objects = []
    for i in range(len(rows)):
        reading = {"ts": times[i] // 1000}
        for ch, value in zip(schema.channels, rows[i]):  # noqa: B905
            if value is not None:
                reading[ch.key] = value / 10 ** ch.decimals if ch.decimals else value
        objects.append(reading)
    encoder = Encoder(schema, len(rows))
    encoder.begin(STREAM)
    if case["profile"]:
        encoder.use(binascii.unhexlify(case["profile"]))
    out = bytearray(2000)
    best = [1 << 29] * 3
    for _ in range(40):
        gc.collect()
        t0 = time.ticks_us()
        json.dumps(objects)
        t1 = time.ticks_us()
        encoder.clear()
        for i in range(len(rows)):
            encoder.add(times[i], rows[i])
        t2 = time.ticks_us()
        encoder.encode_into(out, 1)
        t3 = time.ticks_us()
        for i, us in enumerate((t1 - t0, t2 - t1, t3 - t2)):
            best[i] = min(best[i], us)
    print(*best)


{"encoded": encoded, "decoded": decoded, "memory": memory, "imported": imported,
 "trained": trained, "timed": timed,
 "learning": learning}[sys.argv[2]]()
assert module
