"""Prints, as JSON, one of the functions whose name is in WHAT: readings of a recording that fit a
queue in several forms, microseconds to open it empty and full, the heap it takes then.
"""

import gc
import json
import os
import time

from counting_flash import QUEUE, inline, mounted

from firmware import reading
from firmware.payloads import frame as frames
from firmware.payloads import json as jsons
from firmware.sensors import Channel
from journal import Journal
from scaled import parse

LIMIT = int(os.getenv("LIMIT"))
BLOCKS = 96
PROGRAM = 32
CHANNELS = [Channel("h", "%RH", 2), Channel("t", "Cel", 2)]
COLUMNS = ("hum_pct", "temp_c")
EVERY_MS = 5000
START_MS = 1_732_265_000_000
FRAME = 60  # readings a frame


def rows():
    """The values of the recording, over and over."""
    while True:
        with open(os.getenv("RECORDING")) as file:
            names = file.readline().strip().split(",")
            places = [names.index(column) for column in COLUMNS]
            for line in file:
                cells = line.strip().split(",")
                yield [parse(cells[at], 2) if cells[at] else None for at in places]


def fitting(records):
    """How many readings fit, of [(record, readings in it), ...]; the queue is left full."""
    journal = opened()
    count = 0
    for record, readings in records:
        if not journal.append(record):
            return count
        count += readings


def opened():
    return Journal(QUEUE, LIMIT, when_full="refuse_newest", inline=inline(PROGRAM))


def encoded(encoder, batch):
    buffer = bytearray(4096)
    number = 0
    source = rows()
    while True:
        encoder.begin(buffer, 4000)
        for _ in range(batch):
            number += 1
            due = number * EVERY_MS
            encoder.add(number, (START_MS + due, due), next(source))
        start, end = encoder.finish()
        yield bytes(buffer[start:end]), batch


def packed():
    """As the device keeps them."""
    buffer = bytearray(reading.most_bytes(len(CHANNELS)))
    for number, values in enumerate(rows()):
        yield bytes(buffer[: reading.pack_into(buffer, number * EVERY_MS, values)]), 1


def fresh():
    return mounted(BLOCKS, PROGRAM)


def fits():
    answer = {}
    for name, records in (
        ("json", encoded(jsons.Encoder(CHANNELS, 1986752812), 1)),
        ("records", packed()),
        ("frames", encoded(frames.Encoder(CHANNELS, 1986752812, "d1", EVERY_MS, FRAME), FRAME)),
    ):
        fresh()
        answer[name] = fitting(records)
    return answer


def opening():
    fresh()
    empty = opening_us()
    fitting(packed())
    return {"empty_us": empty, "full_us": opening_us()}


def opening_us():
    best = None
    for _ in range(9):
        gc.collect()
        start = time.ticks_us()
        opened()
        took = time.ticks_diff(time.ticks_us(), start)
        best = took if best is None else min(best, took)
    return best


def heap():
    """Of an open queue, empty and full."""
    fresh()
    opened()  # what is loaded at its first use is not the queue's
    gc.collect()
    before = gc.mem_alloc()
    journal = opened()
    gc.collect()
    empty = gc.mem_alloc() - before
    records = 0
    for record, _ in packed():
        if not journal.append(record):
            break
        records += 1
    record = None
    gc.collect()
    return {"empty": empty, "full": gc.mem_alloc() - before, "records": records}


print(json.dumps(globals()[os.getenv("WHAT")]()))
