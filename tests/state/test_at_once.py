"""Processes that use one state store at the same moment. Threads with a connection each stand for
them here; `test_postgresql` has two real ones."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import TypeVar

from sqlalchemy import Engine

from postledger.errors import BadInput
from postledger.state.exports import Job, Jobs
from postledger.state.keys import Keyring

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MANY = 8
T = TypeVar("T")
Opened = Callable[[], Engine]


def at_once(work: Callable[[int], T]) -> list[T]:
    """What each of many calls gives that begin together."""
    barrier = Barrier(MANY)

    def one(number: int) -> T:
        barrier.wait(60)
        return work(number)

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(one, range(MANY)))


def daily(job_id: str, through: int) -> Job:
    return Job(job_id, "shop", "me", "daily", {}, 0, through, NOON)


def test_opened(opened: Opened) -> None:
    """A store that is empty is opened by all, and each can use it."""
    for engine in at_once(lambda _: opened()):
        assert [] == Jobs(engine).of("shop")


def test_a_workspace_is_ensured(opened: Opened) -> None:
    """All find it afterwards; none hears that it exists already."""
    rings = [Keyring(opened(), b"pepper") for _ in range(MANY)]
    at_once(lambda number: rings[number].ensure_workspace("shop"))
    assert ["shop"] == [workspace.name for workspace in rings[0].workspaces()]


def test_one_export_of_a_name(opened: Opened) -> None:
    """Of exports of one name that begin together one is begun; each other one is told which."""
    Keyring(opened(), b"pepper").create_workspace("shop")
    jobs = [Jobs(opened()) for _ in range(MANY)]

    def add(number: int) -> str:
        job = daily(f"j{number}", number)
        try:
            jobs[number].add(job)
        except BadInput as error:
            return str(error)
        return ""

    said = at_once(add)
    (begun,) = jobs[0].of("shop")
    assert 1 == said.count("")
    assert all(f"export {begun.id} of this name" in each for each in said if each)


def test_an_export_goes_on(opened: Opened) -> None:
    """One that begins while the one before it ends has what comes after that, or is refused."""
    Keyring(opened(), b"pepper").create_workspace("shop")
    jobs = [Jobs(opened()) for _ in range(MANY)]
    last = jobs[0].add(daily("j0", 10))

    def after(job: Job, more: str = "") -> Job:
        return daily(f"j{job.through}{more}", job.through + 10)

    def finish_or_add(number: int) -> Job | None:
        if number == 0:
            assert jobs[0].finish(last)
            return None
        try:
            return jobs[number].add(after(last, f"-{number}"), incremental=True)
        except BadInput:
            return None

    for _ in range(10):
        begun = [job for job in at_once(finish_or_add) if job is not None]
        assert len(begun) <= 1
        following = begun[0] if begun else jobs[0].add(after(last), incremental=True)
        assert last.through == following.after
        last = following


def test_an_option_is_set(opened: Opened) -> None:
    """One of those that set it at once is the last, and none fails."""
    rings = [Keyring(opened(), b"pepper") for _ in range(MANY)]
    rings[0].create_workspace("shop")
    zones = ["Europe/Warsaw", "Asia/Kolkata"]
    at_once(lambda number: rings[number].set_option("shop", "timezone", zones[number % 2]))
    assert Keyring(opened(), b"pepper").options("shop")["timezone"] in zones
