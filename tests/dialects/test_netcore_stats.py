"""Netcore's statistics, held against counts that are made here: contract netcore.md, section 5."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Client, Server, keyring_of, new_client
from making import EPOCH, iso
from postledger.dialects import netcore
from postledger.dialects.netcore.tables import (
    BY_CLASS,
    COUNTERS,
    HARD,
    MOST_NAMED,
    MOST_PERIODS,
    MOST_TAGS,
    TAGGED,
    TYPES,
)
from postledger.dialects.wire import Call
from postledger.errors import BadInput
from postledger.events import EVENT_TYPES
from postledger.intervals import starts
from postledger.store.metrics import MOST_ROWS

NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
WARSAW = ZoneInfo("Europe/Warsaw")
HARD_CLASSES = {10, 30, 90}

Event = dict[str, Any]
Stats = dict[date, dict[str, int]]


# -- a count of our own


IN = {
    "delivery": "sent",
    "policy_rejection": "dropped",
    "generation_failure": "dropped",
    "generation_rejection": "invalid",
    "spam_complaint": "spam",
    "list_unsubscribe": "unsub",
    "link_unsubscribe": "unsub",
    **dict.fromkeys(("open", "initial_open", "amp_open", "amp_initial_open"), "open"),
    **dict.fromkeys(("click", "initial_click", "amp_click"), "click"),
}


def counters(event: Event) -> list[str]:
    """The counters in which an event is, as the documents say it."""
    kind, hard = event["type"], event.get("bounce_class") in HARD_CLASSES
    if kind in {"bounce", "out_of_band"}:
        return ["bounce", "hard_bounce" if hard else "soft_bounce"]
    if kind not in IN:
        return []
    return ["invalid"] if hard and IN[kind] == "dropped" else [IN[kind]]


def counted(events: Iterable[Event], period: Callable[[date], date]) -> Stats:
    """The counters of each period that has an event."""
    found: dict[date, Counter[str]] = defaultdict(Counter)
    seen: dict[tuple[date, str], set[tuple[str, str]]] = defaultdict(set)
    for event in events:
        time = datetime.fromisoformat(event["timestamp"])
        start = period(time.astimezone(WARSAW).date())
        for name in counters(event):
            found[start][name] += 1
            if name in {"open", "click"}:
                seen[start, f"unique_{name}"].add((event["message_id"], event["rcpt_to"]))
    for (start, name), messages in seen.items():
        found[start][name] = len(messages)
    return {start: {name: count[name] for name in COUNTERS} for start, count in found.items()}


def days_of(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


PERIODS: dict[str, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
}


def made(number: int, chance: random.Random) -> Event:
    """An event in the days around a change of the clock, the minutes of the change among them."""
    around = chance.choice(
        [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)]
    )
    minutes = chance.choice([chance.randint(-4000, 4000), chance.randint(-1500, 1500)])
    tags = chance.sample(["autumn", "sale", "ä/b", ""], chance.randint(0, 3))
    return {
        "event_id": f"n{number}",
        "type": chance.choice(list(EVENT_TYPES)),
        "timestamp": iso(around + timedelta(minutes=minutes)),
        "message_id": f"m{chance.randint(0, 9)}",
        "rcpt_to": f"r{chance.randint(0, 2)}@x.example",
        "bounce_class": chance.choice([None, 1, 10, 22, 25, 30, 51, 90]),
        "rcpt_tags": tags,
    }


EVENTS = [made(number, random.Random(number)) for number in range(1500)]


@pytest.fixture(scope="module")
def warsaw(server: Server) -> Client:
    """A workspace in Warsaw with `EVENTS`."""
    ring = keyring_of(server)
    name = f"netcore-stats-{uuid4().hex[:8]}"  # a worker may come back to this module
    ring.create_workspace(name)
    ring.set_option(name, "timezone", "Europe/Warsaw")
    client = new_client(server, workspace=name)
    assert len(EVENTS) == client.store(*EVENTS)["accepted"]
    return client


def pages(client: Client, path: str, **parameters: Any) -> list[Any]:
    """The periods of all pages."""
    found: list[Any] = []
    for number in range(1, 1000):
        page = client.get(f"{path}?{urlencode({**parameters, 'offset': number})}")
        assert "success" == page["status"]
        if not page["data"]:
            return found
        found += page["data"]
    raise AssertionError(found)


IN_A_MONTH = {"day": 8, "week": 3, "month": 1}


@pytest.mark.parametrize("by", PERIODS)
@pytest.mark.parametrize(
    ("path", "limit"),
    [("/v5.1/stats", 100), ("/v2/stats", 3), ("/v5/stats", 7), ("/v6/stats", 50)],
)
def test_counts(warsaw: Client, path: str, limit: int, by: str) -> None:
    """Every counter of every period is what a count of the events gives, across both changes of
    the clock, and no period is left out."""
    first, last = date(2026, 3, 1), date(2026, 11, 30)
    limit = min(limit * IN_A_MONTH[by], 100)  # more pages of days would show nothing else
    found = pages(warsaw, path, startdate=first, enddate=last, aggregated_by=by, limit=limit)
    periods = list(dict.fromkeys(map(PERIODS[by], days_of(first, last))))
    assert [str(each) for each in periods] == [each["date"] for each in found]
    expected = counted(EVENTS, PERIODS[by])
    nothing = dict.fromkeys(COUNTERS, 0)
    for period, each in zip(periods, found, strict=True):
        assert [{"metrics": expected.get(period, nothing)}] == each["stats"], period


@pytest.mark.parametrize("by", PERIODS)
def test_counts_of_tags(warsaw: Client, by: str) -> None:
    """The figures of a tag are those of the events that have it, whether it is asked for or not;
    an empty one is none."""
    span: dict[str, Any] = {"startdate": "2026-10-20", "enddate": "2026-10-30"}
    expected = {
        tag: counted([e for e in EVENTS if tag in e["rcpt_tags"]], PERIODS[by])
        for tag in ("autumn", "sale", "ä/b")
    }
    nothing = dict.fromkeys(COUNTERS, 0)
    asked = (*({"tag": tag} for tag in expected), {"tags": ",".join(expected)}, {})
    for named in asked:
        for period in pages(warsaw, TAGGED, **span, aggregated_by=by, **named):
            start = date.fromisoformat(period["date"])
            tags = {each["tag_name"]: each["metrics"] for each in period["stats"]}
            wanted = named.get("tag")
            assert (set(expected) if wanted is None else {wanted}) == set(tags)
            assert len(tags) == len(period["stats"])
            for tag, metrics in tags.items():
                assert expected[tag].get(start, nothing) == metrics, (tag, start)


def test_bounces_are_soft_or_hard(warsaw: Client) -> None:
    """The two kinds of bounces make all."""
    for period in pages(warsaw, "/v5.1/stats", startdate="2026-10-20", enddate="2026-10-30"):
        metrics = period["stats"][0]["metrics"]
        assert metrics["bounce"] == metrics["soft_bounce"] + metrics["hard_bounce"]


@pytest.mark.parametrize("kind", EVENT_TYPES)
@pytest.mark.parametrize("bounce_class", [None, 1, 22, 51, *HARD])
def test_counters_agree_with_states(kind: str, bounce_class: int | None) -> None:
    """An event counts as the state to which it brings its message."""
    state = TYPES[kind]
    if bounce_class in HARD:
        state = next((name for name, types in BY_CLASS.items() if kind in types), state)
    names = {
        "softbounce": ["bounce", "soft_bounce"],
        "hardbounce": ["bounce", "hard_bounce"],
        "unsubscribe": ["unsub"],
    }
    expected = names.get(str(state), [state] if state in COUNTERS else [])
    assert expected == counters({"type": kind, "bounce_class": bounce_class})


def test_a_page_has_a_hundred_periods(client: Client) -> None:
    """Unless less is asked for; the last page has the rest, to today."""
    today = datetime.now(UTC).date()
    first = today - timedelta(days=149)
    one = client.get(f"/v5.1/stats?startdate={first}")["data"]
    two = client.get(f"/v5.1/stats?startdate={first}&offset=2")["data"]
    days = [str(day) for day in days_of(first, today)]
    assert days[:100] == [each["date"] for each in one]
    assert days[100:] == [each["date"] for each in two][:50]


def test_nothing_of_another_workspace(warsaw: Client, client: Client) -> None:
    """Figures and tags are of the key's workspace."""
    client.store({"type": "delivery", "timestamp": "2026-10-25T12:00:00Z", "rcpt_tags": ["own"]})
    span = "startdate=2026-10-25&enddate=2026-10-25"
    day = client.get(f"/v5.1/stats?{span}")["data"][0]
    assert (1, 0) == (day["stats"][0]["metrics"]["sent"], day["stats"][0]["metrics"]["open"])
    tags = client.get(f"{TAGGED}?{span}")["data"][0]["stats"]
    assert ["own"] == [each["tag_name"] for each in tags]


