"""`GET /ledger/v1/metrics` over a real server: contract `native.md`, section 6."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from conftest import Client, new_client, problem
from making import Event, iso
from postledger.errors import BadInput
from postledger.http.metrics import METRICS_PATH, PARAMETERS, parse
from postledger.metrics import DEFAULT, GROUPS, METRICS
from postledger.query import FILTERS

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)
RANGE = [("from", "2026-10-24"), ("to", "2026-10-27")]


def ask(client: Client, *pairs: tuple[str, object]) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"{METRICS_PATH}?{urlencode(pairs)}")
    return answer


def sample(number: int, kind: str, time: str, **fields: Any) -> Event:
    made = {"event_id": f"e{number}", "type": kind, "timestamp": time}
    return made | {"message_id": f"m{number}", "rcpt_to": f"r{number}@x.example"} | fields


EVENTS = (
    sample(1, "injection", "2026-10-25T08:00:00Z", campaign_id="a", rcpt_tags=["t", "u", "t"]),
    sample(2, "delivery", "2026-10-24T22:30:00Z", campaign_id="a", queue_time=100),
    sample(3, "delivery", "2026-10-25T22:30:00Z", campaign_id="a", queue_time=300, msg_size=7),
    sample(4, "delivery", "2026-10-25T23:30:00Z", campaign_id="b", rcpt_tags=["t"]),
    sample(5, "bounce", "2026-10-25T09:00:00Z", campaign_id="b", bounce_class=10, reason="550 no"),
    sample(6, "open", "2026-10-25T10:00:00Z", campaign_id="a", message_id="m2", rcpt_to="r2@x.pl"),
    sample(7, "open", "2026-10-25T10:00:01Z", campaign_id="a", message_id="m2", rcpt_to="r2@x.pl"),
    sample(8, "click", "2026-10-25T10:00:02Z", target_link_url="https://shop.example/coats"),
)


# -- answers


def test_one_figure_for_the_range(client: Client) -> None:
    """The shape of the contract; without interval and groups there is one row."""
    client.store(*EVENTS)
    metrics = ["count_delivered", "count_bounce", "bounce_rate", "delivery_time_p50", "open_rate"]
    answer = ask(client, *RANGE, *(("metric", name) for name in metrics))
    assert {
        "from": "2026-10-24T00:00:00.000Z",
        "to": "2026-10-27T00:00:00.000Z",
        "interval": None,
        "timezone": "UTC",
        "rows": [
            {
                "count_delivered": 3,
                "count_bounce": 1,
                "bounce_rate": 0.25,
                "delivery_time_p50": 300,
                "open_rate": 2 / 3,
            }
        ],
    } == answer


def test_a_series_over_a_day_of_25_hours(client: Client) -> None:
    """Days start at the zone's midnight; a day without events has zeros; a range that is cut in
    the middle of a day starts with that day's start."""
    client.store(*EVENTS)
    answer = ask(
        client,
        ("from", "2026-10-24T22:10:00Z"),
        ("to", "2026-10-27T23:00:00Z"),
        ("interval", "day"),
        ("timezone", "Europe/Warsaw"),
        ("metric", "count_delivered"),
    )
    assert ("day", "Europe/Warsaw") == (answer["interval"], answer["timezone"])
    assert [
        {"time": "2026-10-25T00:00:00+02:00", "count_delivered": 2},
        {"time": "2026-10-26T00:00:00+01:00", "count_delivered": 1},
        {"time": "2026-10-27T00:00:00+01:00", "count_delivered": 0},
    ] == answer["rows"]


def test_the_hour_that_comes_twice(client: Client) -> None:
    """The two hours that the clock calls by the same number are two intervals, told by the
    offset."""
    query = [("from", "2026-10-25T00:00:00Z"), ("to", "2026-10-25T02:00:00Z")]
    answer = ask(client, *query, ("interval", "hour"), ("timezone", "Europe/Warsaw"))
    assert ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"] == [
        row["time"] for row in answer["rows"]
    ]


def test_groups_in_order(client: Client) -> None:
    """By a metric, the largest first, with several groups at once; empty where there is none."""
    client.store(*EVENTS)
    asked = [*RANGE, ("metric", "count_delivered"), ("metric", "count_bounce")]
    by_campaign = ask(client, *asked, ("group_by", "campaign_id"))["rows"]
    assert [
        {"campaign_id": "a", "count_delivered": 2, "count_bounce": 0},
        {"campaign_id": "b", "count_delivered": 1, "count_bounce": 1},
    ] == by_campaign
    other = ask(client, *asked, ("group_by", "campaign_id"), ("order_by", "count_bounce"))["rows"]
    assert by_campaign[::-1] == other
    one = ask(client, *asked, ("group_by", "campaign_id"), ("limit", 1))["rows"]
    assert by_campaign[:1] == one
    both = ask(client, *asked, ("group_by", "bounce_class"), ("group_by", "reason"))["rows"]
    assert [
        {"bounce_class": None, "reason": "", "count_delivered": 3, "count_bounce": 0},
        {"bounce_class": 10, "reason": "550 no", "count_delivered": 0, "count_bounce": 1},
    ] == both


