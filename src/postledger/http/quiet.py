"""Work for hours in which nothing comes in."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

from postledger.errors import PostledgerError
from postledger.http.lane import Lane
from postledger.store.engine import Engine
from postledger.store.tidy import Tidy


@asynccontextmanager
async def tidying(engine: Engine, lane: Lane, quiet_seconds: int) -> AsyncIterator[None]:
    """Until the block is left, merge parts of an embedded store when nothing has come in for
    `quiet_seconds`; 0: never."""
    if not (engine.embedded and quiet_seconds):
        yield
        return
    tidy = Tidy(engine)
    thread = ThreadPoolExecutor(1, thread_name_prefix="tidy")
    task = asyncio.get_running_loop().create_task(_run(tidy, lane, thread, quiet_seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.to_thread(tidy.stop)
        with suppress(asyncio.CancelledError):
            await task
        thread.shutdown()


async def _run(tidy: Tidy, lane: Lane, thread: ThreadPoolExecutor, quiet_seconds: int) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(quiet_seconds)
        with suppress(PostledgerError):  # the store is busy or full; there is a next time
            while lane.quiet_seconds >= quiet_seconds:
                if not await loop.run_in_executor(thread, tidy.once):
                    break
