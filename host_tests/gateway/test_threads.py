"""Cancelling what waits for a thread."""

import asyncio
import threading

import pytest

from petrel.gateway.threads import in_thread


def test_cancelled_it_ends_after_the_work():
    begun, may_end, log = threading.Event(), threading.Event(), []

    def work():
        begun.set()
        may_end.wait(10)
        log.append("work")

    async def cancel():
        task = asyncio.create_task(in_thread(work))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        log.append("cancelled")
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        log.append("ended")

    asyncio.run(cancel())
    assert log == ["cancelled", "work", "ended"]


def test_an_answer_and_an_error_come_through():
    assert asyncio.run(in_thread(max, 1, 2)) == 2
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(divmod, 1, 0))
