"""Runs on the device: the libraries with ints at the edge of 31 bits."""

from binascii import hexlify, unhexlify
from time import ticks_add

import scaled
from backoff import Backoff
from firmware import reading
from ticks import Uptime

from . import server


def scaled_texts(values, decimals):
    return [scaled.text(value, decimals) for value in values]


def scaled_parses(texts, decimals):
    return [scaled.parse(text, decimals) for text in texts]


def backoff_delays(first_ms, max_ms, count):
    backoff = Backoff(first_ms, max_ms)
    return [backoff.next_ms() for _ in range(count)]


def uptime_over_wraps(rounds):
    period = ticks_add(0, -1) + 1
    step = period // 5 * 2
    ticks = [ticks_add(0, -step)]
    uptime = Uptime(lambda: ticks[0])
    for looks in range(1, rounds * 5):
        ticks[0] = ticks_add(ticks[0], step)
        if uptime.now() != looks * step:
            return "%d after %d" % (uptime.now(), looks * step)
    return "right"


def pack(due_ms, values, unix_ms):
    buffer = bytearray(reading.most_bytes(len(values)))
    length = reading.pack_into(buffer, due_ms, values, unix_ms)
    return hexlify(buffer[:length]).decode()


def unpack(record, channels):
    values = [None] * channels
    due_ms, unix_ms = reading.unpack_into(memoryview(unhexlify(record)), values)
    return [due_ms, unix_ms, values]


server.serve(globals())
