"""What the runner of exports does when the state store cannot be written for a while."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from postledger.errors import StoreFull
from postledger.exports.asking import Asked
from postledger.exports.runner import Runner
from postledger.http.exports import _expiring
from postledger.query import EventQuery
from postledger.settings import load

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class FullJobs:
    """Keeps one job, and finds no room for the first changes."""

    def __init__(self, fails: int) -> None:
        self.fails = fails
        self.changes: list[dict[str, Any]] = []

    def add(self, _: object) -> None: ...

    def change(self, _: object, **values: object) -> bool:
        self.fails -= 1
        if self.fails >= 0:
            raise StoreFull("full; free some room")
        self.changes.append(values)
        return True


def test_a_failure_is_noted_once_there_is_room(tmp_path: Path) -> None:
    """A job that fails because nothing can be written does not stay queued for ever."""
    jobs = FullJobs(fails=3)
    settings = load({}, overrides={"data_dir": str(tmp_path)})
    runner = Runner(settings, jobs, {}, lambda: NOW)  # type: ignore[arg-type]
    query = EventQuery("w", NOW, NOW)
    runner.add(Asked(query, "csv", "none", None, None, incremental=False), 5)
    until = time.monotonic() + 20
    while not jobs.changes and time.monotonic() < until:
        time.sleep(0.01)
    runner.close()
    (noted,) = jobs.changes
    assert ("failed", NOW) == (noted["status"], noted["finished_at"])
    assert "free some room" in noted["error"]


class Expiring:
    """A runner that finds no room each time."""

    def __init__(self) -> None:
        self.times = 0

    def expire(self) -> None:
        self.times += 1
        raise StoreFull("full; free some room")


def test_expiry_goes_on() -> None:
    """A full disk does not end the removal of old exports."""
    runner: Any = Expiring()

    async def a_while() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(_expiring(runner, 0.01), 0.5)

    asyncio.run(a_while())
    assert runner.times > 1
