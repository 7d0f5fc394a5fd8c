"""Clients of other services for Python, as published, over a real socket (`python/`)."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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

from conftest import Client, Server

__all__ = ["scripts"]  # a fixture

PYTHON = HERE.parent.parent / ".venv" / "clients" / "bin" / "python"


@pytest.fixture(scope="module")
def november(server: Server) -> Client:
    """The mailing in the first ten days of November 2026."""
    return stored(server)


@pytest.fixture(scope="module")
def recent(server: Server) -> Client:
    """The mailing in the last ten days, its tenth message half a day ago."""
    return stored(server, datetime.now(UTC) - timedelta(days=9, hours=12))


def ask(client: Client, script: str, call: str, **more: str) -> Any:
    if not PYTHON.exists():
        missing("the clients are not installed; run `make clients`")
    return run([str(PYTHON), str(HERE / "python" / f"{script}.py")], client, call, **more)


# -- pepipost 5.0.0


def pepipost(client: Client, call: str, **more: str) -> Any:
    return ask(client, "pepipost_events", call, **more)


def rows(answer: Any) -> list[str]:
    assert "success" == answer["status"]
    return [row["rcptEmail"] for row in answer["data"]]


def test_pepipost_lists(november: Client) -> None:
    """`get_events_get` with two days gives the newest ten of the messages, and counts all."""
    answer = pepipost(november, "everything")
    assert readers(10, 9, 8, 7, 6, 5, 4, 3, 12, 2) == rows(answer)
    assert 12 == answer["totalRecords"]
    first = answer["data"][-1]
    assert ("Winter coats & more", "open", "news@shop.example") == (
        first["subject"],
        first["status"],
        first["fromaddress"],
    )
    assert ("2026-11-02 09:00:00", "2026-11-02 09:00:03") == (
        first["requestedTime"],
        first["deliveryTime"],
    )


def test_pepipost_without_an_end(november: Client) -> None:
    """The end is today when none is given."""
    assert readers(8, 9, 10) == rows(pepipost(november, "open_days"))


@pytest.mark.parametrize(
    ("call", "numbers"),
    [
        ("one_state", (5, 4)),
        ("two_states", (1, 2, 6, 7)),
        ("all_opened", (1, 2, 6, 7, 9, 10)),
        ("by_subject_and_sender", (2, 12, 4, 6, 8, 10)),
        ("by_recipient", (1,)),
        ("by_reference", (7,)),
    ],
)
def test_pepipost_filters(november: Client, call: str, numbers: tuple[int, ...]) -> None:
    """Each filter of `get_events_get` finds its messages, and counts them."""
    answer = pepipost(november, call)
    assert readers(*numbers) == rows(answer)
    assert len(numbers) == answer["totalRecords"]


def test_pepipost_pages_to_the_end(november: Client) -> None:
    """`offset` and `limit` lose and repeat nothing."""
    pages = pepipost(november, "pages")
    assert [5, 5, 2, 0] == [len(page["data"]) for page in pages]
    expected = readers(1, 11, 2, 12, 3, 4, 5, 6, 7, 8, 9, 10)
    assert expected == [reader for page in pages for reader in rows(page)]
    assert {12} == {page["totalRecords"] for page in pages}


def test_pepipost_statistics(november: Client) -> None:
    """`get_stats_get` gives a day after the other, as they are counted here."""
    found = pepipost(november, "daily")["data"]
    assert figures("day") == {each["date"]: shown(each) for each in found}
    assert [f"2026-11-{day:02}" for day in range(1, 11)] == [each["date"] for each in found]
    weeks = pepipost(november, "weekly")["data"]
    assert figures("week") == {each["date"]: shown(each) for each in weeks}
    assert ["2026-10-26", "2026-11-02", "2026-11-09"] == [each["date"] for each in weeks]
    pages = pepipost(november, "days_by_threes")
    assert [3, 3, 3, 1, 0] == [len(page["data"]) for page in pages]
    assert found == [each for page in pages for each in page["data"]]


def test_pepipost_with_a_wrong_key(november: Client) -> None:
    """`APIException` with the status, and the body that plugins read."""
    failure = pepipost(november, "everything", key="pl_0_wrong")
    assert ("API Response", 401) == (failure["reason"], failure["status"])
    assert "error" == failure["body"]["status"]
    assert failure["body"]["error"][0]["message"]
    assert failure["body"]["error"][0]["description"]


@pytest.mark.parametrize(
    ("call", "names"),
    [("bad_day", "startdate"), ("mixed_aggregate", "events"), ("bad_period", "aggregated_by")],
)
def test_pepipost_with_a_bad_parameter(november: Client, call: str, names: str) -> None:
    """`APIException` with status 400, and a body that names the parameter."""
    failure = pepipost(november, call)
    assert ("API Response", 400) == (failure["reason"], failure["status"])
    assert names in json.dumps(failure["body"]["error"])


# -- sparkpost 1.3.10


def sparkpost(client: Client, call: str, **more: str) -> Any:
    return ask(client, "sparkpost_events", call, **more)


def found(results: Any) -> list[str]:
    return [event["event_id"] for event in results]


def test_sparkpost_lists(november: Client) -> None:
    """`Resource.request` gives the results alone, the newest first."""
    results = sparkpost(november, "everything")
    assert ids() == set(found(results))
    times = [event["timestamp"] for event in results]
    assert sorted(times, reverse=True) == times


def test_sparkpost_without_parameters(recent: Client) -> None:
    """The last day, when nothing is asked for."""
    expected = {each for each in ids() if each.startswith("10-")}
    assert expected == set(found(sparkpost(recent, "last_day")))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("bounces", {"04-bounce"}),
        ("campaign", {"02-open", "06-open", "06-click"}),
        (
            "other_delimiter",
            {each for each in ids() if each.startswith(("01-", "02-"))},
        ),
    ],
)
def test_sparkpost_filters(november: Client, call: str, expected: set[str]) -> None:
    """Filters, and lists with a separator of one's own."""
    assert expected == set(found(sparkpost(november, call)))


