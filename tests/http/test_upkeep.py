"""What a server does beside answering."""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from conftest import Client, Server
from making import ALL_TIME, event, iso
from postledger.errors import StoreFull
from postledger.http.figures import Figures
from postledger.http.upkeep import _Upkeep
from postledger.settings import load
from postledger.store.tidy import FEW_PARTS


def told(client: Client, name: str) -> int:
    lines = client.request("GET", "/metrics").body.decode().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name} "))
    return round(float(line.split()[1]))


def parts(client: Client) -> int:
    return told(client, "postledger_store_parts")


def test_parts_are_merged_when_it_is_quiet(start: Callable[..., Server]) -> None:
    """What many inserts have left behind becomes few parts, and no event is lost."""
    running = start(POSTLEDGER_SMALL_BODY_BYTES="0", POSTLEDGER_QUIET_SECONDS="1").start()
    client = running.client
    for number in range(FEW_PARTS + 3):
        assert client.store(event(number))["accepted"] == 1
    before = parts(client)
    until = time.monotonic() + 30
    while parts(client) > FEW_PARTS and time.monotonic() < until:
        time.sleep(0.2)
    assert before > FEW_PARTS >= parts(client)
    assert client.get("/ledger/v1/events?from=2000-01-01&total=true")["total"] == FEW_PARTS + 3
    assert running.stop() == 0


def test_parts_are_left_alone_on_demand(start: Callable[..., Server]) -> None:
    """`quiet_seconds` 0 switches it off, and stopping works as well."""
    running = start(POSTLEDGER_SMALL_BODY_BYTES="0", POSTLEDGER_QUIET_SECONDS="0").start()
    for number in range(FEW_PARTS + 3):
        running.client.store(event(number))
    before = parts(running.client)
    time.sleep(1.5)
    assert before == parts(running.client)
    assert running.stop() == 0


NOW = datetime.now(UTC).replace(microsecond=0)
COUNTED = "/ledger/v1/metrics?from=2020-01-01&metric=count_delivered&group_by=campaign_id"
LISTED = "/ledger/v1/events?from=2020-01-01&total=true"


def delivered(days: int, **more: str) -> dict[str, Any]:
    """A delivery of so many days ago."""
    time = iso(NOW - timedelta(days=days))
    return {"type": "delivery", "timestamp": time, "event_id": f"d{days}"} | more


def counted(client: Client) -> dict[str, int]:
    return {row["campaign_id"]: row["count_delivered"] for row in client.get(COUNTED)["rows"]}


def eventually(look: Callable[[], Any], wanted: Any) -> None:
    until = time.monotonic() + 30
    while look() != wanted and time.monotonic() < until:
        time.sleep(0.2)
    assert wanted == look()


def test_events_are_folded_while_others_come_in(start: Callable[..., Server]) -> None:
    """It need not be quiet for that: a minute after the last time, or after the start."""
    client = start().start().client
    client.store(*(event(number) for number in range(1000)))
    unfolded, most, number = 0, 0, 1000
    until = time.monotonic() + 30
    while not unfolded < most and time.monotonic() < until:
        client.store(event(number))
        unfolded, number = told(client, "postledger_unfolded_events"), number + 1
        most = max(most, unfolded)
        time.sleep(0.1)
    assert most >= 1000
    assert unfolded < 1000


