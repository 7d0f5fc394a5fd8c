"""A store of an older version gets the newest schema at its next start, with all that is in it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from asking import Store, opened
from making import EPOCH, Event, iso
from postledger.query import EventQuery, FeedQuery, MetricsQuery
from postledger.store import dimensions
from postledger.store.columns import definition
from postledger.store.engine import NEWEST, upgrades

DAY = timedelta(days=1)
FIRST = EPOCH + timedelta(days=20_000)
EVENTS: list[Event] = [
    {
        "event_id": f"e{number:03}",
        "type": ("injection", "delivery", "open")[number % 3],
        "timestamp": iso(FIRST + timedelta(hours=number * 7)),
        "message_id": f"m{number // 3}",
        "rcpt_to": f"someone{number % 5}@example.com",
        "campaign_id": ("spring", "autumn", "")[number % 7 % 3],
        "msg_size": number,
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
STEPS = {
    number: [
        statement.format(
            database="postledger", columns=definition(), rollups=dimensions.definition()
        )
        for statement in statements
    ]
    for number, statements in upgrades()
}
IN_ORDER = [statement for number in sorted(STEPS) for statement in STEPS[number]]
BEFORE_LAST = sum(len(statements) for number, statements in STEPS.items() if number < NEWEST)
QUARTERS = ", ".join(dimensions.QUARTERS)
FIFTH = [
    "ALTER TABLE postledger.migrations DELETE WHERE version > 5 SETTINGS mutations_sync = 2",
    (Path(__file__).parent / "rollups_5.sql").read_text(encoding="utf-8"),
    f"INSERT INTO postledger.rollups_5 SELECT * EXCEPT ({QUARTERS}) FROM postledger.rollups",
    "EXCHANGE TABLES postledger.rollups AND postledger.rollups_5",
    "DROP TABLE postledger.rollups_5 SYNC",
]
"""Makes the roll-ups those of schema 5."""
ROLLUP_KEYS = ",\n    ".join(
    line for line in dimensions.definition().split(",\n    ") if "Enum8" in line
)


def all_of(store: Store) -> tuple[list[bytes], list[bytes]]:
    """By time, and in the order of storing."""
    return (
        store.read("page", PAGE).events,
        store.read("feed", FeedQuery("w", 0, 1000)).events,
    )


def table(store: Store) -> object:
    return store.run(
        "SELECT create_table_query FROM system.tables WHERE name IN ('events', 'rollups') "
        "ORDER BY name"
    )


def leftovers(store: Store) -> object:
    return store.run("SELECT name FROM system.tables WHERE match(name, '(events|rollups)_.*')")


@pytest.mark.parametrize("done", [0, 1, 4, 5, 6, *(BEFORE_LAST + n for n in (2, 3, 4, 5))])
def test_an_older_store(tmp_path: Path, store: Store, done: int) -> None:
    """Nothing is lost or repeated, also when an attempt was cut short: with one step done, after
    a copy, after the exchange, and before it was noted."""
    with opened(str(tmp_path)) as older:
        for statement in SECOND:
            older.run(statement.format(columns=definition()))
        assert table(older) != table(store)
        for part in (EVENTS[150:], EVENTS[:150]):
            assert older.send("w", part) == len(part)
        before = all_of(older)
        for statement in IN_ORDER[:done]:
            older.run(statement)
    with opened(str(tmp_path)) as newer:
        assert table(newer) == table(store)
        assert all_of(newer) == before
        assert len(before[0]) == len(EVENTS)
        assert newer.send("w", EVENTS) == 0
        assert newer.send("w", [EVENTS[0] | {"event_id": "another"}]) == 1
        assert len(newer.read("feed", FeedQuery("w", len(EVENTS), 10)).events) == 1
        assert newer.run("SELECT max(version) FROM postledger.migrations") == [(NEWEST,)]
        assert leftovers(newer) == []


HORIZON = FIRST + timedelta(days=40)
NEW: list[Event] = [
    {"event_id": f"n{number}", "type": "open", "timestamp": iso(HORIZON + number * DAY)}
    for number in range(5)
]
COUNTED = ("count_delivered", "count_rendered", "total_msg_volume")
KOLKATA = MetricsQuery("w", HORIZON, PAGE.end, COUNTED, (), (), "day")
FIGURES = [
    replace(KOLKATA, timezone="Asia/Kolkata"),
    replace(KOLKATA, timezone="Asia/Kolkata", interval="hour"),
    replace(KOLKATA, start=FIRST),
    replace(KOLKATA, start=FIRST, interval=None, group_by=("campaign_id",)),
]


def figures(store: Store) -> list[object]:
    return [store.read("metrics", query) for query in FIGURES]


def fold_all(store: Store) -> None:
    while store.fold(70):
        pass


def fill(store: Store) -> None:
    """With events that were folded, some of which are gone, and with some that were not."""
    for workspace, events in (("w", EVENTS), ("gone", EVENTS[:5])):
        assert store.send(workspace, events) == len(events)
    fold_all(store)
    store.move_horizon(HORIZON)
    store.run(f"DELETE FROM postledger.events WHERE timestamp < '{HORIZON:%Y-%m-%d}'")
    assert store.send("w", NEW) == len(NEW)


@pytest.mark.parametrize("done", [0, 3, 5, 6])
def test_roll_ups_without_quarters(tmp_path: Path, store: Store, done: int) -> None:
    """They are made anew from the events, and figures are those of a new store at any time, also
    when an attempt was cut short: between the copies, after the exchange, and before it was noted.
    No number is given again."""
    with opened(str(tmp_path)) as older:
        fill(older)
        wanted = figures(older)
        for statement in FIFTH:
            older.run(statement.format(keys=ROLLUP_KEYS))
        assert table(older) != table(store)
        for statement in STEPS[6][:done]:
            older.run(statement)
    with opened(str(tmp_path)) as newer:
        assert table(newer) == table(store)
        assert leftovers(newer) == []
        assert figures(newer) == wanted
        assert newer.fold(70)
        assert figures(newer) == wanted
        fold_all(newer)
        newer.run("DELETE FROM postledger.events WHERE 1")
        assert figures(newer) == wanted
        assert newer.send("gone", NEW[:1]) == 1
        assert newer.read("feed", FeedQuery("gone", 5, 10)).next == 6
