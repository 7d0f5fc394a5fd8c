"""SparkPost's figures over a real server, held against a count of the given events in Python.

`counting.py` has the count.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import Client, Server, new_client
from counting import (
    COUNTS,
    EVENTS,
    FIELDS,
    FILE,
    GROUPS,
    PAID,
    TOTALS,
    UNIQUES,
    Event,
    at,
    counted,
    figure_row,
    grouped,
    told,
)
from postledger import metrics as ours
from postledger.dialects import sparkpost
from postledger.dialects.sparkpost import classes
from postledger.dialects.sparkpost.filters import KEYS, OPERATORS, SCHEMA, filters_of
from postledger.dialects.sparkpost.metrics import METRICS, PRECISIONS, SERIES
from postledger.dialects.sparkpost.schemas import violations
from postledger.dialects.wire import Call
from postledger.errors import BadInput
from postledger.query import MetricsQuery

PATH = "/api/v1/metrics/deliverability"
WHOLE = {"from": "2026-09-01T00:00", "to": "2026-11-01T00:00"}
NOW = datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    made = new_client(server)
    made.store(*(json.loads(line) for line in FILE.read_text().splitlines()))
    return made


def ask(client: Client, name: str = "", /, **given: object) -> Any:
    """The rows of a sub-path."""
    path = f"{PATH}/{name}" if name else PATH
    return client.get(f"{path}?{urlencode(WHOLE | given)}")["results"]


def refused(client: Client, name: str = "", /, **given: object) -> Any:
    """What is told of a request that cannot be meant."""
    path = f"{PATH}/{name}" if name else PATH
    answer = client.request("GET", f"{path}?{urlencode(given)}")
    assert 400 == answer.status, answer
    return answer.json()


# -- metrics


def test_the_count_knows_every_metric() -> None:
    """All metrics of the contract, by our names, and `count_raw_clicked` of link names."""
    known = {*COUNTS, *UNIQUES, *TOTALS, *PAID, "count_accepted"}
    assert known == {*METRICS, "count_raw_clicked"}
    assert 48 == len(METRICS)
    assert set(METRICS) <= set(ours.METRICS)


# -- sub-paths


def test_sub_paths_are_those_of_the_contract() -> None:
    """Each is counted here; the schema of filters is one more."""
    assert {*GROUPS, "", "time-series"} == set(sparkpost.VIEWS)
    paths = {operation.path for operation in sparkpost.OPERATIONS}
    assert {f"{PATH}/{name}" for name in [*GROUPS, "time-series", "query-filters-schema"]} < paths


@pytest.mark.parametrize("name", GROUPS)
def test_every_group_and_metric(name: str, client: Client) -> None:
    """The rows of each sub-path have every metric that it may be asked for, as counted."""
    _, metrics = GROUPS[name]
    rows = ask(client, name, metrics=",".join(metrics))
    assert told(grouped(name, metrics, EVENTS)) == told(rows)
    assert len(rows) > 1
    if name != "attempt":
        figures_of_first = [row[metrics[0]] for row in rows]
        assert sorted(figures_of_first, reverse=True) == figures_of_first


@pytest.mark.parametrize("metric", METRICS)
def test_each_metric_alone(metric: str, client: Client) -> None:
    """In one row for the range; and by domain, where only domains with such an event have a row."""
    assert [{metric: counted(metric, EVENTS)}] == ask(client, metrics=metric)
    assert (metric in PAID) == (counted(metric, EVENTS) == 0)
    rows = ask(client, "domain", metrics=metric)
    assert told(grouped("domain", [metric], EVENTS)) == told(rows)


def test_all_metrics_in_one_row(client: Client) -> None:
    """The summary has what is asked for in that order, and leads to the other paths."""
    names = [*METRICS][::-1]
    (row,) = ask(client, metrics=";".join(names), delimiter=";")
    assert names == list(row)
    assert figure_row(names, EVENTS) == row


def test_order_and_limit(client: Client) -> None:
    """`order_by` decides which rows are given and in which order; `limit` says how many."""
    asked = {"metrics": "count_injected,count_bounce,total_msg_volume"}
    names = asked["metrics"].split(",")
    for metric in names:
        rows = grouped("template", names, EVENTS)
        best = sorted(rows, key=lambda row: (-row[metric], row["template_id"]))
        assert best == ask(client, "template", order_by=metric, **asked)
        assert best[:2] == ask(client, "template", order_by=metric, limit=2, **asked)


@pytest.mark.parametrize("name", ["", "time-series", "attempt"])
def test_what_has_no_order_has_no_limit(name: str, client: Client) -> None:
    """There they are unknown parameters, which are ignored."""
    asked = {"metrics": "count_delivered"}
    assert ask(client, name, **asked) == ask(client, name, limit=0, order_by="x", **asked)


def test_classes_are_those_of_the_figures() -> None:
    """Every class that has a category has a name, and the other way round."""
    known = {code for codes in ours.BOUNCE_CATEGORIES.values() for code in codes}
    assert {*known, 1} == set(classes.CLASSES)
    assert {*ours.BOUNCE_CATEGORIES, "undetermined"} == set(classes.CATEGORIES)
    for category, codes in ours.BOUNCE_CATEGORIES.items():
        assert {category} == {
            str(classes.class_of(code)["bounce_category_name"]).lower() for code in codes
        }


# -- time

STEPS = {
    "1min": timedelta(minutes=1),
    "5min": timedelta(minutes=5),
    "15min": timedelta(minutes=15),
    "hour": timedelta(hours=1),
}


def begin_of(precision: str, moment: datetime, zone: ZoneInfo) -> datetime:
    """The start of the interval that a moment is in, by the clock and the calendar there. In the
    zones of these tests clocks are changed at neither midnight nor noon."""
    if precision in STEPS:
        local = moment.astimezone(zone)
        past = timedelta(minutes=local.minute, seconds=local.second) % STEPS[precision]
        return moment - past
    local = moment.astimezone(zone)
    day = datetime(local.year, local.month, local.day, tzinfo=zone)
    if precision == "12hr":
        day = day.replace(hour=local.hour // 12 * 12)
    elif precision == "week":
        day -= timedelta(days=local.weekday())
    elif precision == "month":
        day = day.replace(day=1)
    return day.astimezone(UTC)


def series(precision: str, begin: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """The starts of the intervals of a range."""
    found = [begin_of(precision, begin, zone)]
    step = timedelta(minutes=1 if precision in STEPS else 30)
    moment = begin
    while moment < end:
        start = begin_of(precision, moment, zone)
        if start != found[-1]:
            found.append(start)
        moment += step
    return found


SPANS = {
    "1min": ("2026-10-24T11:58", "2026-10-24T13:01"),
    "5min": ("2026-10-24T11:58", "2026-10-24T14:03"),
    "15min": ("2026-10-24T23:58", "2026-10-25T23:02"),
    "hour": ("2026-10-24T11:59", "2026-10-27T23:59"),
    "12hr": ("2026-10-24T01:00", "2026-10-27T23:00"),
    "day": ("2026-10-01T01:00", "2026-10-28T23:00"),
    "week": ("2026-10-01T01:00", "2026-10-28T23:00"),
    "month": ("2026-09-11T01:00", "2026-10-28T00:30"),
}


def span(precision: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """A range, and what it is moved outward to: the end of the interval that its end is in."""
    begin, end = (datetime.fromisoformat(text).replace(tzinfo=zone) for text in SPANS[precision])
    return begin.astimezone(UTC), end.astimezone(UTC)


def ending(precision: str, end: datetime, zone: ZoneInfo) -> datetime:
    """The end of the interval that ends at a time or has it in it."""
    moment = end
    while begin_of(precision, moment, zone) == begin_of(
        precision, end - timedelta(minutes=1), zone
    ):
        moment += timedelta(minutes=1)
    return begin_of(precision, moment, zone)


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Warsaw", "America/St_Johns"])
@pytest.mark.parametrize("precision", SERIES)
def test_every_precision(precision: str, timezone: str, client: Client) -> None:
    """A series has every interval of its range, moved outward to full ones of the zone; on the day
    when clocks are changed too. A summary of the same precision has the sum."""
    zone = ZoneInfo(timezone)
    begin, end = span(precision, zone)
    last = ending(precision, end, zone)
    starts = series(precision, begin, end, zone)
    metrics = ["count_delivered", "count_unique_rendered", "count_targeted"]
    expected = []
    for start, following in zip(starts, [*starts[1:], last], strict=True):
        inside = [event for event in EVENTS if start <= at(event) < following]
        clock = start.astimezone(zone).isoformat()
        expected.append(figure_row(metrics, inside) | {"ts": clock})
    asked: dict[str, Any] = {
        "from": SPANS[precision][0],
        "to": SPANS[precision][1],
        "timezone": timezone,
        "precision": precision,
        "metrics": ",".join(metrics),
    }
    assert expected == ask(client, "time-series", **asked)
    assert any(row["count_targeted"] for row in expected) or timezone != "UTC"
    if precision in PRECISIONS:
        inside = [event for event in EVENTS if starts[0] <= at(event) < last]
        assert [figure_row(metrics, inside)] == ask(client, **asked)


def test_a_range_is_moved_outward(client: Client) -> None:
    """From 4:22 to 6:37 is, to each precision, what the documentation says."""
    expected = {
        "": ("04:22", "06:37"),
        "1min": ("04:22", "06:37"),
        "5min": ("04:20", "06:40"),
        "15min": ("04:15", "06:45"),
        "hour": ("04:00", "07:00"),
    }
    for precision, (begin, end) in expected.items():
        query = asked_of(
            **{"from": "2026-11-01T04:22", "to": "2026-11-01T06:37"}, precision=precision
        )
        assert (begin, end) == (f"{query.start:%H:%M}", f"{query.end:%H:%M}")
    query = asked_of(**{"from": "2026-11-01T04:22", "to": "2026-11-01T06:37"}, precision="day")
    assert timedelta(days=1) == query.end - query.start
    assert (datetime(2026, 11, 1, tzinfo=UTC), None) == (query.start, query.interval)


def asked_of(name: str = "", /, **given: str) -> MetricsQuery:
    """The question of a request for `count_sent`."""
    pairs = tuple((given | {"metrics": "count_sent"}).items())
    return sparkpost.figures(name, Call(PATH, NOW, pairs, workspace="w")).query


def test_the_range() -> None:
    """Times are of the zone; the end is now unless it is given, and nothing is moved then; offsets
    count."""
    query = asked_of(**{"from": "2026-10-25T02:00"}, timezone="Europe/Warsaw")
    assert (datetime(2026, 10, 25, tzinfo=UTC), NOW) == (query.start, query.end)
    query = asked_of(**{"from": "2026-10-25T02:00+05:00"}, timezone="Europe/Warsaw")
    assert datetime(2026, 10, 24, 21, tzinfo=UTC) == query.start
    query = asked_of(**{"from": "2026-12-25T02:00"})
    assert query.start == query.end
    assert "day" == asked_of("time-series", **{"from": "2026-10-25T02:00"}).interval


LIMITS = {"1min": 24, "5min": 24, "15min": 48, "hour": 31 * 24}


@pytest.mark.parametrize("name", ["", "domain", "time-series"])
@pytest.mark.parametrize("precision", LIMITS)
def test_window_limits(precision: str, name: str) -> None:
    """The longest range that a precision may be asked for, and a minute more; by the clock, so that
    it may have an hour more when clocks are put back."""
    begin = datetime(2026, 10, 10)  # noqa: DTZ001 -- of the zone
    for zone in ("UTC", "Europe/Warsaw"):
        start = begin if zone == "UTC" else datetime(2026, 10, 25)  # noqa: DTZ001
        end = start + timedelta(hours=LIMITS[precision])
        window = {"from": start.isoformat(), "timezone": zone, "precision": precision}
        query = asked_of(name, **window, to=end.isoformat())
        hour = 0 if zone == "UTC" else 1
        assert timedelta(hours=LIMITS[precision] + hour) == query.end - query.start
        with pytest.raises(BadInput, match=rf"^precision: {precision} is for at most"):
            asked_of(name, **window, to=(end + timedelta(minutes=1)).isoformat())


def test_a_hundred_years(client: Client) -> None:
    """Are answered in days, and refused where a series would be longer than any; before 1970 a
    summary is answered, and a series refused, by name."""
    long: dict[str, Any] = {"from": "2000-01-01T00:00", "to": "2100-01-01T00:00"}
    assert len(ask(client, "time-series", metrics="count_sent", precision="day", **long)) == 36525
    assert len(ask(client, "time-series", metrics="count_sent", precision="12hr", **long)) == 73050
    (row,) = ask(client, metrics="count_injected", precision="day", **long)
    assert counted("count_injected", EVENTS) == row["count_injected"]
    longer = {"from": "1970-01-01T00:00", "to": "2199-12-31T00:00", "metrics": "count_sent"}
    error = refused(client, "time-series", **longer, precision="12hr")["errors"][0]
    assert error["description"].startswith("precision: ")
    for name, bad in (("from", {"from": "1900-01-01"}), ("to", {"to": "2300-01-01"})):
        given_: dict[str, Any] = {**WHOLE, "metrics": "count_injected", **bad, "precision": "day"}
        assert row == ask(client, **given_)[0]
        error = refused(client, "time-series", **given_)["errors"][0]
        assert error["description"].startswith(f"{name}: ")


@pytest.mark.parametrize("begin", ["0001-01-01T00:00", "9999-12-31T23:59"])
@pytest.mark.parametrize("precision", ["", *PRECISIONS])
def test_the_ends_of_time(begin: str, precision: str, client: Client) -> None:
    """Are no mistake of ours."""
    for zone in ("Pacific/Kiritimati", "Pacific/Niue", "UTC"):
        query = urlencode({"from": begin, "metrics": "count_sent", "timezone": zone})
        answer = client.request("GET", f"{PATH}?{query}&precision={precision}")
        assert answer.status in {200, 400}, answer


# -- filters


def has(event: Event, key: str, operator: str, values: Iterable[object]) -> bool:
    """Whether a condition of `query_filters` matches."""
    found = event.get(FIELDS[key], "")
    texts = [str(value) for value in values]
    if key == "subaccounts" and "0" in texts and operator in {"eq", "notEq"}:
        texts.append("")
    if operator in {"eq", "notEq"}:
        return (found in texts) == (operator == "eq")
    return any(text.lower() in found.lower() for text in texts) == (operator == "like")


def chosen(document: dict[str, Any]) -> list[Event]:
    """The events that `query_filters` leaves."""
    return [
        event
        for event in EVENTS
        if all(
            (any if operator == "OR" else all)(
                has(event, key, how, values)
                for key, compared in conditions.items()
                for how, values in compared.items()
            )
            for grouping in document["groupings"]
            for operator, conditions in grouping.items()
        )
    ]


ALL = "count_injected,count_sent,count_unique_rendered,count_rejected"


VALUES = {
    key: sorted({event.get(field, "") for event in EVENTS} - {"", "eu-1"})
    for key, field in FIELDS.items()
}


def nested(client: Client, document: object, **more: object) -> Any:
    return ask(client, metrics=ALL, query_filters=json.dumps(document), **more)


@pytest.mark.parametrize("key", FIELDS)
def test_simple_filters(key: str, client: Client) -> None:
    """Each is of equal values, any of them; several must all match."""
    values = VALUES[key]
    for some in (values[:1], values[:2], ["7", *values[1:]]):
        left = [event for event in EVENTS if has(event, key, "eq", some)]
        assert left
        asked = {"metrics": ALL.replace(",", "|"), "delimiter": "|", key: "|".join(some)}
        assert [figure_row(ALL.split(","), left)] == ask(client, **asked)
        if key != "ip_pools":
            both = [event for event in left if event["ip_pool"] == "marketing"]
            assert [figure_row(ALL.split(","), both)] == ask(client, ip_pools="marketing", **asked)


def test_simple_filters_on_every_path(client: Client) -> None:
    """They narrow groups and series too."""
    left = [event for event in EVENTS if event.get("campaign_id") == "autumn"]
    for name, (_, metrics) in GROUPS.items():
        rows = ask(client, name, metrics=",".join(metrics), campaigns="autumn")
        assert told(grouped(name, metrics, left)) == told(rows)
    rows = ask(client, "time-series", metrics="count_sent", campaigns="autumn", precision="month")
    assert [0, counted("count_sent", left)] == [row["count_sent"] for row in rows]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("key", FIELDS)
def test_every_key_and_operator(key: str, operator: str, client: Client) -> None:
    """In both kinds of groupings, beside another condition; and simple filters are ignored."""
    whole = VALUES[key][-1:]
    parts = [text[:-1].upper() if len(text) > 3 else text for text in whole if len(text) > 2]
    asked = {operator: parts if operator.endswith("ike") else whole}
    other = {"sending_ips" if key != "sending_ips" else "domains": {"like": ["192.0.2.20", "pocz"]}}
    assert 0 < len(chosen({"groupings": [{"AND": {key: asked}}]})) < len(EVENTS)
    for joint in ("AND", "OR"):
        document = {"groupings": [{joint: {key: asked} | other}]}
        row = figure_row(ALL.split(","), chosen(document))
        assert [row] == nested(client, document, campaigns="none")


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key in draw(st.lists(st.sampled_from(list(FIELDS)), unique=True, min_size=1, max_size=3)):
        equal = st.sampled_from([*VALUES[key], *([""] if key != "subaccounts" else [0])])
        part = st.sampled_from(
            ["example", "SHOP", "receipt", "ann", "%", "offer_3", "Winter c", "192.0"]
        )
        part = part.filter(lambda text: len(text) > 2)
        made[key] = {
            operator: draw(
                st.lists(equal if "q" in operator.lower() else part, min_size=1, max_size=2)
            )
            for operator in draw(
                st.lists(st.sampled_from(list(OPERATORS)), unique=True, min_size=1)
            )
        }
    return made


DOCUMENTS = st.fixed_dictionaries(
    {
        "groupings": st.lists(
            st.dictionaries(st.sampled_from(["AND", "OR"]), conditions(), min_size=1, max_size=1),
            max_size=3,
        )
    }
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(DOCUMENTS)
def test_groupings(client: Client, document: dict[str, Any]) -> None:
    """All groupings must match, in each all conditions or any; whatever they are."""
    assert [figure_row(ALL.split(","), chosen(document))] == nested(client, document)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([-1, 0, 7, 1.0, 1.5, 2**40, "", "ab", "abc", "7", "٣", "7\n"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["groupings", "AND", "OR", "domains", "subaccounts", "eq", "like", "x"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


def wrapped(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Documents that are nearly right."""
    operator = st.dictionaries(
        st.sampled_from([*OPERATORS, "ne"]), inner | st.lists(inner), max_size=2
    )
    key = st.dictionaries(st.sampled_from(["subaccounts", "domains", "x"]), operator, max_size=2)
    grouping = st.dictionaries(st.sampled_from(["AND", "OR", "NOT"]), key, max_size=2)
    return st.fixed_dictionaries({"groupings": st.lists(grouping, max_size=2)})


