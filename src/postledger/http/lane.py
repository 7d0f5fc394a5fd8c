"""The one crossing from the asynchronous shell to the writer, which does one thing at a time.

Small arrivals that wait at the same moment are stored together. A limit on bytes under way turns
away what is too much, instead of a queue without end.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import structlog

from postledger.errors import Busy, PostledgerError
from postledger.http.figures import Figures
from postledger.settings import MIB, Settings
from postledger.store.writer import PREPARED_AT_ONCE, Arrival, Outcome, Prepared, Writer

_LOG = structlog.get_logger()
_MOST_TOGETHER = 4 * MIB
_GATHER_SECONDS = 0.002
_MOST_WAITING = 20_000
T = TypeVar("T")


@dataclass(slots=True)
class _Waiting:
    arrival: Arrival
    prepared: Prepared | None = None
    done: asyncio.Future[Outcome] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Lane:
    """Owns the writer once `run` has started; `close` it in the same loop."""

    def __init__(self, writer: Writer, settings: Settings, figures: Figures) -> None:
        self._writer = writer
        self._settings = settings
        self._figures = figures
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._preparing = ThreadPoolExecutor(PREPARED_AT_ONCE, thread_name_prefix="prepare")
        self._queue: deque[_Waiting] = deque()
        self._something = asyncio.Event()
        self._under_way: set[asyncio.Future[Outcome]] = set()
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
        if self._is_small(arrival):
            return await self._enqueue(_Waiting(arrival))
        task = asyncio.ensure_future(self._prepare_and_store(arrival))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _prepare_and_store(self, arrival: Arrival) -> Outcome:
        loop = asyncio.get_running_loop()
        prepare = self._writer.prepare
        prepared = await loop.run_in_executor(self._preparing, prepare, arrival)
        return await self._enqueue(_Waiting(arrival, prepared))

    async def _enqueue(self, waiting: _Waiting) -> Outcome:
        self._queue.append(waiting)
        self._something.set()
        return await waiting.done

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
                with suppress(PostledgerError):  # logged; it will be tried again
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
        if self._queue[0].prepared is not None:
            await self._store_large(self._queue.popleft())
            return
        await asyncio.sleep(_GATHER_SECONDS)
        together: list[_Waiting] = []
        size = 0
        while self._queue and self._queue[0].prepared is None and size < _MOST_TOGETHER:
            together.append(self._queue.popleft())
            size += len(together[-1].arrival.lines)
        arrivals = [waiting.arrival for waiting in together]
        await self._answer(together, lambda: self._writer.store_small(arrivals))

    async def _store_large(self, waiting: _Waiting) -> None:
        prepared = waiting.prepared
        assert prepared is not None  # noqa: S101 -- said to the type checker
        await self._answer([waiting], lambda: [self._writer.store(prepared)])

    def _is_small(self, arrival: Arrival) -> bool:
        return arrival.own and len(arrival.lines) <= self._settings.small_body_bytes

    async def _answer(
        self, together: Sequence[_Waiting], store: Callable[[], list[Outcome]]
    ) -> None:
        with self._figures.inserting(sum(waiting.arrival.count for waiting in together)):
            try:
                outcomes = await self._in_thread(store)
            except Exception as error:  # noqa: BLE001 -- belongs to those who wait
                for waiting in together:
                    if not waiting.done.done():
                        waiting.done.set_exception(error)
                return
        for waiting, outcome in zip(together, outcomes, strict=True):
            self._figures.stored(outcome)
            if not waiting.done.done():
                waiting.done.set_result(outcome)

    async def _flush(self) -> None:
        def flush() -> None:
            self._flush_queued = None  # who comes from here on needs another one
            self._writer.flush()

        try:
            await self._in_thread(flush)
        except PostledgerError as error:
            _LOG.error("flush_failed", reason=str(error), waiting=self._writer.waiting)
            raise

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
