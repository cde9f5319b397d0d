"""A wake-up call with a time-out, for asyncio.

`asyncio.wait_for` on an Event does the same with two tasks for every wait; this takes a few bytes
and no task. It reaches into the loop's queue of tasks, as asyncio's own Event and Lock do.
"""

from asyncio import core


class Wake:
    """`set()` ends the waits that are on, or else the next one."""

    def __init__(self):
        self._set = False
        self._waiting = []

    # async
    def wait_ms(self, ms):
        """Return when `set` is called, at the latest after `ms`."""
        if not self._set:
            task = core.cur_task
            self._waiting.append(task)
            try:
                yield from core.sleep_ms(ms)
            finally:
                self._waiting.remove(task)
        self._set = False

    def set(self):
        self._set = True
        for task in self._waiting:
            core._task_queue.remove(task)
            core._task_queue.push(task)