VALIDATOR = jsonschema_rs.Draft7Validator(SCHEMA)


@settings(max_examples=120, deadline=None)
@given(ANYTHING | wrapped(ANYTHING) | DOCUMENTS)
def test_the_schema_says_what_is_refused(document: Any) -> None:
    """What violates the schema, and nothing else, is refused; each violation has a place that
    there is, and says what is wrong."""
    found = list(violations(document, SCHEMA, SCHEMA))
    assert VALIDATOR.is_valid(document) == (not found)
    for violation in found:
        assert violation["message"]
        inner = document
        for name in filter(None, violation["path"].split(".")):
            inner = inner[int(name)] if isinstance(inner, list) else inner[name]
    if found:
        with pytest.raises(BadInput, match=r"^query_filters: "):
            filters_of({"query_filters": [json.dumps(document)]})
    else:
        filters_of({"query_filters": [json.dumps(document)]})


def test_what_is_wrong_is_listed(client: Client) -> None:
    """Every violation, beside the error; where the first is stands in the description."""
    document = {"groupings": [{"AND": {"domains": {"like": ["ab"], "is": []}}}, {}], "x": 1}
    answer = refused(client, **WHOLE, metrics="count_sent", query_filters=json.dumps(document))
    (error,) = answer["errors"]
    assert ("invalid params", "1200") == (error["message"], error["code"])
    assert error["description"].startswith("query_filters: ")
    assert {"", "groupings.0.AND.domains", "groupings.0.AND.domains.like.0", "groupings.1"} == {
        violation["path"] for violation in answer["validationErrors"]
    }


