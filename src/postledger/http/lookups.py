"""Questions to the state store from the asynchronous shell: keys, settings of workspaces, exports.

They have threads of their own, since the store may be a database that does not answer, and nobody
else must wait for that.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import structlog

from postledger.errors import StoreAway

_LOG = structlog.get_logger()

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
        """The answer. Raises StoreUnavailable; while nobody answers there, for a moment without
        asking again: not every request has to wait for its own failure."""
        if time.monotonic() < self._away_until:
            raise StoreAway(self._away)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience):
                return await loop.run_in_executor(self._threads, lambda: question(*args, **kwargs))
        except TimeoutError as error:
            raise self._gone("the state store does not answer") from error
        except StoreAway as error:
            raise self._gone(str(error)) from error

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _gone(self, why: str) -> StoreAway:
        now = time.monotonic()
        if now >= self._away_until:
            _LOG.error("state_store_away", reason=why)
        self._away, self._away_until = why, now + _AWAY_SECONDS
        return StoreAway(why)