def test_tags(client: Client) -> None:
    """An event counts once for each of its tags, and without any for the empty one."""
    client.store(*EVENTS)
    asked = [*RANGE, ("group_by", "tag"), ("metric", "count_targeted"), ("metric", "count_sent")]
    assert [
        {"tag": "t", "count_targeted": 1, "count_sent": 1},
        {"tag": "u", "count_targeted": 1, "count_sent": 0},
        {"tag": "", "count_targeted": 0, "count_sent": 3},
    ] == ask(client, *asked)["rows"]


def test_a_series_of_groups(client: Client) -> None:
    """Each group that occurs has every interval, one group after another; the limit is on groups,
    not on rows."""
    client.store(*EVENTS)
    asked = [*RANGE, ("group_by", "campaign_id"), ("interval", "day"), ("metric", "count_sent")]
    rows = ask(client, *asked, ("limit", 1))["rows"]
    assert [("a", 1), ("a", 1), ("a", 0)] == [(r["campaign_id"], r["count_sent"]) for r in rows]
    assert ["a"] * 3 + ["b"] * 3 == [row["campaign_id"] for row in ask(client, *asked)["rows"]]


def test_every_metric_and_group(client: Client) -> None:
    """Each name is answered, alone and with all others."""
    client.store(*EVENTS)
    everything = [*RANGE, *(("metric", name) for name in METRICS)]
    (row,) = ask(client, *everything)["rows"]
    assert list(METRICS) == list(row)
    rows = ask(client, *everything, *(("group_by", name) for name in GROUPS))["rows"]
    assert [[*GROUPS, *METRICS]] * 7 == [list(row) for row in rows]


FILTERED: dict[str, tuple[object, int]] = {
    "type": ("delivery", 3),
    "recipient": ("R3@x.example", 1),
    "recipient_domain": ("x.example", 3),
    "message_id": ("m2", 1),
    "transmission_id": ("none", 0),
    "campaign_id": ("a", 2),
    "template_id": ("", 3),
    "subject": ("coat", 0),
    "friendly_from": ("", 3),
    "sending_domain": ("", 3),
    "sending_ip": ("", 3),
    "ip_pool": ("none", 0),
    "subaccount_id": ("", 3),
    "mailbox_provider": ("", 3),
    "bounce_class": (10, 0),
    "reason": ("550", 0),
    "event_id": ("e4", 1),
    "tag": ("t", 1),
}


def test_every_filter(client: Client) -> None:
    """Each filter of the list of events narrows the figures too; several values: any of them."""
    client.store(*EVENTS)
    assert set(FILTERS) == set(FILTERED)
    for name, (value, expected) in FILTERED.items():
        (row,) = ask(client, *RANGE, (name, value), ("metric", "count_delivered"))["rows"]
        assert expected == row["count_delivered"], name
    several = [("campaign_id", "a"), ("campaign_id", "b"), ("tag", "t")]
    assert [{"count_sent": 1}] == ask(client, *RANGE, *several, ("metric", "count_sent"))["rows"]


def test_the_last_seven_days(client: Client) -> None:
    """Without a range: the last seven days, and the usual metrics."""
    now = datetime.now(UTC)
    times = [now - timedelta(days=6, hours=23), now - timedelta(days=7, hours=1)]
    client.store(*(sample(n, "delivery", iso(time)) for n, time in enumerate(times)))
    (row,) = ask(client)["rows"]
    assert list(DEFAULT) == list(row)
    assert 1 == row["count_delivered"]


# -- failures


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("metric", [("metric", "count_everything")]),
        ("interval", [("interval", "15 minutes")]),
        ("group_by", [("group_by", "attempt")]),
        ("metric", [("metric", "_admin_class_bounce")]),
        ("metric", [("metric", "")]),
        ("group_by", [("group_by", "rcpt_to")]),
        ("interval", [("interval", "year")]),
        ("interval", [("interval", "day"), ("interval", "week")]),
        ("timezone", [("timezone", "Europe/Nowhere")]),
        ("timezone", [("timezone", "../../etc/passwd")]),
        ("timezone", [("timezone", "Europe")]),
        ("timezone", [("timezone", "")]),
        ("order_by", [("order_by", "count_bounce"), ("metric", "count_delivered")]),
        ("limit", [("limit", "0")]),
        ("limit", [("limit", "10001")]),
        ("from", [("from", "2026-10-27"), ("to", "2026-10-26")]),
        ("from", [("from", "yesterday")]),
        ("from", [("from", "1969-12-31"), ("to", "1970-01-02"), ("interval", "day")]),
        ("to", [("to", "2200-01-02"), ("interval", "day")]),
        ("interval", [("from", "1970-01-01"), ("to", "2070-01-01"), ("interval", "minute")]),
        ("interval", [("from", "1970-01-01"), ("to", "2070-01-01"), ("interval", "hour")]),
        ("type", [("type", "bounced")]),
        ("bounce_class", [("bounce_class", "hard")]),
        ("cursor", [("cursor", "x")]),
        ("metrics", [("metrics", "count_delivered")]),
    ],
)
def test_what_cannot_be_meant(client: Client, name: str, pairs: list[tuple[str, str]]) -> None:
    """A 400 that names the parameter."""
    answer = client.request("GET", f"{METRICS_PATH}?{urlencode(pairs)}")
    document = problem(answer, 400)
    assert name == document["errors"][0]["parameter"]
    assert name in document["detail"]


