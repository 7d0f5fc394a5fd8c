"""The jobs of exports in the state store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert

from postledger.errors import BadInput, NotFound
from postledger.state import tables
from postledger.state.exports import CANCELLED, DONE, RUNNING, Job, Jobs

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def engine(opened: Callable[[], Engine]) -> Engine:
    engine = opened()
    with engine.begin() as connection:
        for name in ("a", "b"):
            connection.execute(insert(tables.workspaces).values(name=name, created_at=NOON))
    return engine


def job(number: int, *, workspace: str = "a", name: str | None = None) -> Job:
    created = NOON + timedelta(seconds=number)
    return Job(f"j{number}", workspace, "me", name, {"format": "csv"}, 0, number, created)


def test_an_older_state_store_gets_the_tables(opened: Callable[[], Engine]) -> None:
    """A state store that was made before there were exports is opened, and can keep them."""
    older = opened()
    for table in (tables.exports, tables.export_places):
        table.drop(older)
    assert [] == Jobs(opened()).of("a")


def test_kept(engine: Engine) -> None:
    """A job comes back as it was put in, in its workspace only, the newest first."""
    jobs = Jobs(engine)
    for number in (1, 3, 2):
        jobs.add(job(number))
    assert [job(3), job(2), job(1)] == jobs.of("a")
    assert job(2) == jobs.get("a", "j2")
    assert [] == jobs.of("b")
    with pytest.raises(NotFound):
        jobs.get("b", "j2")


def test_changes_end_with_the_job(engine: Engine) -> None:
    """A job that is over is changed no more: what comes too late is told so."""
    jobs = Jobs(engine)
    jobs.add(job(1, name="n"))
    assert jobs.change(job(1), status=RUNNING, rows=5)
    assert 5 == jobs.get("a", "j1").rows
    assert jobs.change(job(1), status=CANCELLED)
    assert not jobs.change(job(1), status=RUNNING)
    assert not jobs.finish(job(1), rows=9)
    assert CANCELLED == jobs.get("a", "j1").status
    assert 0 == jobs.add(job(2, name="n"), incremental=True).after


def test_names(engine: Engine) -> None:
    """One job of a name at a time; its end is the place, which stays when it is removed."""
    jobs = Jobs(engine)
    jobs.add(job(1, name="n"))
    with pytest.raises(BadInput, match="j1"):
        jobs.add(job(2, name="n"))
    jobs.add(job(3, name="n", workspace="b"))
    assert jobs.finish(job(1, name="n"), finished_at=NOON)
    assert DONE == jobs.get("a", "j1").status
    assert 1 == jobs.add(job(4, name="n"), incremental=True).after
    assert jobs.finish(job(4, name="n"))
    assert jobs.finish(job(4, name="n")), "it may be asked again, when an answer was lost"
    for number in (1, 4):
        jobs.remove(job(number))
    assert replace(job(5, name="n"), after=4) == jobs.add(job(5, name="n"), incremental=True)
    assert 4 == jobs.get("a", "j5").after
    assert jobs.finish(job(3, name="n", workspace="b"))
    assert 2 == jobs.add(job(2, name="n", workspace="b"), incremental=True).after, "not beyond it"


def test_what_is_left(engine: Engine) -> None:
    """What is unfinished, and what was finished before a time, is found by its owner, oldest
    first."""
    jobs = Jobs(engine)
    for number in (3, 1, 2):
        jobs.add(job(number))
    jobs.finish(job(2), finished_at=NOON)
    assert ["j1", "j3"] == [each.id for each in jobs.unfinished("me")]
    assert [] == jobs.unfinished("other")
    assert [] == jobs.finished_before("me", NOON)
    assert ["j2"] == [each.id for each in jobs.finished_before("me", NOON + timedelta(seconds=1))]
