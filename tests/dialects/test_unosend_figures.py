"""Unosend's e-mails and figures: their tables, and what the server says against a count made here.

What a request gets is in `cases/unosend`.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Client, Server, new_client
from making import event, iso
from postledger.dialects import unosend
from postledger.dialects.unosend.figures import summary
from postledger.dialects.unosend.tables import FIGURES, RATES, STATE_OF, SUMMARY
from postledger.dialects.wire import Call
from postledger.errors import BadInput
from postledger.events import EVENT_TYPES
from postledger.metrics import types_of
from postledger.query import MetricsRow
from test_unosend import NOW, call, failed

# -- tables


def test_every_state_is_decided() -> None:
    """Each of our types brings an e-mail to a status, or to none; each status is a stage."""
    assert list(EVENT_TYPES) == list(STATE_OF)
    assert {state for state in STATE_OF.values() if state} == set(unosend.STATES)
    assert unosend.STATES == tuple(stage.name for stage in unosend.STAGES)
    staged = [kind for stage in unosend.STAGES for kind in stage.types]
    assert {kind for kind, state in STATE_OF.items() if state} == set(staged)
    assert len(staged) == len(set(staged))


OF_TYPES = {"sent": "sent", "delivered": "delivered", "bounced": "bounced", "opened": "opens",
            "clicked": "clicks"}  # fmt: skip


@pytest.mark.parametrize(("kind", "member"), OF_TYPES.items())
def test_figures_are_of_the_types_of_the_events_list(kind: str, member: str) -> None:
    """What a figure counts is what the list of events finds under this name."""
    ours = {name for name, theirs in unosend.TYPES.items() if theirs == kind}
    assert ours == set(types_of([FIGURES[member]]))
    if f"unique_{member}" in FIGURES:
        assert ours == set(types_of([FIGURES[f"unique_{member}"]]))


def test_rates_are_of_what_there_is() -> None:
    """Parts and wholes of rates are members of the summary."""
    assert {name for part, wholes in RATES.values() for name in (part, *wholes)} <= set(SUMMARY)


# -- parameters

LIMITS = [
    (unosend.parse_logs, "days", (1, 90, 7)),
    (unosend.parse_logs, "limit", (1, 100, 50)),
    (unosend.parse_logs, "offset", (0, 2**53 - 1, 0)),
    (unosend.parse_figures, "days", (1, 90, 30)),
    (unosend.parse_links, "days", (1, 90, 30)),
    (unosend.parse_links, "limit", (1, 50, 10)),
]


@pytest.mark.parametrize(("read", "name", "limits"), LIMITS)
def test_limits(read: Callable[[Call], object], name: str, limits: tuple[int, int, int]) -> None:
    """Each parameter of the other calls has its least, its most, and its default."""
    least, most, default = limits
    given = {"-1": least, "9" * 30: most, str(most): most, "": default, "x": default}
    for text, expected in given.items():
        assert expected == getattr(read(call((name, text))), name)
    assert default == getattr(read(call()), name)


def test_figures_have_a_series() -> None:
    """By day unless asked otherwise; by status no question is needed; another one is refused."""
    for pairs, interval in (((), "day"), ((("group_by", "hour"),), "hour")):
        made = call(*pairs)
        asked = unosend.series_query(unosend.parse_figures(made), made)
        assert asked is not None
        assert (interval, "UTC", NOW - timedelta(days=30), NOW) == (
            asked.interval,
            asked.timezone,
            asked.start,
            asked.end,
        )
    made = call(("group_by", "status"))
    assert unosend.series_query(unosend.parse_figures(made), made) is None
    for text in ("Day", "week", "day,hour", "0"):
        with pytest.raises(BadInput, match="group_by"):
            unosend.parse_figures(call(("group_by", text)))


PATHS_OF_EMAILS = [
    ("/v1/emails/a", "a", False),
    ("/emails/a/b", "a/b", False),
    ("/api/v1/emails/a//clicks", "a/", True),
    ("/v1/emails/clicks", "clicks", False),
    ("/v1/emails/a/clicks/clicks", "a/clicks", True),
    ("/v1/emails//emails/x", "/emails/x", False),
]


@pytest.mark.parametrize(("path", "email_id", "clicks"), PATHS_OF_EMAILS)
def test_ids_in_paths(path: str, email_id: str, *, clicks: bool) -> None:
    """An id may have slashes; `/clicks` behind it asks for its clicks."""
    assert unosend.AskedEmail(email_id, clicks) == unosend.parse_email(Call(path, NOW))


# -- answers


@given(st.dictionaries(st.sampled_from(list(FIGURES)), st.integers(0, 50)), st.integers(0, 9))
def test_the_summary(counts: dict[str, int], waiting: int) -> None:
    """It has its members in their order; nothing is queued less than never."""
    whole = dict.fromkeys(FIGURES, 0) | counts
    told = summary([MetricsRow(None, (), tuple(whole.values()))], waiting)
    assert SUMMARY == tuple(told)
    under_way = whole["sent"] - whole["delivered"] - whole["refused"]
    assert (max(0, under_way), waiting) == (told["queued"], told["scheduled"])
    same = set(SUMMARY) & set(FIGURES)
    assert {name: whole[name] for name in same} == {name: told[name] for name in same}


def test_links_of_which_nothing_is_known() -> None:
    """Clicks without a link are clicks, but take no place in the list."""
    rows = [MetricsRow(None, (url,), (number,)) for url, number in (("", 5), ("a", 3), ("b", 1))]
    made = call(("limit", "2"))
    asked = unosend.parse_links(made)
    assert 3 == unosend.links_query(asked, made).limit
    reply = unosend.links(asked, made, rows, [MetricsRow(None, (), (9,))])
    assert isinstance(reply.body, bytes)
    told = json.loads(reply.body)["data"]
    assert [("a", 33.3), ("b", 11.1)] == [(e["url"], e["percentage"]) for e in told["links"]]
    assert 9 == told["total_clicks"]


# -- over a real server: what is counted here, in Python, is what the server says


@dataclass(frozen=True)
class Made:
    """A workspace with events by chance, and the same events."""

    client: Client
    events: list[dict[str, Any]]
    now: datetime

    def of(self, *kinds: str, days: float = 90) -> list[dict[str, Any]]:
        """The events of these types, of the last days."""
        first = iso(self.now - timedelta(days=days))
        return [e for e in self.events if e["type"] in kinds and e["timestamp"] >= first]


LINKS = [*(f"https://shop.example/{n}" for n in range(6)), None]
TELLS = {
    "sent": ("injection",),
    "delivered": ("delivery",),
    "bounced": ("bounce", "out_of_band"),
    "failed": ("policy_rejection", "generation_failure", "generation_rejection"),
    "opens": ("open", "initial_open", "amp_open", "amp_initial_open"),
    "clicks": ("click", "initial_click", "amp_click"),
}


@pytest.fixture(scope="module")
def made(server: Server) -> Made:
    """400 events of the last twenty days, hours away from where a day ends."""
    chance, now = random.Random(4), datetime.now(UTC)
    events = []
    for number in range(400):
        at = now - timedelta(days=chance.randrange(20), hours=chance.randint(1, 22))
        fields: dict[str, Any] = {
            "type": chance.choice(list(EVENT_TYPES)),
            "timestamp": iso(at),
            "message_id": f"m{chance.randrange(60)}",
            "subject": chance.choice(["Winter coats", "Zażółć", "Your order"]),
        }
        fields["rcpt_to"] = f"{fields['message_id']}@example.org"
        if "click" in fields["type"] and (url := chance.choice(LINKS)):
            fields["target_link_url"] = url
        events.append(event(number, **fields))
    client = new_client(server)
    client.store(*events)
    return Made(client, events, now)


def messages_of(events: Iterable[dict[str, Any]]) -> int:
    return len({each["message_id"] for each in events})


@pytest.mark.parametrize("days", [1, 7, 15, 30])
def test_the_summary_is_what_there_is(made: Made, days: int) -> None:
    """Each figure is the number of its events, or of their messages; rates are per cent of them."""
    told = made.client.get(f"/v1/metrics?days={days}")["data"]
    counted = {name: len(made.of(*kinds, days=days)) for name, kinds in TELLS.items()}
    counted["total"] = counted["sent"] + counted["failed"]
    counted["unique_opens"] = messages_of(made.of(*TELLS["opens"], days=days))
    counted["unique_clicks"] = messages_of(made.of(*TELLS["clicks"], days=days))
    refused = len(made.of("bounce", days=days))
    counted["queued"] = max(0, counted["sent"] - counted["delivered"] - refused)
    assert counted == {name: told["summary"][name] for name in counted}
    whole = counted["delivered"] + counted["bounced"]
    assert whole
    expected = {
        "delivery_rate": counted["delivered"] / whole,
        "bounce_rate": counted["bounced"] / whole,
        "open_rate": counted["unique_opens"] / counted["delivered"],
        "click_rate": counted["unique_clicks"] / counted["delivered"],
    }
    for name, part in expected.items():
        assert abs(100 * part - told["rates"][name]) <= 0.0501
        assert round(told["rates"][name], 1) == told["rates"][name]


@pytest.mark.parametrize(("kind", "member"), OF_TYPES.items())
def test_figures_and_events_agree(made: Made, kind: str, member: str) -> None:
    """The events list has as many events as the summary says."""
    listed = made.client.get(f"/v1/events?event_type={kind}&days=30&limit=1")["data"]
    summary = made.client.get("/v1/metrics?days=30")["data"]["summary"]
    assert listed["pagination"]["total"] == summary[member] > 0


@pytest.mark.parametrize(("group_by", "width", "length"), [("day", 10, 30), ("hour", 13, 15)])
def test_a_series_has_no_holes(made: Made, group_by: str, width: int, length: int) -> None:
    """Each day, or hour, of the time has its number of e-mails, none left out."""
    days = length if group_by == "day" else 5
    told = made.client.get(f"/v1/metrics?days={days}&group_by={group_by}")["data"]
    series = {each["period"][:width]: each["count"] for each in told["time_series"]}
    assert len(series) == len(told["time_series"])
    assert list(series) == sorted(series)
    step = timedelta(**{f"{group_by}s": 1})
    first, last = (datetime.fromisoformat(told["period"][end]) for end in ("start", "end"))
    wanted = {iso(first + n * step)[:width] for n in range(int((last - first) / step) + 1)}
    assert wanted <= set(series) <= wanted | {iso(last)[:width]}
    emails = made.of(*TELLS["sent"], *TELLS["failed"], days=days)
    counted = Counter(each["timestamp"][:width] for each in emails)
    assert counted == Counter({each: n for each, n in series.items() if n})
    assert told["summary"]["total"] == sum(series.values())


def test_links_are_what_was_clicked(made: Made) -> None:
    """The links with their clicks, the most first, and the part that each has of all clicks."""
    told = made.client.get("/v1/metrics/links?days=30&limit=4")["data"]
    clicks = made.of(*TELLS["clicks"])
    counted = Counter(each["target_link_url"] for each in clicks if "target_link_url" in each)
    ordered = sorted(counted.items(), key=lambda each: (-each[1], each[0]))[:4]
    assert ordered == [(each["url"], each["clicks"]) for each in told["links"]]
    assert len(clicks) == told["total_clicks"] > sum(counted.values())
    for each in told["links"]:
        assert abs(100 * each["clicks"] / len(clicks) - each["percentage"]) <= 0.0501


ORDER = ("scheduled", "cancelled", "sent", "queued", "failed", "delivered", "bounced")


def status_of(kinds: Iterable[str]) -> str:
    """The status of an e-mail, told without the dialect's tables."""
    tells = {
        **dict.fromkeys(TELLS["failed"], "failed"),
        **dict.fromkeys(TELLS["bounced"], "bounced"),
        "injection": "sent",
        "delay": "queued",
        "scheduled": "scheduled",
        "cancelled": "cancelled",
        "unknown": "",
    }
    found = {tells.get(kind, "delivered") for kind in kinds} - {""}
    return max(found, key=ORDER.index, default="")