def test_sparkpost_pages_to_the_end(november: Client) -> None:
    """`page` and `per_page` lose and repeat nothing."""
    pages = sparkpost(november, "pages")
    assert [12, 12, 8, 0] == [len(page) for page in pages]
    assert found(sparkpost(november, "everything")) == [
        each for page in pages for each in found(page)
    ]


def test_sparkpost_figures(november: Client) -> None:
    """The client's lists of campaigns and domains, and figures through its base resource."""
    names, domains = sparkpost(november, "values")
    assert {"black-friday", "monday_mailshot"} == set(names)
    assert ["mail.example"] == domains
    counted = Counter((event["campaign_id"], event["type"]) for event in events())
    assert {name: (counted[name, "delivery"], counted[name, "bounce"]) for name in names} == {
        row["campaign_id"]: (row["count_delivered"], row["count_bounce"])
        for row in sparkpost(november, "figures")
    }


def test_sparkpost_with_a_wrong_key(november: Client) -> None:
    """`SparkPostAPIException` with the status and the text."""
    failure = sparkpost(november, "everything", key="pl_0_wrong")
    assert 401 == failure["status"]
    assert ["Unauthorized. Code: none Description: none"] == [
        each.strip() for each in failure["errors"]
    ]


@pytest.mark.parametrize(("call", "names"), [("bad_page_size", "per_page"), ("bad_type", "events")])
def test_sparkpost_with_a_bad_parameter(november: Client, call: str, names: str) -> None:
    """`SparkPostAPIException` with status 400, the code, and the parameter's name."""
    failure = sparkpost(november, call)
    assert 400 == failure["status"]
    assert "Code: 1200" in failure["errors"][0]
    assert names in failure["errors"][0]


# -- both


def test_a_limit_that_is_reached(start: Callable[..., Server]) -> None:
    """Both clients tell status 429, and the text that SparkPost's clients compare."""
    client = stored(start(POSTLEDGER_KEY_RATE="1/day").start())
    failure = pepipost(client, "everything")
    assert ("HTTP response not OK.", 429) == (failure["reason"], failure["status"])
    failure = sparkpost(client, "everything")
    assert 429 == failure["status"]
    assert failure["errors"][0].startswith("Too many requests ")
