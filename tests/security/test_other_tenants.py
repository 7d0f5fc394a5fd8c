"""A key of one workspace, with everything that another one has, at every route: it gets nothing."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conftest import Answer, Client, Server, new_client
from making import ALL_TIME, iso
from postledger.events import EVENT_TYPES, FIELDS, Kind
from postledger.state.keys import SCOPES
from routes import READING, ROUTES, Line, Route, line, route

NOW = datetime.now(UTC)
DAY = (NOW - timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
SECRET = "zqsecretzq"
"""In each event of the other workspace, and in no request."""
IDS = ("event_id", "message_id", "rcpt_to", "rcpt_tags", "template_id", "campaign_id")
SPAN = {"first": str((DAY - timedelta(days=2)).date()), "last": str(NOW.date())}


def event(number: int, kind: str) -> dict[str, Any]:
    """An event with every field; ids that a stranger might guess, all else says `SECRET`."""
    made: dict[str, Any] = {}
    for field in FIELDS:
        sample = field.sample
        if field.kind in {Kind.TEXT, Kind.CODE}:
            sample = f"{SECRET} {field.name}"
        made[field.name] = {Kind.TEXTS: ["own-tag"], Kind.OBJECT: {SECRET: SECRET}}.get(
            field.kind, sample
        )
    ids = {name: f"own-{name}-{number}" for name in IDS} | {
        "rcpt_to": f"own-{number}@own.example",
        "rcpt_tags": ["own-tag"],
    }
    times = {
        "timestamp": iso(DAY + timedelta(seconds=number)),
        "injection_time": iso(DAY),
        "scheduled_time": iso(DAY),
    }
    return made | ids | times | {"type": kind}


@dataclass(frozen=True)
class Two:
    """Two workspaces: one with events and files, and one that has neither."""

    owner: Client
    stranger: Client
    export: str
    download: str
    cursors: tuple[str, ...]


def until_done(owner: Client, export: str) -> None:
    end = time.monotonic() + 60
    while (status := owner.get(f"/ledger/v1/exports/{export}")["status"]) != "done":
        assert status in {"queued", "running"}
        assert time.monotonic() < end
        time.sleep(0.02)


def cursors(owner: Client) -> Iterator[str]:
    """The places that the owner's own lists give."""
    yield owner.get(f"/ledger/v1/events?{ALL_TIME}&limit=2")["next"]
    yield owner.get("/ledger/v1/feed?limit=2")["next"]
    first = f"from={SPAN['first']}T00:00&per_page=2&cursor=initial"
    link = owner.get(f"/api/v1/events/message?{first}")["links"]["next"]
    yield re.search(r"cursor=([^&]+)", link)[1]  # type: ignore[index]
    dates = f"startdate={SPAN['first']}&enddate={SPAN['last']}&limit=2"
    yield owner.get(f"/v5.1/events?{dates}")["scrollid"]


@pytest.fixture(scope="module")
def two(server: Server) -> Two:
    owner, stranger = new_client(server, tuple(SCOPES)), new_client(server, tuple(SCOPES))
    owner.store(*(event(number, kind) for number, kind in enumerate(EVENT_TYPES)))
    export = owner.post(b'{"format": "csv", "name": "own-export"}', "/ledger/v1/exports").json()
    dates = json.dumps({"startdate": SPAN["first"], "enddate": SPAN["last"]}).encode()
    ordered = owner.post(dates, "/v6/events/download").json()["data"]
    download = ordered["download_url"].rpartition("/")[2]
    until_done(owner, export["id"])
    until_done(owner, download)
    return Two(owner, stranger, export["id"], download, tuple(cursors(owner)))


def places(asked: Route, two: Two) -> list[str]:
    """What the owner has for the place in a path."""
    if "{" not in asked.path:
        return [""]
    by_name = {
        "{event_id}": ["own-event_id-1"],
        "{message_id}": ["own-message_id-1"],
        "{id}": ["own-message_id-1"],
        "{export_id}": [two.export, two.download],
        "{download_id}": [two.download, two.export],
        "{name}": [f"{prefix}.{DAY.date()}.log" for prefix in ("deliveries", "bounces", "clicks")]
        + [str(DAY.date())],
        "{workspaceId}": ["own-workspace"],
        "{value}": ["own-message_id-1", "own-1@own.example", "own-tag", "own-template_id-1"],
    }
    (name,) = re.findall(r"{\w+}", asked.path)
    return by_name[name]


