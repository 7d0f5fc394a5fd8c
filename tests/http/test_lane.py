"""The lane to the writer, when the writer makes a mistake."""

import asyncio
import threading
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from postledger.http.figures import Figures
from postledger.http.lane import Lane
from postledger.settings import load
from postledger.store.writer import Arrival, Outcome


class Clumsy:
    """A writer that stores, but cannot move what waits in its journal."""

    waiting = 1

    def __init__(self) -> None:
        self.waiting_since = time.monotonic() - 60
        self.flushes = 0
        self.twice = threading.Event()

    def flush(self) -> None:
        self.flushes += 1
        if self.flushes > 1:
            self.twice.set()
        raise ValueError("ann@mail.example")

    def store_small(self, arrivals: list[Arrival]) -> list[Outcome]:
        return [Outcome(arrival.count) for arrival in arrivals]

    def close(self) -> None: ...


def test_storing_goes_on() -> None:
    """Events are stored and acknowledged, and the journal is tried again; the log tells where the
    mistake is, not what it says."""
    writer: Any = Clumsy()

    async def used() -> Outcome:
        lane = Lane(writer, load({}, overrides={"flush_ms": 1}), Figures())
        lane.start()
        await asyncio.to_thread(writer.twice.wait, 20)
        stored = await lane.store(Arrival("w", b"{}", 3))
        await lane.close()
        return stored

    with capture_logs() as logs:
        assert Outcome(3) == asyncio.run(asyncio.wait_for(used(), 20))
    assert {("flush_failed", "ValueError")} == {
        (log["event"], type(log["exc_info"]).__name__) for log in logs
    }
    assert not any("ann@" in str(log.get("reason")) for log in logs)


class Miscounting:
    """A writer that forgets to say what became of the last of several arrivals."""

    waiting = 0
    waiting_since = None

    def store_small(self, arrivals: list[Arrival]) -> list[Outcome]:
        return [Outcome(arrival.count) for arrival in arrivals if arrival.workspace != "forgotten"]

    def close(self) -> None: ...


def test_nobody_waits_for_ever() -> None:
    """Whose outcome is missing is told of a mistake, and the next ones are stored."""
    writer: Any = Miscounting()

    async def used() -> Outcome:
        lane = Lane(writer, load({}), Figures())
        lane.start()
        with pytest.raises(ValueError, match="shorter"):
            await lane.store(Arrival("forgotten", b"{}", 1))
        stored = await lane.store(Arrival("w", b"{}", 3))
        await lane.close()
        return stored

    assert Outcome(3) == asyncio.run(asyncio.wait_for(used(), 20))
