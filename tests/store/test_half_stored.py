"""An insert that fails between two of its parts: nothing of it stays, or what stays is stored like
all else; and no other event is lost by it."""

from datetime import timedelta

import msgspec
import pytest

from asking import Store
from making import EPOCH, Event, event, iso
from postledger.metrics import EVERY
from postledger.query import EventQuery, FeedQuery, MetricsQuery

START, END = EPOCH, EPOCH + timedelta(days=40_000)
EVENTS: list[Event] = [
    event(n, timestamp=iso(EPOCH + timedelta(days=20_000 + 31 * n)), subject="good")
    for n in range(6)
]
FAILING = [one | ({"subject": "bad"} if n == 3 else {}) for n, one in enumerate(EVENTS)]


def found(store: Store, workspace: str) -> list[str]:
    """The ids of all events. Pages, the feed in pieces, and the figures have the same."""
    listed = ids(store.read("page", EventQuery(workspace, START, END, limit=100)).events)
    fed, after = list[str](), 0
    while (page := store.read("feed", FeedQuery(workspace, after, limit=2))).events:
        fed += ids(page.events)
        after = page.next
    assert sorted(listed) == sorted(fed)
    store.fold_all()
    (row,) = store.read("metrics", MetricsQuery(workspace, START, END, (EVERY,)))
    assert len(listed) == row.values[0]
    return sorted(listed)


def ids(events: list[bytes]) -> list[str]:
    return [msgspec.json.decode(one)["event_id"] for one in events]


@pytest.mark.parametrize("then", ["removed", "broken", "merged"])
def test_an_insert_that_fails_halfway(store: Store, then: str) -> None:
    workspace, other = store.add([]), store.add(EVENTS)
    theirs = found(store, other)
    assert 1 == store.send(workspace, [event(100)])
    said = store.fail_to_send(workspace, FAILING, then)
    stored = found(store, workspace)
    if then == "removed":
        assert ["e000100"] == stored
        assert "stored" not in said
    else:
        assert 1 < len(stored) < 6
        assert "some events of this request are stored; send it again" in said
    assert 7 - len(stored) == store.send(workspace, EVENTS)
    assert [*(one["event_id"] for one in EVENTS), "e000100"] == found(store, workspace)
    assert theirs == found(store, other)
