"""The one crossing from the asynchronous shell to the writer, which does one thing at a time.

Small arrivals that wait at the same moment are stored together. A limit on bytes under way turns
away what is too much, instead of a queue without end.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import structlog

from postledger.errors import Busy, PostledgerError, StoreFull
from postledger.http.figures import Figures
from postledger.settings import MIB, Settings
from postledger.store.writer import PREPARED_AT_ONCE, Arrival, Outcome, Prepared, Writer

_LOG = structlog.get_logger()
_MOST_TOGETHER = 4 * MIB
_MOST_PREPARED = 16 * MIB
_GATHER_SECONDS = 0.002
_MOST_WAITING = 20_000
T = TypeVar("T")


@dataclass(slots=True)
class _Waiting:
    arrival: Arrival
    alone: bool = False
    done: asyncio.Future[Outcome] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def goes_with(self, other: "_Waiting") -> bool:
        """Whether both may be prepared together."""
        mine, others = self.arrival, other.arrival
        same = (mine.workspace, mine.source) == (others.workspace, others.source)
        return same and not (mine.atomic or others.atomic or self.alone or other.alone)


@dataclass(frozen=True, slots=True)
class _Ready:
    """Large arrivals that have been prepared together."""

    waiting: Sequence[_Waiting]
    prepared: Prepared


class Lane:
    """Owns the writer once `run` has started; `close` it in the same loop."""

    def __init__(self, writer: Writer, settings: Settings, figures: Figures) -> None:
        self._writer = writer
        self._settings = settings
        self._figures = figures
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._preparing = ThreadPoolExecutor(PREPARED_AT_ONCE, thread_name_prefix="prepare")
        self._queue: deque[_Waiting | _Ready] = deque()
        self._large: deque[_Waiting] = deque()
        self._room = asyncio.Semaphore(PREPARED_AT_ONCE)
        self._something = asyncio.Event()
        self._under_way: set[asyncio.Future[Outcome]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._bytes = 0
        self._last_arrival = time.monotonic()
        self._flush_queued: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Store what has been handed in, and close the writer."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        self._closing = True
        self._something.set()
        if self._task is not None:
            await self._task
        await self._in_thread(self._writer.close)
        self._preparing.shutdown()
        self._thread.shutdown()

    def reserve(self, size: int) -> None:
        """Count `size` bytes as under way. Raises Busy when that is too much."""
        if self._bytes + size > self._settings.max_pending_bytes:
            raise Busy("too much is being stored at the moment; send this again in a moment")
        self._bytes += size

    def release(self, size: int) -> None:
        self._bytes -= size

    @property
    def quiet_seconds(self) -> float:
        """Since when nothing has come in."""
        return time.monotonic() - self._last_arrival

    async def store(self, arrival: Arrival) -> Outcome:
        """What became of `arrival`, when it is on disk. It goes on when the caller is cancelled."""
        self._last_arrival = time.monotonic()
        waiting = _Waiting(arrival)
        self._under_way.add(waiting.done)
        waiting.done.add_done_callback(self._finished)
        if self._is_small(arrival):
            self._queue.append(waiting)
            self._something.set()
        else:
            self._large.append(waiting)
            self._start(self._prepare_some())
        return await asyncio.shield(waiting.done)

    def _finished(self, done: asyncio.Future[Outcome]) -> None:
        self._under_way.discard(done)
        done.exception()  # who waited for it may be gone; then nobody else asks

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _prepare_some(self) -> None:
        """Prepare the large arrivals that wait, as many together as go together."""
        await self._room.acquire()  # given back when they have been stored
        together = list(self._next_large())
        if not together:
            self._room.release()
            return
        arrivals = [waiting.arrival for waiting in together]
        try:
            prepared = await asyncio.get_running_loop().run_in_executor(
                self._preparing, lambda: self._writer.prepare(*arrivals)
            )
        except Exception as error:  # noqa: BLE001 -- belongs to those who wait
            self._room.release()
            self._prepare_failed(together, error)
            return
        self._queue.append(_Ready(together, prepared))
        self._something.set()

    def _prepare_failed(self, together: Sequence[_Waiting], error: Exception) -> None:
        """One of several may be to blame; each is tried alone then."""
        if len(together) == 1 or isinstance(error, StoreFull):
            _fail(together, error)
            return
        for waiting in together:
            waiting.alone = True
            self._large.append(waiting)
            self._start(self._prepare_some())

    def _next_large(self) -> Iterator[_Waiting]:
        size = 0
        first: _Waiting | None = None
        while self._large and size < _MOST_PREPARED:
            if first is not None and not first.goes_with(self._large[0]):
                return
            first = self._large.popleft()
            size += len(first.arrival.lines)
            yield first

    async def settled(self) -> None:
        """Wait until all that has been acknowledged can be read.

        When the store cannot write just now, what is in the table is read without the rest.
        """
        if not self._writer.waiting:
            return
        if self._flush_queued is None:
            self._flush_queued = asyncio.ensure_future(self._flush())
        with suppress(PostledgerError):
            await asyncio.shield(self._flush_queued)

    @property
    def given(self) -> dict[str, int]:
        """The number of the last event of each workspace, also of those in the journal."""
        return self._writer.given

    async def numbers(self) -> dict[str, int]:
        """The same, when all of them are in the table."""
        return await self._in_thread(self._writer.numbers)

    async def refuse_before(self, horizon: datetime) -> None:
        """Store no event from before this time from now on."""
        await self._in_thread(lambda: self._writer.refuse_before(horizon))

    # -- the loop

    async def _run(self) -> None:
        while not (self._closing and not self._queue):
            await self._wait()
            if self._queue:
                await self._store_some()
            if self._flush_is_due():
                with suppress(Exception):  # logged; it will be tried again
                    await self._flush()

    async def _wait(self) -> None:
        """For something to do, at most until the next flush."""
        if self._queue:
            return
        self._something.clear()
        timeout = self._settings.flush_ms / 1000 if self._writer.waiting else None
        if not self._closing:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._something.wait(), timeout)

    def _flush_is_due(self) -> bool:
        since = self._writer.waiting_since
        if since is None:
            return False
        aged = time.monotonic() - since > self._settings.flush_ms / 1000
        return aged or self._writer.waiting > _MOST_WAITING

    async def _store_some(self) -> None:
        if isinstance(self._queue[0], _Ready):
            await self._store_large()
            return
        await asyncio.sleep(_GATHER_SECONDS)
        together: list[_Waiting] = []
        size = 0
        while self._queue and isinstance(waiting := self._queue[0], _Waiting):
            if size >= _MOST_TOGETHER:
                break
            self._queue.popleft()
            together.append(waiting)
            size += len(waiting.arrival.lines)
        arrivals = [waiting.arrival for waiting in together]
        await self._answer(together, lambda: self._writer.store_small(arrivals))

    async def _store_large(self) -> None:
        ready = self._queue.popleft()
        assert isinstance(ready, _Ready)  # noqa: S101 -- said to the type checker
        try:
            await self._answer(ready.waiting, lambda: self._writer.store(ready.prepared))
        finally:
            self._room.release()

    def _is_small(self, arrival: Arrival) -> bool:
        return arrival.own and len(arrival.lines) <= self._settings.small_body_bytes

    async def _answer(
        self, together: Sequence[_Waiting], store: Callable[[], list[Outcome]]
    ) -> None:
        try:
            with self._figures.inserting(sum(waiting.arrival.count for waiting in together)):
                outcomes = await self._in_thread(store)
            for waiting, outcome in zip(together, outcomes, strict=True):
                self._figures.stored(outcome)
                if not waiting.done.done():
                    waiting.done.set_result(outcome)
        except Exception as error:  # noqa: BLE001 -- belongs to those who wait
            _fail(together, error)

    async def _flush(self) -> None:
        def flush() -> None:
            self._flush_queued = None  # who comes from here on needs another one
            self._writer.flush()

        try:
            await self._in_thread(flush)
        except PostledgerError as error:
            _LOG.error("flush_failed", reason=str(error), waiting=self._writer.waiting)
            raise
        except Exception as error:
            _LOG.error("flush_failed", exc_info=error, waiting=self._writer.waiting)
            raise

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _fail(together: Sequence[_Waiting], error: Exception) -> None:
    for waiting in together:
        if not waiting.done.done():
            waiting.done.set_exception(error)
