"""Uses a journal for long: does it slow down, leak, or wear some blocks more than others? Runs on
MicroPython.
"""

# MicroPython's modules are not CPython's.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import gc
import os
import sys
import time

from host_tests.faults.flash import Flash
from host_tests.journal.cutting import QUEUE, LittleFS, unmount
from journal import Journal

LIMIT = 65536
OUTAGE = 300  # records that wait, out of every 1000


def opening_us():
    """The shortest of a few openings."""
    best = None
    for _ in range(7):
        gc.collect()
        start = time.ticks_us()
        Journal(QUEUE, LIMIT)
        took = time.ticks_diff(time.ticks_us(), start)
        best = took if best is None else min(best, took)
    return best


class Looks:
    """What is seen of a journal now and then; each look is told on stderr."""

    def __init__(self, device):
        self.device = device
        self.openings_us = []
        self.heap = []
        self._start = time.time()

    def look(self, appended):
        gc.collect()
        self.heap.append(gc.mem_alloc())
        self.openings_us.append(opening_us())
        erases = sorted(self.device.erases[2:])  # the first two hold the root
        print(
            f"{appended} appended after {int(time.time() - self._start)} s: opens in "
            f"{self.openings_us[-1]} us, heap {self.heap[-1]}, erases of a block "
            f"{erases[0]} to {erases[-1]}, in the middle {erases[len(erases) // 2]}",
            file=sys.stderr,
        )


def endure(count, blocks=64, looks=10):
    """Append `count` records of 60 bytes, acknowledged at once but for an outage now and then.

    Returns {"opening_us", "heap": [at each look], "erases": [of each block], ...}.
    """
    kind = LittleFS(32, 128)
    device = Flash(blocks)
    kind.format(device)
    kind.mount(device)
    os.mkdir(QUEUE)
    journal = Journal(QUEUE, LIMIT)
    record = bytearray(60)
    seen = Looks(device)
    for i in range(count):
        if i % (count // looks) == 0:
            seen.look(i)
        record[0] = i & 0xFF
        number = journal.append(record)
        if number != i + 1:
            raise ValueError(f"number {number} after {i}")
        if i % 1000 >= OUTAGE:
            journal.release(number)
    seen.look(count)
    answer = {
        "opening_us": seen.openings_us, "heap": seen.heap, "erases": device.erases,
        "dropped": journal.dropped, "damaged": journal.damaged, "left": len(journal),
    }
    unmount()
    return answer


def openings(steps=40, each=20):
    """[records, microseconds to open] for queues from empty to full."""
    kind = LittleFS(32, 128)
    device = Flash(64)
    kind.format(device)
    kind.mount(device)
    os.mkdir(QUEUE)
    journal = Journal(QUEUE, LIMIT)
    result = []
    for _ in range(steps):
        result.append([len(journal), opening_us()])
        for _ in range(each):
            journal.append(b"x" * 60)
    unmount()
    return result


def occupied(program, limit, size):
    """Fill a queue beyond its limit. Returns the most bytes of blocks that it really occupied, and
    the most by which that was more than it said. `size` 0: of all sizes.
    """
    kind = LittleFS(program, 128 if program == 32 else 512)
    device = Flash(limit // 4096 + 20, program)
    kind.format(device)
    kind.mount(device)
    os.mkdir(QUEUE)
    other = os.statvfs(QUEUE)[3] + 2  # the directory's own two blocks count
    journal = Journal(QUEUE, limit, **kind.options)
    most = more = number = 0
    while journal.dropped < 30 and number < 6000:
        number += 1
        journal.append(b"x" * (size or (number * 7919 % 1000) // (number % 5 + 1)))
        if number % 5 == 0:
            used = (other - os.statvfs(QUEUE)[3]) * 4096
            most = max(most, used)
            more = max(more, used - journal.bytes_used)
    unmount()
    return [most, more]