@pytest.mark.parametrize(
    "text", ["{", "nothing", "[" * 3000, '{"groupings":[]}}', "\ud800", "1e999"]
)
def test_what_is_no_json(text: str) -> None:
    """Is refused as a violation too."""
    with pytest.raises(BadInput, match=r"^query_filters: ") as error:
        filters_of({"query_filters": [text]})
    assert error.value.violations  # type: ignore[attr-defined]


@pytest.mark.parametrize(("code", "told"), [(None, 1), (0, 0), (1, 1), (7, 7)])
def test_classes_keep_their_numbers(code: int | None, told: int) -> None:
    """But for bounces without one, so that no two rows have the same."""
    (column,) = sparkpost.VIEWS["bounce-classification"].columns
    assert told == column.tell(code)["classification_id"]


def test_the_schema_is_given(client: Client) -> None:
    """It names every key and operator, and is a schema."""
    schema = client.get(f"{PATH}/query-filters-schema")["results"]
    jsonschema_rs.meta.validate(schema)
    assert set(FIELDS) == set(KEYS) == set(schema["$defs"]["filters"]["properties"])
    for condition in schema["$defs"]["filters"]["properties"].values():
        assert ["eq", "like", "notEq", "notLike"] == list(condition["properties"])


# -- lists

LISTS = {name.replace("_", "-"): field for name, field in FIELDS.items() if name != "subaccounts"}