# -- the questions


def asked(path: str = "/v5.1/stats", timezone: str = "UTC", **parameters: Any) -> netcore.Summary:
    pairs = tuple((name, str(value)) for name, value in parameters.items())
    return netcore.stats(Call(path, NOW, pairs, workspace="shop", options={"timezone": timezone}))


@given(
    first=st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    days=st.integers(0, 300),
    limit=st.integers(1, MOST_PERIODS),
    by=st.sampled_from([*PERIODS]),
    zone=st.sampled_from(["UTC", "Europe/Warsaw", "America/Sao_Paulo", "Australia/Lord_Howe"]),
)
def test_pages_are_the_range(first: date, days: int, limit: int, by: str, zone: str) -> None:
    """The questions of all pages together are of the whole range, and of each instant once; their
    periods are all that the range has."""
    span: dict[str, Any] = {
        "startdate": first,
        "enddate": first + timedelta(days=days),
        "aggregated_by": by,
    }
    whole = ZoneInfo(zone)
    begin = datetime.combine(first, datetime.min.time(), whole).astimezone(UTC)
    end = datetime.combine(first + timedelta(days=days + 1), datetime.min.time(), whole)
    found: list[datetime] = []
    at, number = begin, 1
    while (page := asked(timezone=zone, **span, limit=limit, offset=number)).periods:
        query = page.queries[0]
        assert at == query.start
        assert len(page.periods) <= limit
        assert list(page.periods) == starts(query.start, query.end, by, zone)[:-1]
        found += page.periods
        at, number = query.end, number + 1
    assert end.astimezone(UTC) == at
    assert starts(begin, end, by, zone)[:-1] == found