def test_roll_ups_outlive_events(start: Callable[..., Server]) -> None:
    """Events of more than `keep_events_days` go; their figures stay, through a restart and a
    rebuild too, as long as `keep_rollups_days` says. What is as old is refused, so that it cannot
    count twice. When those go that were stored last, their numbers are not given again."""
    campaigns = {9: "new", 1: "new", 100: "oldest", 70: "old", 11: "old"}
    running = start(POSTLEDGER_KEEP_EVENTS_DAYS="0").start()
    events = [delivered(days, campaign_id=name) for days, name in campaigns.items()]
    running.client.store(*events)
    after = running.client.get("/ledger/v1/feed")["next"]
    running.stop()
    running.env["POSTLEDGER_KEEP_EVENTS_DAYS"] = "10"
    client = running.start().client
    eventually(lambda: client.get(LISTED)["total"], 2)
    assert {"oldest": 1, "old": 2, "new": 2} == counted(client)
    for days, files in ((9, 1), (11, 0)):  # figures alone make no log file
        day = f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}"
        assert files == len(client.get(f"/v1/logfiles/{day}?access_token={client.key}")), day
    answer = client.store(*events)
    assert (0, 2, 3) == (answer["accepted"], answer["duplicates"], answer["rejected"])
    assert {"timestamp"} == {error["field"] for error in answer["errors"]}
    large = [delivered(100, subject="s" * 1000)] * 600 + [events[0]]
    assert client.store(*large)["rejected"] == 600
    running.stop()
    running.command("rollups", "rebuild")
    running.env["POSTLEDGER_KEEP_ROLLUPS_DAYS"] = "80"
    client = running.start().client
    client.store(delivered(8, campaign_id="new"))
    page = client.get(f"/ledger/v1/feed?after={after}")
    assert ["d8"] == [event["event_id"] for event in page["events"]]
    eventually(lambda: counted(client), {"old": 2, "new": 3})
    running.stop()
    assert "roll-ups: the same as the events" in running.command("doctor")


SPOILT = (
    "DELETE FROM postledger.rollups WHERE dimension = 'campaign_id'",
    (
        "INSERT INTO postledger.rollups (workspace, dimension, span, hour, events_from_15) "
        "SELECT workspace, dimension, span, hour, 1 FROM postledger.rollups WHERE dimension = 'all'"
    ),
)
"""Rows that are missing, and events in a wrong quarter of their hour."""


def test_doctor_finds_a_wrong_roll_up_and_rebuilding_mends_it(
    start: Callable[..., Server],
) -> None:
    running = start().start()
    running.client.store(*(delivered(1, event_id=f"e{n}", campaign_id="c") for n in range(50)))
    time.sleep(2.5)  # until it is quiet, and the events are folded
    running.stop()
    for statement in SPOILT:
        _spoil(running, statement)
        assert "figures of 1 hours differ" in running.command("doctor", status=1)
        running.command("rollups", "rebuild")
        assert "roll-ups: the same" in running.command("doctor")
    assert {"c": 50} == counted(running.start().client)
    assert "another process uses the store" in running.command("rollups", "rebuild", status=1)


def _spoil(running: Server, statement: str) -> None:
    code = (
        "import sys, clickhouse_connect; "
        "clickhouse_connect.get_client(dsn=sys.argv[1]).command(sys.argv[2])"
    )
    dsn = f"chdb://{running.directory}/data/events"
    subprocess.run([sys.executable, "-c", code, dsn, statement], check=True, capture_output=True)


def test_parts_that_are_not_whole_are_told(start: Callable[..., Server]) -> None:
    """What the engine puts aside at a start is in the log, and `doctor` names it."""
    running = start().start()
    running.client.store(delivered(1, campaign_id="c"))
    running.stop()
    (file,) = running.directory.glob("data/**/2*_1_1_0/data.bin")
    file.write_bytes(file.read_bytes()[:-1])
    running.start()
    assert [] == running.client.get(f"/ledger/v1/events?{ALL_TIME}")["events"]
    assert "parts_set_aside" in running.log.read_text()
    assert file.parent.name in running.log.read_text()
    running.stop()
    said = running.command("doctor", status=1)
    assert f"what was in them is not read: events broken-on-start_{file.parent.name}" in said


