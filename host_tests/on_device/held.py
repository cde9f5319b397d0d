"""Runs on the device: for how long does a task of lib/mqtt's client hold the event loop? Measured
of every task that is made once this is imported.
"""

import asyncio
import time
from asyncio import core

_PLAIN, _HANDSHAKE = 0, 1
_us = [0, 0]
_client = None


def watch(client):
    """Begin anew: what is done while `client` makes a connection over TLS is the handshake's."""
    global _client
    _client = client
    _us[:] = [0, 0]


def longest_us():
    return _us[_PLAIN]


def longest_of_handshake_us():
    return _us[_HANDSHAKE]


def _held(part):
    """Measure the processor time, which the clock tells in whole ms, between two yields."""
    step, given = part.send, None
    while True:
        start = time.clock()
        try:
            waits_for = step(given)
        except StopIteration as end:
            return end.value
        finally:
            which = _HANDSHAKE if _client and _client.tls and not _client.tasks else _PLAIN
            _us[which] = max(_us[which], int((time.clock() - start) * 1000000))
        try:
            yield waits_for
            step, given = part.send, None
        except BaseException as error:
            step, given = part.throw, error


def _measure_every_task():
    create = core.create_task
    core.create_task = asyncio.create_task = lambda part: create(_held(part))


_measure_every_task()
