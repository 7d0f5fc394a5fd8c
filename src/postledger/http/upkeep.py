"""What a server does beside answering: folds events, merges parts, removes what is too old, exports
too, learns which values are common, looks whether the disk has what was merged."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from postledger.errors import PostledgerError
from postledger.exports.runner import Runner
from postledger.http.figures import Figures
from postledger.http.lane import Lane
from postledger.store.engine import Engine
from postledger.store.retention import Retention, first_day
from postledger.store.rollups import Rollups
from postledger.store.tidy import Tidy

_LOG = structlog.get_logger()
_EVERY_SECONDS = 1
_QUIET_SECONDS = 1
_MOST_BEHIND, _MOST_BEHIND_SECONDS = 400_000, 60
"""What a question for figures may have to count because it is not folded yet. A step of 400,000
events takes 3.4 microseconds of a processor for each, one of 100,000 takes 5."""
_RETAIN_EVERY_SECONDS = 3600
_WATCH_EVERY_SECONDS = 60
"""The engine merges by itself too, and removes what it has merged after eight minutes."""
T = TypeVar("T")


@asynccontextmanager
async def upkeep(
    engine: Engine, rollups: Rollups, lane: Lane, runner: Runner, figures: Figures
) -> AsyncIterator[None]:
    """Until the block is left."""
    work = _Upkeep(engine, rollups, lane, runner, figures)
    task = asyncio.get_running_loop().create_task(work.run())
    try:
        yield
    finally:
        task.cancel()
        await work.stop()
        with suppress(asyncio.CancelledError):
            await task
        work.threads.shutdown()


class _Upkeep:
    def __init__(
        self, engine: Engine, rollups: Rollups, lane: Lane, runner: Runner, figures: Figures
    ) -> None:
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="upkeep")  # for work, and to watch
        self._rollups = rollups
        self._lane = lane
        self._runner = runner
        self._settings = engine.settings
        self._figures = figures
        self._retention = Retention(engine)
        self._engine = engine
        self._tidy = Tidy(engine) if engine.embedded and engine.settings.quiet_seconds else None
        self._folded = self._retained = float("-inf")
        self._told: dict[str, str] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._work())
            tasks.create_task(self._watch())

    async def _work(self, every: float = _EVERY_SECONDS) -> None:
        while True:
            await self._try("fold", self._fold)
            await self._try("learn", lambda: self._in_thread(self._rollups.guesses.learn))
            await self._try("retain", self._retain)
            await self._try("merge", self._merge)
            await asyncio.sleep(every)

    async def _watch(self, every: float = _WATCH_EVERY_SECONDS) -> None:
        """Beside the work, of which a step may take minutes."""
        while True:
            await self._try("expire", lambda: self._in_thread(self._runner.expire))
            await asyncio.sleep(every)
            await self._try("check", lambda: self._in_thread(self._engine.sure_of_all))

    async def stop(self) -> None:
        """Break off what takes long."""
        if self._tidy is not None:
            await asyncio.to_thread(self._tidy.stop)

    async def _try(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do it; when it fails, the store being full for instance, there is a next time."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 -- whatever it was, the rest must go on
            self._tell(name, error)
        else:
            self._told.pop(name, None)

    def _tell(self, name: str, error: Exception) -> None:
        """Once, as long as it fails for the same reason."""
        expected = isinstance(error, PostledgerError)
        reason = str(error) if expected else type(error).__name__
        if self._told.get(name) != reason:
            trace = None if expected else error
            _LOG.warning(f"{name}_failed", reason=reason, exc_info=trace)
        self._told[name] = reason

    async def _fold(self) -> None:
        behind = self._count_unfolded()
        waited = time.monotonic() - self._folded >= _MOST_BEHIND_SECONDS
        quiet = self._lane.quiet_seconds >= _QUIET_SECONDS
        if behind > _MOST_BEHIND or (behind and (quiet or waited)):
            await self._fold_all()

    async def _fold_all(self) -> None:
        stored = await self._lane.numbers()
        while await self._in_thread(lambda: self._rollups.fold(stored)):
            self._count_unfolded()
        self._folded = time.monotonic()

    def _count_unfolded(self) -> int:
        behind = self._rollups.behind(self._lane.given)
        self._figures.unfolded.set(behind)
        return behind

    async def _retain(self) -> None:
        if time.monotonic() - self._retained < _RETAIN_EVERY_SECONDS:
            return
        now = datetime.now(UTC)
        horizon = await self._in_thread(lambda: self._rollups.horizon)
        first = first_day(now, self._settings.keep_events_days)
        if first > horizon:
            await self._lane.refuse_before(first)
            await self._fold_all()
            await self._in_thread(lambda: self._rollups.move_horizon(first))
        await self._in_thread(lambda: self._retention.forget_events(max(first, horizon)))
        if self._settings.keep_rollups_days:
            kept = first_day(now, self._settings.keep_rollups_days)
            await self._in_thread(lambda: self._rollups.forget(kept))
        self._retained = time.monotonic()

    async def _merge(self) -> None:
        tidy = self._tidy
        if tidy is None:
            return
        while self._lane.quiet_seconds >= self._settings.quiet_seconds:
            if not await self._in_thread(tidy.once):
                break

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)