def test_a_damaged_journal_is_told(start: Callable[..., Server]) -> None:
    """A changed byte costs the events that were written with it; they stay in a file that is in the
    log, and that `doctor` names."""
    running = start(POSTLEDGER_FLUSH_MS="60000").start()
    for number in range(3):
        running.client.store(delivered(number))
    running.kill()
    (journal,) = running.directory.glob("data/**/journal")
    journal.write_bytes(journal.read_bytes().replace(b"d1", b"dx"))
    running.start()
    page = running.client.get(f"/ledger/v1/events?{ALL_TIME}")
    assert {"d0", "d2"} == {event["event_id"] for event in page["events"]}
    (kept,) = running.directory.glob("data/**/journal.damaged-*")
    assert b"dx" in kept.read_bytes()
    assert "journal_damaged" in running.log.read_text()
    assert kept.name in running.log.read_text()
    assert kept.name in running.command("doctor", status=1)
    assert 0 == running.stop()
    assert kept.name in running.command("doctor", status=1)


class Failing:
    """Stands for all that a server looks after; whatever is asked of it fails."""

    embedded = False
    database = ""
    settings = load({}, overrides={})

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.given: dict[str, int] = {}
        self.times: Counter[str] = Counter()

    def client(self, _: object) -> None: ...

    def expire(self) -> None:
        self._fail("expire")

    def sure_of_all(self) -> None:
        self._fail("check")

    def behind(self, _: object) -> int:
        return self._fail("fold")

    @property
    def guesses(self) -> "Failing":
        return self

    def learn(self) -> None:
        self._fail("learn")

    @property
    def horizon(self) -> datetime:
        self._fail("retain")
        raise AssertionError

    def _fail(self, what: str) -> int:
        self.times[what] += 1
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason", "has_trace"),
    [
        (StoreFull("full; free some room"), "full; free some room", False),
        (ValueError("ann@mail.example"), "ValueError", True),
    ],
)
def test_what_fails_is_tried_again(error: Exception, reason: str, *, has_trace: bool) -> None:
    """A full disk does not end what a server does beside answering, nor does a mistake in it. The
    log tells each failure once, of a mistake where it was and not what it says."""
    all_of_it: Any = Failing(error)

    async def a_while(work: Coroutine[None, None, None]) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(work, 0.5)

    async def both() -> None:
        upkeep = _Upkeep(all_of_it, all_of_it, all_of_it, all_of_it, Figures())
        await asyncio.gather(a_while(upkeep._work(0.01)), a_while(upkeep._watch(0.01)))
        upkeep.threads.shutdown()

    with capture_logs() as logs:
        asyncio.run(both())
    names = ["fold", "learn", "retain", "expire", "check"]
    assert set(names) == set(all_of_it.times)
    assert all(times > 1 for times in all_of_it.times.values())
    assert sorted(f"{name}_failed" for name in names) == sorted(log["event"] for log in logs)
    assert {reason} == {log["reason"] for log in logs}
    assert {has_trace} == {log["exc_info"] is not None for log in logs}


class Behind(Failing):
    """Roll-ups that are three steps behind; what the figures say of it when each step begins."""

    quiet_seconds = 60.0

    def __init__(self, figures: Figures) -> None:
        super().__init__(StoreFull("full"))
        self.figures = figures
        self.left = 3
        self.told: list[float | None] = []

    def behind(self, _: object) -> int:
        return self.left

    async def numbers(self) -> dict[str, int]:
        return {}

    def fold(self, _: object) -> bool:
        self.told.append(self.figures.registry.get_sample_value("postledger_unfolded_events"))
        if not self.left:
            return False
        self.left -= 1
        return True


def test_it_tells_how_far_it_is() -> None:
    """A server that catches up for minutes shows that it does."""
    figures = Figures()
    all_of_it: Any = Behind(figures)

    async def fold() -> None:
        upkeep = _Upkeep(all_of_it, all_of_it, all_of_it, all_of_it, figures)
        await upkeep._fold()
        upkeep.threads.shutdown()

    asyncio.run(fold())
    assert [3, 2, 1, 0] == all_of_it.told