def pairs(asked: Route) -> dict[str, str]:
    """A range of time with all events, as each API writes it."""
    known: dict[str, str] = {
        "from": f"{SPAN['first']}T00:00:00Z",
        "to": f"{NOW.date() + timedelta(days=1)}T00:00:00Z",
        "startdate": SPAN["first"],
        "enddate": SPAN["last"],
        "start_date": SPAN["first"],
        "end_date": SPAN["last"],
        "start": SPAN["first"],
        "end": str(NOW.date() + timedelta(days=1)),
        "days": "30",
    }
    return {name: value for name, value in known.items() if name in asked.parameters}


def nothing_of(answer: Answer) -> None:
    assert answer.status < 500, answer
    assert SECRET.encode() not in answer.body
    assert SECRET not in str(answer.headers)


def without(answer: Answer, place: str) -> tuple[int, str]:
    """What is said of a place, whatever the place."""
    text = answer.body.decode()
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME", text)
    return answer.status, text.replace(place, "PLACE") if place else text


@pytest.mark.parametrize("asked", READING, ids=str)
def test_reading_gives_nothing(asked: Route, two: Two) -> None:
    """Every route that reads: the owner's ids and files are, to a stranger, like any that are not
    there; without ids there is nothing."""
    with line(two.stranger) as stranger:
        for place in places(asked, two):
            found = stranger.ask(asked, asked.at(place), pairs(asked))
            nothing_of(found)
            if not place:
                continue
            other = "".join("x" if letter.isalpha() else letter for letter in place)
            if asked.path.startswith("/v1/logfiles/"):
                other = place.replace(str(DAY.date()), "2020-01-01")
            missing = stranger.ask(asked, asked.at(other), pairs(asked))
            assert without(missing, other) == without(found, place)


def test_the_owner_gets_it(two: Two) -> None:
    """The same requests give the owner what it has, so the test above looks in the right place."""
    seen = set()
    lists = {"/ledger/v1/events", "/api/v1/events/message", "/v5.1/events", "/v1/events"}
    with line(two.owner) as owner:
        for asked in (each for each in READING if "{" in each.path or each.path in lists):
            for place in places(asked, two):
                answer = owner.ask(asked, asked.at(place), pairs(asked))
                assert answer.status < 500, (asked, answer)
                if answer.status == 200 and SECRET.encode() in answer.body:
                    seen.add(asked.api)
                    seen.add(asked.path)
    assert {"native", "sparkpost", "netcore", "unosend", "smtpeter"} <= seen
    assert {"/ledger/v1/exports/{export_id}/file", "/v6/events/download/{download_id}"} <= seen
    assert {"/ledger/v1/events/{event_id}", "/v1/emails/{id}"} <= seen


FILTERS = {
    (asked.api, name, asked.path.rpartition("/")[2]): asked
    for asked in READING
    for name in asked.parameters
    if re.search(r"id|recipient|email|tag|campaign|template|messages|transmission", name.lower())
    and not re.search("scroll", name.lower())
    and "/deliverability/" not in asked.path  # as deliverability itself
}
"""A route for each parameter that takes an id or an address."""


def test_filters_give_nothing(two: Two) -> None:
    """The owner's ids as the value of every parameter that takes one."""
    assert 30 < len(FILTERS)
    values = {"tag": "own-tag", "email": "own-1@own.example", "recipient": "own-1@own.example"}
    with line(two.stranger) as stranger:
        for (_, name, _), asked in FILTERS.items():
            kind = re.search("tag|email|recipient", name)
            value = values[kind[0]] if kind else "own-message_id-1"
            for target in {asked.at(place) for place in places(asked, two)}:
                answer = stranger.ask(asked, target, pairs(asked) | {name: value})
                nothing_of(answer)


