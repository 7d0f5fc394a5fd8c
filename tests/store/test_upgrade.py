"""A store of an older version gets the newest schema at its next start, with all that is in it."""

from datetime import timedelta
from pathlib import Path

import pytest

from asking import Store, opened
from making import EPOCH, Event, iso
from postledger.query import EventQuery, FeedQuery
from postledger.store.columns import definition
from postledger.store.engine import NEWEST, upgrades

FIRST = EPOCH + timedelta(days=20_000)
EVENTS: list[Event] = [
    {
        "event_id": f"e{number:03}",
        "type": ("injection", "delivery", "open")[number % 3],
        "timestamp": iso(FIRST + timedelta(hours=number * 7)),
        "message_id": f"m{number // 3}",
        "rcpt_to": f"someone{number % 5}@example.com",
        "campaign_id": ("spring", "autumn", "")[number % 7 % 3],
        "a_field_of_theirs": number,
    }
    for number in range(300)
]
PAGE = EventQuery("w", FIRST, FIRST + timedelta(days=100), limit=1000)
SECOND = [
    "ALTER TABLE postledger.migrations DELETE WHERE 1 SETTINGS mutations_sync = 2",
    "INSERT INTO postledger.migrations (version) VALUES (2)",
    "DROP TABLE postledger.events SYNC",
    (Path(__file__).parent / "schema_2.sql").read_text(encoding="utf-8"),
]
"""Makes a store of schema 2 of an empty one."""
STEPS = [
    statement.format(database="postledger", columns=definition())
    for _, statements in upgrades()
    for statement in statements
]


def all_of(store: Store) -> tuple[list[bytes], list[bytes]]:
    """By time, and in the order of storing."""
    return (
        store.read("page", PAGE).events,
        store.read("feed", FeedQuery("w", 0, 1000)).events,
    )


def table(store: Store) -> object:
    return store.run("SELECT create_table_query FROM system.tables WHERE name = 'events'")


@pytest.mark.parametrize("done", [0, 1, 4, 5, 6])
def test_an_older_store(tmp_path: Path, store: Store, done: int) -> None:
    """Nothing is lost or repeated, also when an attempt was cut short: with one step done, after
    the copy, after the exchange, and before it was noted."""
    with opened(str(tmp_path)) as older:
        for statement in SECOND:
            older.run(statement.format(columns=definition()))
        assert table(older) != table(store)
        for part in (EVENTS[150:], EVENTS[:150]):
            assert older.send("w", part) == len(part)
        before = all_of(older)
        for statement in STEPS[:done]:
            older.run(statement)
    with opened(str(tmp_path)) as newer:
        assert table(newer) == table(store)
        assert all_of(newer) == before
        assert len(before[0]) == len(EVENTS)
        assert newer.send("w", EVENTS) == 0
        assert newer.send("w", [EVENTS[0] | {"event_id": "another"}]) == 1
        assert len(newer.read("feed", FeedQuery("w", len(EVENTS), 10)).events) == 1
        assert newer.run("SELECT max(version) FROM postledger.migrations") == [(NEWEST,)]
        tables = newer.run("SELECT name FROM system.tables WHERE database = 'postledger'")
        assert ("events_by_campaign",) not in tables
