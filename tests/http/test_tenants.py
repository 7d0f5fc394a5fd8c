"""No request can read or write another workspace's data: section 2 of the native contract."""

from typing import Any

import pytest

from conftest import Client, Server, new_client, problem
from making import ALL_TIME, event

EVENTS = f"/ledger/v1/events?{ALL_TIME}&order=asc&limit=1"


@pytest.fixture
def two(server: Server) -> tuple[Client, Client]:
    """Two workspaces with events of the same ids, and each with one that the other has not."""
    clients = new_client(server), new_client(server)
    for name, client in zip("ab", clients, strict=True):
        shared = [event(n, message_id="m", rcpt_to="r@x.example", subject=name) for n in (1, 2, 3)]
        own = event(4, event_id=f"only {name}", message_id=f"only {name}", subject=name)
        assert 4 == client.store(*shared, own)["accepted"]
    return clients


def subjects(events: list[dict[str, Any]]) -> set[str]:
    return {event["subject"] for event in events}


def test_the_same_ids(two: tuple[Client, Client]) -> None:
    """Events of the same id and time in two workspaces are two events, and each sees its own."""
    for name, client in zip("ab", two, strict=True):
        assert 4 == client.get(EVENTS + "&total=true")["total"]
        for query in ("", "&event_id=e000001", "&message_id=m", "&recipient=r@x.example"):
            pages = list(client.pages(EVENTS + query))
            assert {name} == set().union(*map(subjects, pages))
        assert name == client.get("/ledger/v1/events/e000002")["subject"]
        recipients = client.get("/ledger/v1/messages/m")["recipients"]
        assert [(3, {name})] == [(len(r["events"]), subjects(r["events"])) for r in recipients]
        feed = client.get("/ledger/v1/feed")["events"]
        assert (4, {name}) == (len(feed), subjects(feed))


def test_what_the_other_has(two: tuple[Client, Client]) -> None:
    """What only the other workspace has is not found, by no route and with no filter."""
    other = two[0]
    for path in ("/ledger/v1/events/only%20b", "/ledger/v1/messages/only%20b"):
        problem(other.request("GET", path), 404)
    for query in ("&event_id=only%20b", "&message_id=only%20b", "&subject=b"):
        page = other.get(EVENTS + query + "&total=true")
        assert {"events": [], "next": None, "total": 0} == page


def test_cursors_of_the_other(two: tuple[Client, Client]) -> None:
    """A cursor is of one workspace: with the key of another it is refused, like a damaged one."""
    one, other = two
    page = one.get(EVENTS)["next"]
    places = [
        one.get("/ledger/v1/feed?limit=2")["next"],
        one.get("/ledger/v1/feed?after=end")["next"],
    ]
    problem(other.request("GET", f"{EVENTS}&cursor={page}"), 400)
    for place in places:
        problem(other.request("GET", f"/ledger/v1/feed?after={place}"), 400)
    assert "a" == one.get(f"{EVENTS}&cursor={page}")["events"][0]["subject"]


def test_a_repeat_in_the_other(two: tuple[Client, Client]) -> None:
    """What one workspace stores is no repeat for the other, also within the same moment."""
    one, other = two
    assert 1 == one.store(event(50))["accepted"]
    assert 1 == other.store(event(50))["accepted"]
    assert 1 == other.store(event(50))["duplicates"]


def test_workspace_of_an_event(two: tuple[Client, Client]) -> None:
    """An event cannot name the workspace that it goes to, nor can a request."""
    one, other = two
    one.store(event(60, workspace="test", seq=1, subject="a"))
    assert {"a"} == subjects(next(one.pages(EVENTS + "&event_id=e000060")))
    assert [] == other.get(EVENTS + "&event_id=e000060")["events"]
    problem(one.request("GET", EVENTS + "&workspace=default"), 400)
