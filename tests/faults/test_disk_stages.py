"""A disk that is full when something is to be written: at each stage, and at random moments."""

import math
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loading import (
    EXPORTS,
    Load,
    check,
    complete,
    counted,
    export,
    exported,
    figures,
    finished,
    incompressible,
    listed,
)
from test_full_disk import MIB, fill, small_disk

from conftest import Client, Server, keyring_of, new_client, problem
from faulting import Tally, chance
from making import NDJSON, Event, lines
from postledger.errors import StoreFull

__all__ = ["small_disk"]  # a fixture

Start = Callable[..., Server]


@pytest.fixture
def running(small_disk: Path, start: Start, tmp_path: Path) -> Server:
    """A server on a small disk, which moves its journal when it is asked to."""
    return start(
        tmp_path / "server",
        POSTLEDGER_DATA_DIR=str(small_disk / "data"),
        POSTLEDGER_MIN_FREE_BYTES="0",
        POSTLEDGER_FLUSH_MS="60000",
    ).start()


def store(client: Client, events: list[Event]) -> None:
    answer = client.post(lines(*events), Content_Type=NDJSON)
    assert (200, len(events)) == (answer.status, answer.json().get("accepted")), answer


def logged(running: Server, words: str) -> Iterator[None]:
    """Turns until the server has said so; what it gives back of its room is to be taken again."""
    until = time.monotonic() + 60
    while words not in running.log.read_text():
        assert time.monotonic() < until, running.log.read_text()[-2000:]
        yield
        time.sleep(0.05)


def test_at_each_stage(running: Server, small_disk: Path, tally: Tally) -> None:
    """No room when events are to be folded, when the journal is to be moved, when an export is to
    be noted and when a key is: told or put off, and made good when there is room."""
    client = new_client(running, ("admin",))
    stored: list[Event] = []
    for stage in (_fold, _journal, _state):
        tally.rounds += 1
        tally.faults += 1
        stored += stage(running, client, small_disk, stored)
        found = listed(client)
        tally.compare({one["event_id"] for one in stored}, found, found)
        assert counted(iter(stored)) == figures(client)
        tally.answers += 3
    tally.events += len(stored)
    time.sleep(2.5)  # until it is quiet, and the events are folded
    assert 0 == running.stop()
    assert "differ" not in running.command("doctor")
    assert "Traceback" not in running.log.read_text()


def _journal(running: Server, client: Client, disk: Path, before: list[Event]) -> list[Event]:
    """What is in the journal stays there; questions are answered without it meanwhile."""
    more = incompressible("small", 300)
    store(client, more)
    for _ in logged(running, "flush_failed"):
        fill(disk, 0)
        assert 200 == client.request("GET", "/ledger/v1/feed").status
        one = incompressible(f"small {len(more)}", 1)
        more += one if client.post(lines(*one), Content_Type=NDJSON).status == 200 else []
    assert 200 == client.request("GET", "/healthz").status
    (disk / "filler").unlink()
    return more


def _fold(running: Server, client: Client, disk: Path, before: list[Event]) -> list[Event]:
    """Figures are exact while nothing can be folded. Where all was folded before the disk was full,
    more is stored."""
    events: list[Event] = []
    stored_at = -math.inf
    for _ in logged(running, "fold_failed"):
        if time.monotonic() - stored_at > 10:
            (disk / "filler").unlink(missing_ok=True)
            more = incompressible(f"large {len(events)}", 4000)
            store(client, more)
            events += more
            stored_at = time.monotonic()
        fill(disk, 0)
    assert counted(iter(before + events)) == figures(client)
    (disk / "filler").unlink()
    return events


def _state(running: Server, client: Client, disk: Path, _: list[Event]) -> list[Event]:
    """An export or a key that cannot be noted is refused with a sentence."""
    ring = keyring_of(running)
    until = time.monotonic() + 30
    while fill(disk, 0) and (answer := client.post(b'{"format": "ndjson"}', EXPORTS)).status == 202:
        assert time.monotonic() < until, "the state store finds room for ever"
    assert "free some room" in problem(answer, 503)["detail"]
    assert int(answer.headers["retry-after"]) > 0
    with pytest.raises(StoreFull):
        all(ring.create_workspace(f"w{number}") for number in range(10_000))
    (disk / "filler").unlink()
    for job in client.get(EXPORTS)["exports"]:
        assert finished(client, job["id"])["status"] in {"done", "failed"}
    job_id = export(client)
    assert job_id is not None
    assert sum(exported(client, job_id).values()) == len(listed(client))
    return []


def test_at_random(running: Server, small_disk: Path, tally: Tally) -> None:
    """A disk that fills up at any moment under load, with exports under way, and has room again
    later; in every fourth round the process is killed meanwhile."""
    dice, refused = chance(), 0
    for number in tally.turns(small=1, share=30):
        client = new_client(running, ("admin",))
        load = Load(client, f"round {number}", (1, 1, 20, 1000), pause=0.1)
        load.start()
        jobs = _fill_up(client, small_disk, dice)
        tally.faults += 1
        if number % 4 == 0:
            running.kill()
            tally.faults += 1
        (small_disk / "filler").unlink()
        time.sleep(dice.uniform(0, 0.3))
        load.stop()
        refused += load.refused
        if running.process is not None and running.process.poll() is not None:
            client = Client(running.start().client.address, client.key)
        _check(client, load, jobs, tally)
        _make_room(client)
    assert refused or tally.rounds < 5, "the disk was never full"
    assert 0 == running.stop()
    assert "differ" not in running.command("doctor")


def _fill_up(client: Client, disk: Path, dice: random.Random) -> list[str]:
    """Fill the disk while exports are asked for; those that were begun."""
    time.sleep(dice.uniform(0.1, 0.5))
    jobs = [export(client), export(client, name="second")]
    time.sleep(dice.uniform(0, 0.2))
    fill(disk, round(dice.triangular(0, 8 * MIB, 0)))
    time.sleep(dice.uniform(0.3, 2))
    return [job for job in jobs if job]


def _check(client: Client, load: Load, jobs: list[str], tally: Tally) -> None:
    found = check(client, load, tally)
    for job_id in jobs:
        job = finished(client, job_id)
        assert job["status"] == "done" or "free some room" in job["error"], job
        if job["status"] == "done":
            rows = exported(client, job_id)
            tally.compare((), rows, found)
            tally.answers += 1
    complete(client, load, tally)


def _make_room(client: Client) -> None:
    """Remove the files of the exports."""
    for job in client.get(EXPORTS)["exports"]:
        client.request("DELETE", f"{EXPORTS}/{job['id']}")
