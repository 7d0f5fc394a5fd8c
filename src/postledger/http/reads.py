"""Questions to the store from the asynchronous shell: as many at once as it has readers."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from postledger.errors import Busy
from postledger.http.lane import Lane
from postledger.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

_MOST_WAITING_FOR_EACH = 64


class Reads:
    def __init__(self, lane: Lane, settings: Settings) -> None:
        self._lane = lane
        self._threads = ThreadPoolExecutor(settings.readers, thread_name_prefix="reader")
        self._under_way = 0
        self._most = settings.readers * _MOST_WAITING_FOR_EACH

    async def ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The answer, with all that was acknowledged before. Raises Busy when too many wait."""
        if self._under_way >= self._most:
            raise Busy("too many questions wait; ask again in a moment")
        self._under_way += 1
        try:
            await self._lane.settled()
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, lambda: question(*args, **kwargs))
        finally:
            self._under_way -= 1

    def close(self) -> None:
        self._threads.shutdown()
