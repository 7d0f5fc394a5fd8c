"""What the runner of exports does when the state store cannot be written for a while."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from postledger.errors import StoreFull, StoreUnavailable
from postledger.exports.asking import EVENTS, Asked
from postledger.exports.runner import Runner
from postledger.query import EventQuery
from postledger.settings import load
from postledger.state.exports import DONE, FAILED, Job

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class BrokenJobs:
    """Keeps one job, and fails at the first changes."""

    def __init__(self, fails: int, error: StoreUnavailable) -> None:
        self.fails = fails
        self.error = error
        self.job: Job | None = None
        self.changes: list[dict[str, Any]] = []

    def add(self, job: Job, *, incremental: bool) -> Job:
        assert not incremental
        self.job = job
        return job

    def get(self, _: str, __: str) -> Job:
        assert self.job is not None
        return self.job

    def change(self, _: object, **values: object) -> bool:
        self.fails -= 1
        if self.fails >= 0:
            raise self.error
        self.changes.append(values)
        return True

    def finish(self, job: Job, **values: object) -> bool:
        return self.change(job, **values | {"status": DONE})


class TwoPieces:
    """The content of a file."""

    total = rows = 2

    def __init__(self, between: Callable[[], None]) -> None:
        self._between = between

    @contextmanager
    def pieces(self, _: object) -> Iterator[Iterator[bytes]]:
        def each() -> Iterator[bytes]:
            yield b"one\n"
            self._between()
            yield b"two\n"

        yield each()


FULL = StoreFull("full; free some room")
AWAY = StoreUnavailable("the state store failed: connection refused")
ASKED = Asked(EventQuery("w", NOW, NOW), "csv", "none", None, None, incremental=False)


def run(place: Path, jobs: BrokenJobs, between: Callable[[], None]) -> Runner:
    """A runner that is asked for a file of two pieces, and does something between them."""
    settings = load({}, overrides={"data_dir": str(place), "min_free_bytes": "0"})
    kinds: Any = {EVENTS: lambda _: TwoPieces(between)}
    runner = Runner(settings, jobs, kinds, lambda: NOW)  # type: ignore[arg-type]
    runner.add(ASKED, 5)
    return runner


def wait_for(status: str, jobs: BrokenJobs) -> dict[str, Any]:
    """The last change, which brought it there."""
    until = time.monotonic() + 20
    while not (jobs.changes and jobs.changes[-1].get("status") == status):
        assert time.monotonic() < until, jobs.changes
        time.sleep(0.01)
    return jobs.changes[-1]


def test_a_state_store_that_comes_back(tmp_path: Path) -> None:
    """While it cannot be reached nothing that was written is thrown away: the job waits for it at
    its start and at its end."""
    jobs = BrokenJobs(2, AWAY)

    def go_away() -> None:
        jobs.fails = 2

    runner = run(tmp_path, jobs, go_away)
    done = wait_for(DONE, jobs)
    runner.close()
    assert hashlib.sha256(b"one\ntwo\n").hexdigest() == done["sha256"]
    assert [b"one\ntwo\n"] == [file.read_bytes() for file in tmp_path.glob("exports/w/*")]


def test_a_cancellation_that_is_not_noted(tmp_path: Path) -> None:
    """Who could not be told that his job was cancelled gets the whole file."""
    jobs = BrokenJobs(0, AWAY)

    def cancel() -> None:
        begun.wait(20)
        jobs.fails = 1
        with pytest.raises(StoreUnavailable):
            runner.cancel_or_remove("w", "j")

    begun = threading.Event()
    runner = run(tmp_path, jobs, cancel)
    begun.set()
    wait_for(DONE, jobs)
    runner.close()
    assert [b"one\ntwo\n"] == [file.read_bytes() for file in tmp_path.glob("exports/w/*")]


def test_a_failure_is_noted_once_there_is_room(tmp_path: Path) -> None:
    """A job that fails because nothing can be written does not stay queued for ever."""
    jobs = BrokenJobs(3, FULL)
    runner = run(tmp_path, jobs, lambda: None)
    noted = wait_for(FAILED, jobs)
    runner.close()
    assert NOW == noted["finished_at"]
    assert [noted] == jobs.changes
    assert "free some room" in noted["error"]