def test_the_longest_range() -> None:
    """All of time has pages too, the last of which can be reached."""
    span = {"startdate": "0001-01-01", "enddate": "9999-12-31"}
    times = starts(EPOCH - timedelta(days=2), datetime(2200, 1, 4, tzinfo=UTC), "day", "UTC")
    last = (len(times) - 1 + MOST_PERIODS - 1) // MOST_PERIODS
    assert asked(**span, offset=last).periods
    assert (times[-2],) == asked(**span, offset=last).periods[-1:]
    assert not asked(**span, offset=last + 1).queries
    assert not asked(**span, offset="9" * 18).queries


def test_a_page_of_all_tags_can_be_answered() -> None:
    """The most tags with the most periods are no more rows than the store gives."""
    query = asked(TAGGED, startdate="2026-01-01").queries[0]
    assert MOST_TAGS + 1 == query.limit
    assert query.limit * MOST_PERIODS <= MOST_ROWS


@pytest.mark.parametrize(
    ("tags", "number"), [("a", 1), (",".join(map(str, range(MOST_NAMED))), MOST_NAMED)]
)
def test_tags_by_name(tags: str, number: int) -> None:
    """A question for each; more are refused, and too long ones."""
    assert number == len(asked(TAGGED, startdate="2026-01-01", tag=tags).queries)
    for bad in (",".join(map(str, range(MOST_NAMED + 1))), "x" * 256):
        with pytest.raises(BadInput) as found:
            asked(TAGGED, startdate="2026-01-01", tag=bad)
        assert "tag" == found.value.problems[0].parameter
