"""Work that blocks, in a thread of its own, and never longer than whoever waits for it."""

import asyncio


async def in_thread(work, *arguments):
    """The answer of work(*arguments).

    Cancelled, it ends only after the work: what the work uses, such as a database, can be closed
    then. (SQLite crashes when one thread closes a connection that another one is in.)
    """
    under_way = asyncio.create_task(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(under_way)
    except asyncio.CancelledError:
        await asyncio.wait([under_way])
        raise