def test_a_hundred_years_of_days(client: Client) -> None:
    """A long range is fine as long as its rows are not too many."""
    client.store(*EVENTS)
    asked = [("from", "1970-01-01"), ("to", "2070-01-01"), ("timezone", "America/St_Johns")]
    rows = ask(client, *asked, ("interval", "day"), ("metric", "count_delivered"))["rows"]
    assert 36_526 == len(rows)
    assert 3 == sum(row["count_delivered"] for row in rows)
    everything = ask(client, ("from", "0001-01-01"), ("to", "9999-12-31"))["rows"]
    assert 3 == everything[0]["count_delivered"]


def test_too_many_groups_for_a_series(client: Client) -> None:
    """Groups by intervals beyond the limit: a 400 with both numbers."""
    client.store(*(sample(n, "delivery", "2026-10-25T00:00:00Z", campaign_id=n) for n in range(24)))
    asked = [*RANGE, ("interval", "minute"), ("group_by", "campaign_id")]
    answer = client.request("GET", f"{METRICS_PATH}?{urlencode(asked)}")
    document = problem(answer, 400)
    assert "interval" == document["errors"][0]["parameter"]
    assert "24 groups in 4320 intervals" in document["detail"]
    assert 4320 == len(ask(client, *asked, ("limit", 1))["rows"])


# -- keys


def test_figures_of_another_workspace(client: Client, server: Any) -> None:
    """Each workspace counts its own events; the same ids elsewhere change nothing."""
    other = new_client(server)
    client.store(*EVENTS)
    other.store(EVENTS[1])
    asked = [*RANGE, ("metric", "count_sent"), ("group_by", "type")]
    assert [("delivery", 3), ("bounce", 1)] == [
        (row["type"], row["count_sent"]) for row in ask(client, *asked)["rows"]
    ]
    assert [{"type": "delivery", "count_sent": 1}] == ask(other, *asked)["rows"]
    problem(client.request("GET", f"{METRICS_PATH}?workspace=default"), 400)


def test_scopes(client: Client, server: Any) -> None:
    """The key must allow to read events."""
    problem(Client(client.address, "").request("GET", METRICS_PATH), 401)
    writer = new_client(server, ("events:write",))
    problem(writer.request("GET", METRICS_PATH), 403)


# -- parameters


def test_defaults() -> None:
    """What a question is when nothing is said: contract section 6."""
    query = parse([], "shop", NOW)
    assert NOW - 7 * DAY == query.start
    assert NOW + timedelta(minutes=1) == query.end
    assert ("shop", DEFAULT, (), (), None) == (
        query.workspace,
        query.metrics,
        query.group_by,
        query.filters,
        query.interval,
    )
    assert ("UTC", None, 1000) == (query.timezone, query.order_by, query.limit)


def test_repeated_names_count_once() -> None:
    """A metric or a group that is named twice is there once, at its first place."""
    names = ["count_bounce", "open_rate", "count_bounce"]
    query = parse([("metric", name) for name in names], "shop", NOW)
    assert ("count_bounce", "open_rate") == query.metrics
    assert ("tag",) == parse([("group_by", "tag")] * 2, "shop", NOW).group_by


def test_the_number_of_intervals_has_a_limit() -> None:
    """100,000 of them are asked for, one more is refused, before anything is read."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    pairs = [("from", iso(start)), ("interval", "minute")]
    end = start + timedelta(minutes=100_000)
    assert end == parse([*pairs, ("to", iso(end))], "shop", NOW).end
    with pytest.raises(BadInput, match="interval: the range has more than 100000"):
        parse([*pairs, ("to", iso(end + timedelta(milliseconds=1)))], "shop", NOW)


def test_the_parameters_of_the_contract() -> None:
    """Those of section 6, with the filters of section 5."""
    own = {"from", "to", "metric", "group_by", "interval", "timezone", "order_by", "limit"}
    assert own | set(FILTERS) == {parameter.name for parameter in PARAMETERS}
    repeatable = {"metric", "group_by", *FILTERS}
    assert repeatable == {parameter.name for parameter in PARAMETERS if parameter.repeatable}
