"""Clients of other services for Node, as published, over a real socket (`node/`)."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from mailing import (
    HERE,
    events,
    figures,
    ids,
    missing,
    readers,
    run,
    scripts,
    shown,
    stored,
)

from conftest import Client, Server, keyring_of

__all__ = ["scripts"]  # a fixture

OLDEST_NODE = 18
NODE = HERE / "node"


@pytest.fixture(scope="module")
def november(server: Server) -> Client:
    """The mailing in the first ten days of November 2026."""
    return stored(server)


@pytest.fixture(scope="module")
def recent(server: Server) -> Client:
    """The mailing in the last ten days, its tenth message half a day ago."""
    return stored(server, datetime.now(UTC) - timedelta(days=9, hours=12))


def ask(client: Client, script: str, call: str, **more: str) -> Any:
    reason = absence()
    if reason:
        missing(reason)
    return run(["node", str(NODE / f"{script}.mjs")], client, call, **more)


@cache
def absence() -> str:
    """What keeps these clients from running; empty: nothing."""
    if shutil.which("node") is None:
        return f"there is no `node`; install Node {OLDEST_NODE} or newer with npm"
    version = subprocess.run(["node", "--version"], capture_output=True, check=True).stdout.decode()
    if int(version.strip().lstrip("v").split(".")[0]) < OLDEST_NODE:
        return f"node is {version.strip()}; these clients need {OLDEST_NODE} or newer"
    if not (NODE / "node_modules").exists():
        return "the clients are not installed; install npm and run `make clients`"
    return ""


# -- sparkpost 2.1.4


def sparkpost(client: Client, call: str, **more: str) -> Any:
    return ask(client, "sparkpost", call, **more)


def found(page: Any) -> list[str]:
    return [event["event_id"] for event in page["results"]]


def test_sparkpost_lists(november: Client) -> None:
    """`events.searchMessage` with times without seconds gives all, the newest first."""
    page = sparkpost(november, "everything")
    assert ids() == set(found(page))
    assert ({}, len(ids())) == (page["links"], page["total_count"])
    times = [event["timestamp"] for event in page["results"]]
    assert sorted(times, reverse=True) == times


@pytest.mark.parametrize("call", ["lastDay", "callback"])
def test_sparkpost_without_parameters(recent: Client, call: str) -> None:
    """`events.searchMessage({})` gives the last day, to a promise and to a callback."""
    expected = {each for each in ids() if each.startswith("10-")}
    assert expected == set(found(sparkpost(recent, call)))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("filtered", {"02-open", "06-open", "06-click"}),
        ("undefinedIsLeftOut", {"01-click", "06-click"}),
    ],
)
def test_sparkpost_filters(november: Client, call: str, expected: set[str]) -> None:
    """Arrays arrive as lists, and what is undefined is not asked for."""
    page = sparkpost(november, call)
    assert (expected, len(expected)) == (set(found(page)), page["total_count"])


def test_sparkpost_pages_to_the_end(november: Client) -> None:
    """The parameters of `links.next` lead through all pages, and nothing is lost or repeated."""
    pages = sparkpost(november, "pages")
    assert [7, 7, 7, 7, 4] == [len(page["results"]) for page in pages]
    assert found(sparkpost(november, "everything")) == [
        each for page in pages for each in found(page)
    ]
    assert {len(ids())} == {page["total_count"] for page in pages}


def test_sparkpost_pages_of_a_filter(november: Client) -> None:
    """A filter with an `&` in it stays the same from page to page."""
    pages = sparkpost(november, "filteredPages")
    assert [["06-open"], ["02-open"]] == [found(page) for page in pages]


def test_sparkpost_with_the_older_api(november: Client) -> None:
    """`messageEvents.search` as in its two examples."""
    assert ["04-bounce"] == found(older := sparkpost(november, "older"))
    assert 1 == older["total_count"]
    assert isinstance(older["links"], list)
    assert ["01-click"] == found(sparkpost(november, "olderCampaignClicks"))


def test_sparkpost_pages_of_the_older_api(november: Client) -> None:
    """The link with `rel` `next` leads through all pages."""
    pages = sparkpost(november, "olderPages")
    assert [7, 7, 7, 7, 4] == [len(page["results"]) for page in pages]
    seen = [each for page in pages for each in found(page)]
    assert (ids(), len(ids())) == (set(seen), len(seen))


def test_sparkpost_with_a_wrong_key(november: Client) -> None:
    """`SparkPostError` with the status and the list of errors."""
    failure = sparkpost(november, "everything", key="pl_0_wrong")
    assert ("SparkPostError", "Unauthorized", 401) == (
        failure["name"],
        failure["message"],
        failure["statusCode"],
    )
    assert "Unauthorized." == failure["errors"][0]["message"]


@pytest.mark.parametrize(
    ("call", "status", "names"),
    [("badPageSize", 400, "per_page"), ("badTime", 400, "from"), ("notOffered", 404, "")],
)
def test_sparkpost_with_a_bad_request(november: Client, call: str, status: int, names: str) -> None:
    """`SparkPostError` with errors that name what was wrong."""
    failure = sparkpost(november, call)
    assert ("SparkPostError", status) == (failure["name"], failure["statusCode"])
    assert failure["errors"][0]["message"]
    assert names in failure["errors"][0].get("description", "")


# -- pepipost 5.0.0


def pepipost(client: Client, call: str, **more: str) -> Any:
    return ask(client, "pepipost", call, **more)


def rows(answer: Any) -> list[str]:
    assert "success" == answer["status"]
    return [row["rcptEmail"] for row in answer["data"]]


def test_pepipost_lists(november: Client) -> None:
    """`getEventsGET` gives the newest ten of the messages, and counts all."""
    answer = pepipost(november, "everything")
    assert readers(10, 9, 8, 7, 6, 5, 4, 3, 12, 2) == rows(answer)
    assert 12 == answer["totalRecords"]


def test_pepipost_reads_every_number(november: Client) -> None:
    """No number is larger than what JavaScript reads exactly."""
    query = "/v5/events?startdate=2026-11-01&enddate=2026-11-10&limit=10"
    answer = november.request("GET", query, headers={"api_key": november.key})
    exact = {row["rcptEmail"]: row["trid"] for row in answer.json()["data"]}
    read = {row["rcptEmail"]: row["trid"] for row in pepipost(november, "everything")["data"]}
    assert exact == read
    assert len(exact) == len(set(exact.values()))


@pytest.mark.parametrize(
    ("call", "numbers"),
    [
        ("bounces", (4,)),
        ("commaList", (1, 2, 6, 7)),
        ("array", (1, 2, 6, 7)),
        ("byReference", (7,)),
        ("callback", (1, 6)),
    ],
)
def test_pepipost_filters(november: Client, call: str, numbers: tuple[int, ...]) -> None:
    """The documented call with all its filters; events as one, as text with commas, as an array."""
    answer = pepipost(november, call)
    assert readers(*numbers) == rows(answer)
    assert len(numbers) == answer["totalRecords"]


def test_pepipost_pages_to_the_end(november: Client) -> None:
    """`offset` and `limit` lose and repeat nothing."""
    pages = pepipost(november, "pages")
    assert [5, 5, 2, 0] == [len(page["data"]) for page in pages]
    expected = readers(1, 11, 2, 12, 3, 4, 5, 6, 7, 8, 9, 10)
    assert expected == [reader for page in pages for reader in rows(page)]


def test_pepipost_statistics(november: Client) -> None:
    """`getStatsGET` gives a day after the other, as they are counted here."""
    found = pepipost(november, "daily")["data"]
    assert figures("day") == {each["date"]: shown(each) for each in found}
    weeks = pepipost(november, "weekly")["data"]
    assert figures("week") == {each["date"]: shown(each) for each in weeks}
    assert found[4:8] == pepipost(november, "secondPage")["data"]


def test_pepipost_with_a_wrong_key(november: Client) -> None:
    """The promise is rejected with the status, and the body that plugins read."""
    failure = pepipost(november, "everything", key="pl_0_wrong")
    assert ("API Response", 401) == (failure["errorMessage"], failure["errorCode"])
    body = json.loads(failure["errorResponse"])
    assert "error" == body["status"]
    assert body["error"][0]["message"]


@pytest.mark.parametrize(
    ("call", "names"), [("badSort", "sort"), ("mixedAggregate", "events"), ("noStats", "startdate")]
)
def test_pepipost_with_a_bad_parameter(november: Client, call: str, names: str) -> None:
    """The promise is rejected with status 400, and a body that names the parameter."""
    failure = pepipost(november, call)
    assert ("API Response", 400) == (failure["errorMessage"], failure["errorCode"])
    assert names in json.dumps(json.loads(failure["errorResponse"])["error"])


# -- @unosend/node 2.1.0

UNOSEND_TYPES = {
    "injection": "sent",
    "delivery": "delivered",
    "open": "opened",
    "click": "clicked",
    "bounce": "bounced",
    "spam_complaint": "complained",
    "list_unsubscribe": "unsubscribed",
}


def unosend(client: Client, call: str, **more: str) -> Any:
    return ask(client, "unosend", call, **more)


def said(rows: Any) -> list[tuple[str, str]]:
    """Of each event its message and its type."""
    return [(row["email_id"], row["type"]) for row in rows]


def expected(*numbers: int) -> set[tuple[str, str]]:
    """What `said` gives for the events of these messages, or of all."""
    wanted = {f"message-{number:02}" for number in numbers}
    return {
        (each["message_id"], UNOSEND_TYPES[each["type"]])
        for each in events()
        if not numbers or each["message_id"] in wanted
    }


def test_unosend_lists(recent: Client) -> None:
    """`events.list({days: 30, limit: 100})` gives all, the newest first, with whom and what."""
    answer = unosend(recent, "everything")
    assert answer["error"] is None
    rows = answer["data"]["data"]
    assert expected() == set(said(rows))
    assert len(rows) == len(expected())
    times = [row["created_at"] for row in rows]
    assert sorted(times, reverse=True) == times
    assert {(*readers(10), "Winter coats & more")} == {
        (*row["email"]["to"], row["email"]["subject"])
        for row in rows
        if row["email_id"] == "message-10"
    }


def test_unosend_without_options(recent: Client) -> None:
    """`events.list()` gives seven days."""
    answer = unosend(recent, "week")["data"]
    assert expected(4, 5, 6, 7, 8, 9, 10) == set(said(answer["data"]))
    assert (7, 50) == (answer["filters"]["days"], answer["pagination"]["limit"])


def test_unosend_filters(recent: Client) -> None:
    """A type, and a message; what no event is finds nothing."""
    clicks = unosend(recent, "clicks")["data"]
    assert [("message-06", "clicked"), ("message-01", "clicked")] == said(clicks["data"])
    assert "https://shop.example/coats?size=m&colour=red" == clicks["data"][0]["metadata"]["url"]
    assert expected(4) == set(said(unosend(recent, "message")["data"]["data"]))
    assert [] == unosend(recent, "unknownType")["data"]["data"]


def test_unosend_pages_to_the_end(recent: Client) -> None:
    """`offset` and `limit`, as long as `has_more`, lose and repeat nothing."""
    pages = unosend(recent, "pages")
    seen = [row["id"] for page in pages for row in page["data"]]
    assert len(expected()) == len(seen) == len(set(seen))
    assert {len(expected())} == {page["pagination"]["total"] for page in pages}


def test_unosend_clamps(recent: Client) -> None:
    """More than is allowed is no error: the most is given."""
    answer = unosend(recent, "tooMuch")["data"]
    assert (90, 100) == (answer["filters"]["days"], answer["pagination"]["limit"])


def test_unosend_at_the_older_address(recent: Client) -> None:
    """The base address of older versions works too."""
    assert expected() == set(said(unosend(recent, "otherAddress")["data"]["data"]))


STATUSES = {
    "delivered": (1, 2, 3, 6, 7, 8, 9, 10, 12),
    "bounced": (4, 5),
    "sent": (11,),
}


def logged(answer: Any) -> list[tuple[str, str]]:
    """Of each e-mail of a log its id and its status."""
    assert answer["error"] is None
    return [(row["id"], row["status"]) for row in answer["data"]["data"]]


def test_unosend_logs(recent: Client) -> None:
    """`logs.list()` gives the e-mails of seven days, the newest first, as the types name them."""
    answer = unosend(recent, "logs")
    days = [10, 9, 8, 7, 6, 5, 4]
    assert [f"message-{number:02}" for number in days] == [each for each, _ in logged(answer)]
    rows = answer["data"]["data"]
    assert [readers(number) for number in days] == [row["to_emails"] for row in rows]
    assert {"news@shop.example"} == {row["from_email"] for row in rows}
    assert (7, False) == (
        answer["data"]["filters"]["days"],
        answer["data"]["pagination"]["has_more"],
    )


def test_unosend_logs_of_a_status(recent: Client) -> None:
    """A status, an e-mail, a text, a place in the list."""
    wanted = {(f"message-{number:02}", "delivered") for number in STATUSES["delivered"]}
    assert wanted == set(logged(unosend(recent, "delivered")))
    answer = unosend(recent, "logsOfOne")
    assert [("message-04", "bounced")] == logged(answer)
    assert ["sent", "bounced"] == [each["type"] for each in answer["data"]["data"][0]["events"]]
    answer = unosend(recent, "logsFrom")
    assert [11, 1] == [int(each.removeprefix("message-")) for each, _ in logged(answer)]
    assert 12 == answer["data"]["pagination"]["total"]


def test_unosend_emails(recent: Client) -> None:
    """`emails.list` gives the rows of a page, as its types say."""
    answer = unosend(recent, "emails")
    assert answer["error"] is None
    assert ["message-07", "message-06", "message-05"] == [row["id"] for row in answer["data"]]


def test_unosend_email(recent: Client) -> None:
    """`emails.get` gives what became of one, with its times."""
    answer = unosend(recent, "email")
    assert answer["error"] is None
    email = answer["data"]
    assert ("message-06", readers(6), "delivered") == (email["id"], email["to"], email["status"])
    told = ["sent_at", "delivered_at", "opened_at"]
    mine = [each["timestamp"] for each in events() if each["message_id"] == "message-06"]
    steps = [datetime.fromisoformat(email[name]) for name in told]
    start = datetime.fromisoformat(mine[0])
    assert [datetime.fromisoformat(t) - start for t in mine[:3]] == [t - steps[0] for t in steps]
    assert email["bounced_at"] is None
    assert ["sent", "delivered", "opened", "clicked"] == [e["type"] for e in email["events"]]


def test_unosend_email_with_an_id_of_a_mail(recent: Client) -> None:
    """The client encodes the id, slashes too."""
    now = datetime.now(UTC) - timedelta(days=40)
    fields = {"message_id": "<a/b+c@mail.example>", "rcpt_to": "ann@mail.example"}
    recent.store({"type": "injection", "event_id": "x", "timestamp": now.isoformat(), **fields})
    assert fields["message_id"] == unosend(recent, "emailWithSlashes")["data"]["id"]


def test_unosend_no_email(recent: Client) -> None:
    """An id that is not known is told in `error`."""
    answer = unosend(recent, "noEmail")
    assert (None, "email_not_found", 404) == (
        answer["data"],
        answer["error"]["code"],
        answer["error"]["statusCode"],
    )


def test_unosend_clicks_of_an_email(recent: Client) -> None:
    """`emails.clicks` gives the links with their counts, and the clicks."""
    clicks = unosend(recent, "emailClicks")["data"]
    url = "https://shop.example/coats?size=m&colour=red"
    assert [{"url": url, "count": 1}] == clicks["links"]
    assert [url] == [each["url"] for each in clicks["recentClicks"]]
    assert "message-06" == clicks["email"]["id"]


def test_unosend_metrics(recent: Client) -> None:
    """`metrics.get` has its figures where the types promise them, and in `summary`."""
    figures = unosend(recent, "metrics")["data"]
    counted = {
        "total": "injection",
        "sent": "injection",
        "delivered": "delivery",
        "bounced": "bounce",
        "opens": "open",
        "unique_opens": "open",
        "clicks": "click",
        "unique_clicks": "click",
    }
    wanted = {name: len(ids(kind)) for name, kind in counted.items()}
    wanted |= {"failed": 0, "queued": len(STATUSES["sent"])}
    assert wanted == {name: figures[name] for name in wanted}
    assert wanted == {name: figures["summary"][name] for name in wanted}
    assert {"delivery_rate": 81.8, "bounce_rate": 18.2, "open_rate": 55.6, "click_rate": 22.2} == (
        figures["rates"]
    )
    assert 12 == sum(each["count"] for each in figures["time_series"])
    series = unosend(recent, "byStatus")["data"]["time_series"]
    assert {"period": "delivered", "count": 9} in series


def test_unosend_metrics_by_nothing_known(recent: Client) -> None:
    """What is wrong is told in `error`."""
    answer = unosend(recent, "badGroup")
    assert ("validation_error", 400) == (answer["error"]["code"], answer["error"]["statusCode"])
    assert "group_by" in answer["error"]["message"]


def test_unosend_links(recent: Client) -> None:
    """`metrics.links` gives the links of seven days."""
    links = unosend(recent, "links")["data"]
    url = "https://shop.example/coats?size=m&colour=red"
    assert [{"url": url, "count": 1}] == [
        {name: each[name] for name in ("url", "count")} for each in links["links"]
    ]
    assert (1, 7) == (links["total_clicks"], links["period"]["days"])


def test_unosend_unwrapped(server: Server, recent: Client) -> None:
    """With the workspace's setting `data` is the array that the client's types promise."""
    other = stored(server, datetime.now(UTC) - timedelta(days=9, hours=12))
    ring = keyring_of(server)
    ring.set_option(ring.authenticate(other.key).workspace, "unosend_envelope", "unwrapped")
    rows = unosend(other, "everything")["data"]
    assert expected() == set(said(rows))
    assert all(row["type"] == row["event_type"] for row in rows)
    assert 7 == len(unosend(other, "logs")["data"])
    assert 9 == unosend(other, "metrics")["data"]["delivered"]
    assert "message-06" == unosend(other, "email")["data"]["id"]


def test_unosend_with_a_wrong_key(recent: Client) -> None:
    """`error` has code, message and status, and `data` is null."""
    answer = unosend(recent, "everything", key="un_wrong")
    assert answer["data"] is None
    assert ("invalid_api_key", 401) == (answer["error"]["code"], answer["error"]["statusCode"])
    assert answer["error"]["message"]


def test_unosend_where_nothing_is(recent: Client) -> None:
    """What is not offered is told at once, and as JSON: the client would else try three times."""
    answer = unosend(recent, "notOffered")
    assert 404 == answer["error"]["statusCode"]
    assert re.fullmatch(r"[a-z_]+", answer["error"]["code"])


# -- limits


def test_a_limit_that_is_reached(start: Callable[..., Server]) -> None:
    """The clients that do not wait tell status 429, in a body that they can read."""
    client = stored(start(POSTLEDGER_KEY_RATE="1/day").start())
    failure = sparkpost(client, "everything")
    assert 429 == failure["statusCode"]
    assert "Too many requests" == failure["errors"][0]["message"]
    failure = pepipost(client, "everything")
    assert ("HTTP Response Not OK", 429) == (failure["errorMessage"], failure["errorCode"])
    assert "error" == json.loads(failure["errorResponse"])["status"]


def test_unosend_waits_as_long_as_it_is_told(start: Callable[..., Server]) -> None:
    """It honours Retry-After, so that a list is whole although the limit was reached."""
    running = start(POSTLEDGER_KEY_RATE="3/second").start()
    client = stored(running, datetime.now(UTC) - timedelta(days=9, hours=12))
    pages = unosend(client, "pages")
    assert len(expected()) == len([row for page in pages for row in page["data"]])
    figures = client.request("GET", "/metrics").body.decode()
    statuses = re.findall(r'route="/v1/events",status="(\d+)"', figures)
    assert {"200", "429"} == set(statuses), figures
