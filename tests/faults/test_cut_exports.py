"""Exports that are cut short: by SIGKILL, by a full disk, by a person, by time."""

import json
import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_full_disk import MIB, fill, small_disk

from conftest import Client, Server, problem
from making import NDJSON, event, lines

__all__ = ["small_disk"]  # a fixture

EXPORTS = "/ledger/v1/exports"
EVENTS = 40_000


def load(client: Client, count: int = EVENTS) -> set[str]:
    """Store events that take a while to be written, as they do not compress."""
    ids = set()
    for first in range(0, count, 10_000):
        some = [
            event(n % 5000, event_id=f"n{n}", subject=os.urandom(100).hex())
            for n in range(first, first + 10_000)
        ]
        assert 200 == client.post(lines(*some), Content_Type=NDJSON).status
        ids |= {e["event_id"] for e in some}
    return ids


Loaded = tuple[Server, set[str]]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """The data of a server that has stopped, with many events, and their ids."""
    running = Server(tmp_path_factory.mktemp("full")).start()
    ids = load(running.client)
    assert 0 == running.stop()
    return running.directory / "data", ids


@pytest.fixture
def loaded(full: tuple[Path, set[str]], start: Callable[..., Server], tmp_path: Path) -> Loaded:
    """A server on a copy of them, and their ids."""
    data, ids = full
    shutil.copytree(data, tmp_path / "data", symlinks=True)
    return start().start(), ids


def begin(client: Client, **asked: Any) -> str:
    answer = client.post(json.dumps({"format": "ndjson"} | asked).encode(), EXPORTS)
    assert 202 == answer.status, answer
    job_id: str = answer.json()["id"]
    return job_id


def until(client: Client, job_id: str, *statuses: str) -> dict[str, Any]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        job: dict[str, Any] = client.get(f"{EXPORTS}/{job_id}")
        if job["status"] in statuses:
            return job
        time.sleep(0.002)
    raise AssertionError(job)


def ids_of(client: Client, job: dict[str, Any]) -> Counter[str]:
    answer = client.request("GET", job["download_url"])
    assert 200 == answer.status
    return Counter(json.loads(line)["event_id"] for line in answer.body.splitlines())


def files(running: Server) -> Iterator[Path]:
    """Files of exports, begun ones too."""
    directory = Path(running.environment()["POSTLEDGER_DATA_DIR"]) / "exports"
    return (path for path in directory.glob("*/*") if path.is_file())


def test_kill(loaded: Loaded) -> None:
    """What ran and what waited at a SIGKILL is done after the start, with every event once that was
    stored before it was asked for."""
    running, ids = loaded
    jobs = [begin(running.client, name="first"), begin(running.client, name="second")]
    until(running.client, jobs[0], "running")
    running.client.store(event(9999, event_id="later"))
    running.kill()
    running.start()
    for job_id in jobs:
        job = until(running.client, job_id, "done", "failed", "cancelled")
        assert ("done", EVENTS, EVENTS) == (job["status"], job["rows"], job["rows_total"])
        assert Counter(ids) == ids_of(running.client, job)
    assert 2 == len(list(files(running)))
    following = begin(running.client, name="first", incremental=True)
    assert {"later": 1} == ids_of(running.client, until(running.client, following, "done"))
    assert 0 == running.stop()


def test_stop(loaded: Loaded) -> None:
    """A server that is stopped does not wait for an export; it is done after the start."""
    running, ids = loaded
    job_id = begin(running.client, compression="gzip")
    until(running.client, job_id, "running")
    assert 0 == running.stop()
    running.start()
    until(running.client, job_id, "done")
    answer = running.client.request("GET", f"{EXPORTS}/{job_id}/file", None, {"Range": "bytes=0-1"})
    assert (206, b"\x1f\x8b") == (answer.status, answer.body)
    assert EVENTS == len(ids)


def test_cancel(loaded: Loaded) -> None:
    """Cancelling stops what runs and what waits, and removes what was written; a name is free
    again, and goes on where the last one that was done ended."""
    running, ids = loaded
    client = running.client
    jobs = [begin(client, name="nightly", compression="gzip"), begin(client)]
    until(client, jobs[0], "running")
    told = problem(client.post(b'{"format": "csv", "name": "nightly"}', EXPORTS), 400)
    assert "name" == told["errors"][0]["parameter"]
    for job_id in jobs[::-1]:
        answer = client.request("DELETE", f"{EXPORTS}/{job_id}")
        assert (200, "cancelled") == (answer.status, answer.json()["status"])
        assert answer.json()["finished_at"]
    for job_id in jobs:
        problem(client.request("GET", f"{EXPORTS}/{job_id}/file"), 404)
    again = begin(client, name="nightly", incremental=True)
    assert Counter(ids) == ids_of(client, until(client, again, "done"))
    assert [again] == [path.name.split(".")[0] for path in files(running)]
    assert ["done", "cancelled", "cancelled"] == [
        j["status"] for j in client.get(EXPORTS)["exports"]
    ]
    assert 204 == client.request("DELETE", f"{EXPORTS}/{jobs[0]}").status


@pytest.mark.parametrize("least", [60 * MIB, 0], ids=["checked before", "found while writing"])
def test_full_disk(
    small_disk: Path, start: Callable[..., Server], tmp_path: Path, least: int
) -> None:
    """An export for which there is no room fails with a sentence and leaves nothing; the server
    goes on, and the export can be made when there is room."""
    data = {"POSTLEDGER_DATA_DIR": str(small_disk / "data")}
    running = start(tmp_path / "server", **data, POSTLEDGER_MIN_FREE_BYTES=str(least)).start()
    client = running.client
    ids = load(client, 30_000)
    client.get("/ledger/v1/feed?limit=1")
    filler = fill(small_disk, 4 * MIB)
    job = until(client, begin(client, name="daily"), "done", "failed")
    assert "failed" == job["status"], job
    assert "full: free some room" in job["error"]
    assert [] == list(files(running))
    assert 100 == len(client.get("/ledger/v1/feed?limit=100")["events"])
    assert 200 == client.request("GET", "/healthz").status
    filler.unlink()
    job = until(client, begin(client, name="daily", incremental=True), "done", "failed")
    assert Counter(ids) == ids_of(client, job)
    assert 0 == running.stop()


def test_expiry(start: Callable[..., Server]) -> None:
    """Exports older than export_keep_days are removed with their files, unless that is 0; the place
    of a name stays."""
    running = start(POSTLEDGER_EXPORT_KEEP_DAYS="0").start()
    running.client.store(event(1))
    old = begin(running.client, name="daily")
    until(running.client, old, "done")
    running.stop()
    state = sqlite3.connect(running.directory / "data" / "state.sqlite3")
    state.execute("UPDATE exports SET finished_at = datetime(finished_at, '-2 days')")
    state.commit()
    state.close()
    running.start()
    new = begin(running.client)
    until(running.client, new, "done")
    assert 2 == len(running.client.get(EXPORTS)["exports"])
    running.stop()
    running.env["POSTLEDGER_EXPORT_KEEP_DAYS"] = "1"
    running.start()
    end = time.monotonic() + 20
    while len(running.client.get(EXPORTS)["exports"]) > 1 and time.monotonic() < end:
        time.sleep(0.02)
    assert [new] == [job["id"] for job in running.client.get(EXPORTS)["exports"]]
    assert [new] == [path.name.split(".")[0] for path in files(running)]
    following = begin(running.client, name="daily", incremental=True)
    assert 0 == until(running.client, following, "done")["rows"]
    assert 0 == running.stop()