def listed(client: Client, name: str, **given_: object) -> list[str]:
    body = client.get(f"/api/v1/metrics/{name}?{urlencode(given_)}")
    assert [name] == list(body["results"])
    values: list[str] = body["results"][name]
    return values


@pytest.mark.parametrize("name", LISTS)
def test_every_list(name: str, client: Client) -> None:
    """All values that events have, once, those of the most messages first; narrowed by a part of
    the text, by a limit, and by time."""
    field_ = LISTS[name]
    targeted: dict[str, int] = {}
    for event in EVENTS:
        if event.get(field_):
            targeted.setdefault(event[field_], 0)
            targeted[event[field_]] += COUNTS["count_targeted"](event)
    best = sorted(targeted, key=lambda value: (-targeted[value], value))
    assert best == listed(client, name)
    assert best[:1] == listed(client, name, limit=1)
    part = best[0][1:4].upper()
    assert [value for value in best if part.lower() in value.lower()] == listed(
        client, name, match=part
    )
    begin, end = "2026-10-26T07:00", "2026-10-27T02:00"  # in Warsaw
    inside = [e for e in EVENTS if "2026-10-26T06:00" <= e["timestamp"] < "2026-10-27T01:00"]
    expected = {e[field_] for e in inside if e.get(field_)}
    zone = "Europe/Warsaw"
    assert expected == set(listed(client, name, **{"from": begin, "to": end, "timezone": zone}))
    assert expected < set(best)


