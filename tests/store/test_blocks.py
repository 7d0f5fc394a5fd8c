"""How the table lies on the disk, by the engine's own account of it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from asking import Store, opened
from making import EPOCH, Event, iso
from postledger.events import EVENT_TYPES
from postledger.query import EventQuery, Filter, Match
from postledger.store import sql
from postledger.store.columns import BUCKET, HEAD, zone

WHOLE = [*(name for name in HEAD if name != "timestamp"), "age", "rest"]
"""What is read of a granule of which a page needs an event."""
LARGE = "ALTER TABLE postledger.events MODIFY SETTING min_bytes_for_wide_part = 0"
"""Lays parts out as large ones are, a file for each column."""

START = EPOCH + timedelta(days=20_000)


def test_a_granule_is_unpacked_without_its_neighbours(tmp_path: Path) -> None:
    """Each begins with a block of its own, so no block has two of them."""
    events: list[Event] = [
        {
            "event_id": f"{number:04}",
            "type": "open",
            "timestamp": iso(START + timedelta(seconds=number)),
            "injection_time": iso(START),
            "message_id": f"message {number}",
            "transmission_id": f"transmission {number}",
            "rcpt_to": f"someone{number}@example.com",
            "subject": f"About {number}",
        }
        for number in range(4000)
    ]
    with opened(str(tmp_path)) as store:
        assert store.send("w", events) == len(events)
        store.run(LARGE)
        store.run("OPTIMIZE TABLE postledger.events FINAL")
        begins = ", ".join(f"`{name}.mark`.2" for name in WHOLE)  # where, in its block
        found = store.run(
            f"SELECT {begins} FROM mergeTreeIndex('postledger', 'events', with_marks = true) "
            "WHERE rows_in_granule > 1000"
        )
    assert isinstance(found, list)
    assert len(found) >= 3
    assert {offset for granule in found for offset in granule} == {0}, "within a block"


def test_the_key_is_what_questions_ask_for(store: Store) -> None:
    """Spelled the same, or the engine would look at everything; and types are in the same zones to
    both."""
    key = store.run(
        "SELECT primary_key FROM system.tables WHERE database = 'postledger' AND name = 'events'"
    )
    assert key == [(f"workspace, {BUCKET}, zone, campaign_id",)]
    events: list[Event] = [
        {"event_id": f"kind {kind}", "type": kind, "timestamp": iso(START)} for kind in EVENT_TYPES
    ]
    assert store.send("kinds", events) == len(events)
    found = store.run("SELECT type, zone FROM postledger.events WHERE workspace = 'kinds'")
    assert dict(found) == {kind: zone(kind) for kind in EVENT_TYPES}


def written(statement: sql.Sql) -> str:
    """With its parameters as literals."""
    values = statement.parameters
    return re.sub(r"\{(\w+):[^}]*\}", lambda found: repr(values[found[1]]), statement.text)


@pytest.mark.parametrize("kind", ["bounce", "click"])
def test_events_that_are_not_frequent_lie_together(tmp_path: Path, kind: str) -> None:
    """A page of bounces reads their granules only, however many other events lie around them; and
    one of bounces and deliveries has both. So does one of clicks."""
    events: list[Event] = [
        {
            "event_id": f"{number:05}",
            "type": "delivery" if number % 100 else kind,
            "timestamp": iso(START + timedelta(seconds=number)),
            "campaign_id": f"campaign {number % 3}",
        }
        for number in range(12_000)
    ]

    def asked(*types: str) -> EventQuery:
        end = START + timedelta(days=1)
        return EventQuery("w", START, end, (Filter("type", Match.EQUAL, types),), limit=1000)

    with opened(str(tmp_path)) as store:
        assert store.send("w", events) == len(events)
        store.run("OPTIMIZE TABLE postledger.events FINAL")
        page = written(sql.page(asked(kind), "postledger"))
        plan = store.run(f"SELECT * FROM (EXPLAIN indexes = 1 {page})")
        read, of = (int(n) for n in re.findall(r"Granules: (\d+)/(\d+)", str(plan))[-1])
        assert read <= 2
        assert of >= 10
        assert len(store.read("page", asked(kind)).events) == 120
        both = store.read("page", asked(kind, "delivery")).events
        assert sum(f'"type":"{kind}"'.encode() in event for event in both) == 10