def test_cursors_give_nothing(two: Two) -> None:
    """The owner's cursors, at every route that takes one, under every name: refused, or an empty
    page where cursors are ignored."""
    names = {"cursor", "after", "scrollid", "scrollId"}
    taking = [(asked, name) for asked in READING for name in asked.parameters if name in names]
    assert 8 <= len(taking)
    with line(two.stranger) as stranger:
        for asked, name in taking:
            for cursor in two.cursors:
                answer = stranger.ask(asked, asked.at("own"), pairs(asked) | {name: cursor})
                nothing_of(answer)
                assert 400 <= answer.status, (asked, answer)


def test_files_are_not_there(two: Two) -> None:
    """A file of another is not there, whatever is asked of it; it cannot be cancelled or removed,
    and it is in no list."""
    conditions = [{}, {"Range": "bytes=0-9"}, {"If-None-Match": "*"}, {"If-Range": '"x"'}]
    with line(two.stranger) as stranger:
        for path in ("/ledger/v1/exports/{export_id}/file", "/v6/events/download/{download_id}"):
            for headers in conditions:
                for job in (two.export, two.download):
                    asked = route("GET", path)
                    assert 404 == stranger.ask(asked, asked.at(job), headers=headers).status
        remove = route("DELETE", "/ledger/v1/exports/{export_id}")
        for job in (two.export, two.download):
            assert 404 == stranger.ask(remove, remove.at(job)).status
        listing = route("GET", "/ledger/v1/exports")
        assert {"exports": []} == stranger.ask(listing, listing.path).json()
    for job in (two.export, two.download):
        assert 200 == two.owner.request("GET", f"/ledger/v1/exports/{job}/file").status


def test_the_name_of_a_series_is_of_a_workspace(two: Two) -> None:
    """An incremental export of a name that the owner has too begins at the stranger's first
    event."""
    two.stranger.store({"type": "open", "timestamp": iso(DAY), "event_id": "mine"})
    asked = {"format": "ndjson", "name": "own-export", "incremental": True}
    job = two.stranger.post(json.dumps(asked).encode(), "/ledger/v1/exports").json()
    until_done(two.stranger, job["id"])
    body = two.stranger.request("GET", f"/ledger/v1/exports/{job['id']}/file").body
    assert ["mine"] == [json.loads(each)["event_id"] for each in body.splitlines()]
    assert 204 == two.stranger.request("DELETE", f"/ledger/v1/exports/{job['id']}").status


def test_every_route_is_asked() -> None:
    """Those that need a key are reading or writing ones of this list."""
    writing = {str(asked) for asked in ROUTES if asked.needs_key and asked not in READING}
    assert writing == {
        "POST /ledger/v1/events",
        "POST /ledger/v1/intake/sparkpost",
        "POST /api/v1/ingest/events",
        "POST /ledger/v1/exports",
        "DELETE /ledger/v1/exports/{export_id}",
        "POST /v5.1/events/download",
        "POST /v6/events/download",
    }


def test_what_a_stranger_stores_is_its_own(two: Two) -> None:
    """Each route that stores puts an event with the owner's ids into the stranger's workspace: it
    is new there, and the owner's stays."""
    before = two.owner.get("/ledger/v1/events/own-event_id-3")
    with line(two.stranger) as stranger:
        for path in ("/ledger/v1/events", "/ledger/v1/intake/sparkpost", "/api/v1/ingest/events"):
            mine = {
                "type": before["type"],
                "timestamp": before["timestamp"],
                "event_id": before["event_id"],
                "subject": path,
            }
            native = path == "/ledger/v1/events"
            body = json.dumps(mine if native else {"msys": {"message_event": mine}}).encode()
            kind = {"Content-Type": "application/x-ndjson"}
            answer = Line.ask(stranger, route("POST", path), path, headers=kind, body=body)
            assert 200 == answer.status, answer
    assert before == two.owner.get("/ledger/v1/events/own-event_id-3")
    assert "/ledger/v1/events" == two.stranger.get("/ledger/v1/events/own-event_id-3")["subject"]