def test_lists_are_those_of_the_contract(client: Client) -> None:
    """Nine of them; all are in the discovery list, whose links lead somewhere."""
    assert set(LISTS) == set(sparkpost.LISTS)
    for path in ("/api/v1/metrics", "/api/v1/metrics/"):
        body = client.get(path)
        assert {} == body["results"]
        assert {*LISTS, "deliverability", ""} == {link["rel"] for link in body["links"]}
    summary = client.get(f"{PATH}?{urlencode(WHOLE)}&metrics=count_clicked,count_delivered")
    for link in [*body["links"], *summary["links"]]:
        assert "GET" == link["method"]
        metric = "count_bounce" if "bounce" in link["href"] else "count_clicked"
        client.get(f"{link['href']}?{urlencode(WHOLE)}&metrics={metric}")


# -- failures


@pytest.mark.parametrize(
    ("name", "given_", "parameter"),
    [
        ("", {"metrics": "count_everything"}, "metrics"),
        ("", {"metrics": "open_rate"}, "metrics"),
        ("", {"metrics": "count_raw_clicked"}, "metrics"),
        ("bounce-reason", {"metrics": "count_sent"}, "metrics"),
        ("link-name", {"metrics": "count_unique_clicked"}, "metrics"),
        ("", {"timezone": "Mars/Olympus"}, "timezone"),
        ("", {"precision": "week"}, "precision"),
        ("", {"precision": "2min"}, "precision"),
        ("time-series", {"precision": "year"}, "precision"),
        ("domain", {"order_by": "count_bounce"}, "order_by"),
        ("domain", {"limit": "0"}, "limit"),
        ("domain", {"limit": "10001"}, "limit"),
        ("domain", {"limit": "many"}, "limit"),
        ("", {"subaccounts": "one"}, "subaccounts"),
        ("", {"from": "yesterday"}, "from"),
        ("", {"to": "2026-08-01T00:00"}, "to"),
        ("", {"query_filters": "{}"}, "query_filters"),
    ],
)
def test_bad_values_are_named(
    name: str, given_: dict[str, str], parameter: str, client: Client
) -> None:
    """A value that cannot be meant gets a 400 that names the parameter."""
    answer = refused(client, name, **{**WHOLE, "metrics": "count_sent", **given_})
    (error,) = answer["errors"]
    assert ("1200", parameter) == (error["code"], error["description"].partition(":")[0])
    assert ("validationErrors" in answer) == (parameter == "query_filters")


@pytest.mark.parametrize("name", [*GROUPS, "", "time-series"])
def test_what_is_needed(name: str, client: Client) -> None:
    """`from`, and `metrics` where there is a choice."""
    fixed = name.startswith(("rejection", "delay", "attempt"))
    without: dict[str, dict[str, str]] = {"from": {"metrics": "count_bounce,count_clicked"}}
    if not fixed:
        without["metrics"] = {"from": "2026-10-24T00:00"}
    for missing, given_ in without.items():
        if missing == "from" and not fixed:
            given_ = {"metrics": next(iter(sparkpost.VIEWS[name].metrics))}  # noqa: PLW2901
        (error,) = refused(client, name, **given_)["errors"]
        assert ("1401", missing) == (error["code"], error["description"].partition(":")[0])
