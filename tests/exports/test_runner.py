"""What the runner of exports does when the state store cannot be written for a while."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from postledger.errors import StoreFull
from postledger.exports.asking import Asked
from postledger.exports.runner import Runner
from postledger.query import EventQuery
from postledger.settings import load
from postledger.state.exports import Job

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class FullJobs:
    """Keeps one job, and finds no room for the first changes."""

    def __init__(self, fails: int) -> None:
        self.fails = fails
        self.changes: list[dict[str, Any]] = []

    def add(self, job: Job, *, incremental: bool) -> Job:
        assert not incremental
        return job

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
