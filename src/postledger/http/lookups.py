"""Questions to the state store from the asynchronous shell: keys, settings of workspaces, exports.

They have threads of their own, since the store may be a database that does not answer, and nobody
else must wait for that.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from postledger.errors import StoreFull, StoreUnavailable

PATIENCE = 15.0
"""Seconds that an answer may take: more than `state.tables` gives, which knows more of what is
wrong."""
_AT_ONCE = 4
_AWAY_SECONDS = 1

P = ParamSpec("P")
T = TypeVar("T")


class Lookups:
    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="state")
        self._away, self._away_until = "", 0.0

    async def ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The answer. Raises StoreUnavailable, after a failure for a moment without asking again:
        where each one takes long, not every request has to wait for its own."""
        if time.monotonic() < self._away_until:
            raise StoreUnavailable(self._away)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience):
                return await loop.run_in_executor(self._threads, lambda: question(*args, **kwargs))
        except TimeoutError as error:
            raise self._failed("the state store does not answer") from error
        except StoreFull:
            raise
        except StoreUnavailable as error:
            raise self._failed(str(error)) from error

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _failed(self, why: str) -> StoreUnavailable:
        self._away, self._away_until = why, time.monotonic() + _AWAY_SECONDS
        return StoreUnavailable(why)