def test_an_email_is_what_became_of_it(made: Made) -> None:
    """The status of each message is told by all of its events, as are the clicks on it."""
    by_id: dict[str, list[dict[str, Any]]] = {}
    for each in sorted(made.events, key=lambda each: each["timestamp"]):
        by_id.setdefault(each["message_id"], []).append(each)
    for email_id, events in list(by_id.items())[:25]:
        told = made.client.get(f"/v1/emails/{email_id}")["data"]
        assert status_of(each["type"] for each in events) == told["status"]
        said = [unosend.TYPES[each["type"]] for each in events]
        assert [kind for kind in said if kind] == [each["type"] for each in told["events"]]
        clicks = [each for each in events if each["type"] in TELLS["clicks"]]
        found = made.client.get(f"/v1/emails/{email_id}/clicks")["data"]
        counted = Counter(e["target_link_url"] for e in clicks if "target_link_url" in e)
        assert counted == {each["url"]: each["count"] for each in found["links"]}
        recent = [each["created_at"] for each in found["recentClicks"]]
        assert [each["timestamp"] for each in reversed(clicks)] == recent


def test_pages_of_emails_lose_and_repeat_nothing(client: Client) -> None:
    """All pages of the logs together are all e-mails, and a row says what the e-mail itself says;
    each status has its own, and together they are all."""
    stories = [
        ("injection",), ("injection", "delay"), ("injection", "delivery", "open", "click"),
        ("injection", "bounce"), ("policy_rejection",), ("scheduled",), ("scheduled", "cancelled"),
    ]  # fmt: skip
    for n in range(45):
        story = stories[n % len(stories)]
        start = datetime.now(UTC) - timedelta(days=n % 3, hours=1)
        client.store(
            *(event(10 * n + step, type=kind, message_id=f"m{n}", rcpt_to=f"r{n}@example.org",
                    timestamp=iso(start + timedelta(seconds=step)))
              for step, kind in enumerate(story))
        )  # fmt: skip
    found: list[dict[str, Any]] = []
    while len(found) < 45:
        page = client.get(f"/v1/logs?limit=7&offset={len(found)}")["data"]
        found += page["data"]
        assert (45, len(found) < 45) == (
            page["pagination"]["total"],
            page["pagination"]["has_more"],
        )
    assert {f"m{n}" for n in range(45)} == {row["id"] for row in found}
    assert sorted((row["created_at"] for row in found), reverse=True) == [
        row["created_at"] for row in found
    ]
    for row in found[::5]:
        assert row == client.get(f"/v1/emails/{row['id']}")["data"]
    expected = Counter(status_of(stories[n % len(stories)]) for n in range(45))
    for state in unosend.STATES:
        page = client.get(f"/v1/logs?status={state}")["data"]
        assert {state} == {row["status"] for row in page["data"]}
        assert expected[state] == page["pagination"]["total"] == len(page["data"])


def test_emails_and_figures_of_others(server: Server, made: Made) -> None:
    """Nothing of another workspace is shown or counted."""
    other = new_client(server)
    assert 0 == other.get("/v1/logs?days=90")["data"]["pagination"]["total"]
    for path in ("/v1/emails/m1", "/v1/emails/m1/clicks", "/emails/m1"):
        failed(other.request("GET", path), 404, "email_not_found")
    told = other.get("/v1/metrics?days=90")["data"]
    assert {0} == {*told["summary"].values(), *(each["count"] for each in told["time_series"])}
    assert [] == other.get("/v1/metrics/links")["data"]["links"]
