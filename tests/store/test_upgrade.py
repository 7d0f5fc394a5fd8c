"""A store of an older version gets the newest schema at its next start, with all that is in it."""

from datetime import timedelta
from pathlib import Path

import pytest

from asking import Store, opened
from making import EPOCH, Event, iso
from postledger.query import EventQuery, FeedQuery
from postledger.store.columns import definition
from postledger.store.engine import NEWEST, migrations

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
STATEMENTS = dict(migrations())[NEWEST]


def all_of(store: Store) -> tuple[list[bytes], list[bytes]]:
    """By time, and in the order of storing."""
    return (
        store.read("page", PAGE).events,
        store.read("feed", FeedQuery("w", 0, 1000)).events,
    )


@pytest.mark.parametrize("done", [0, 3, 4, 5])
def test_an_older_store(tmp_path: Path, done: int) -> None:
    """Nothing is lost or repeated, also when an attempt was cut short: before the copy, after it,
    after the exchange, and before it was noted."""
    with opened(str(tmp_path), NEWEST - 1) as older:
        for part in (EVENTS[150:], EVENTS[:150]):
            assert older.send("w", part) == len(part)
        before = all_of(older)
        for statement in STATEMENTS[:done]:
            older.run(statement.format(database="postledger", columns=definition()))
    with opened(str(tmp_path)) as newer:
        assert all_of(newer) == before
        assert len(before[0]) == len(EVENTS)
        assert newer.send("w", EVENTS) == 0
        assert newer.send("w", [EVENTS[0] | {"event_id": "another"}]) == 1
        assert len(newer.read("feed", FeedQuery("w", len(EVENTS), 10)).events) == 1
        tables = newer.run("SELECT name FROM system.tables WHERE database = 'postledger'")
        assert ("events_by_campaign",) not in tables
