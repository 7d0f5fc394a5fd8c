"""Questions for figures, and their answers. Contract `bird-sparkpost.md`, section 9.

`from` is needed and inclusive, `to` exclusive and by default now; both are times of `timezone`.
With a precision they are moved outward to its nearest full ones, in that zone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec

from postledger.dialects.sparkpost import times
from postledger.dialects.sparkpost.errors import Missing
from postledger.dialects.sparkpost.filters import KEYS, SCHEMA, filters_of
from postledger.dialects.sparkpost.metrics import LISTED, LISTS, VIEWS, Precision, Row, View
from postledger.dialects.sparkpost.parameters import Given, given_of, integer, listed, one
from postledger.dialects.wire import Call, Reply
from postledger.errors import BadInput
from postledger.intervals import LENGTHS, starts
from postledger.query import Filter, Match, MetricsQuery, MetricsRow

ROOT = "/api/v1/metrics"
DELIVERABILITY = f"{ROOT}/deliverability"
FILTERS_SCHEMA = f"{DELIVERABILITY}/query-filters-schema"
MOST, DEFAULT_LIMIT = 10_000, 1_000
DEFAULT_PRECISION = "day"
"""Of a time series; else none."""
MOST_INTERVALS = 80_000
"""Of a time series: more than a hundred years of half days."""

RANGE = ("from", "to", "timezone")
COMMON = (*RANGE, "delimiter", "precision", "query_filters", *KEYS)
ORDERED = ("limit", "order_by")
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Events lie between them."""
_MOMENT = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Figures:
    """A question for figures; `names`: of its metrics, as the caller calls them."""

    query: MetricsQuery
    view: View
    names: tuple[str, ...]


def names_of(view: View) -> tuple[str, ...]:
    """The parameters of a sub-path."""
    return (*COMMON, *(() if view.fixed else ("metrics",)), *(ORDERED if view.ordered else ()))


# -- deliverability


def figures(name: str, call: Call) -> Figures:
    """The question of a sub-path of `deliverability`. Raises BadInput that names the parameter."""
    view = VIEWS[name]
    given = given_of(call.pairs, frozenset(names_of(view)))
    metrics = tuple(view.metrics) if view.fixed else _metrics(given, view)
    filters, groupings = filters_of(given)
    if view.types:
        filters = (*filters, Filter("type", Match.EQUAL, view.types))
    zone = times.zone_of(one(given, "timezone", "UTC"))
    start, end, precision = _window(given, call.now, zone, view)
    query = MetricsQuery(
        call.workspace,
        start,
        end,
        tuple(view.metrics[each] for each in metrics),
        filters,
        tuple(column.group for column in view.columns),
        precision.interval if precision and view.series else None,
        one(given, "timezone", "UTC"),
        _order(given, view, metrics),
        integer("limit", one(given, "limit", str(DEFAULT_LIMIT)), 1, MOST),
        groupings=groupings,
    )
    return Figures(query, view, metrics)


def _metrics(given: Given, view: View) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(listed(given, "metrics")))
    if not names:
        raise Missing.parameter("metrics", f"expected any of {', '.join(view.metrics)}")
    for name in names:
        if name not in view.metrics:
            expected = ", ".join(view.metrics)
            raise BadInput.parameter("metrics", f"{name} is none here; expected {expected}")
    return names


def _order(given: Given, view: View, metrics: Sequence[str]) -> str | None:
    if "order_by" not in given:
        return None
    name = one(given, "order_by", "")
    if name not in metrics:
        expected = ", ".join(metrics)
        raise BadInput.parameter("order_by", f"expected a metric that is asked for: {expected}")
    return view.metrics[name]


# -- time


def _window(
    given: Given, now: datetime, zone: tzinfo, view: View
) -> tuple[datetime, datetime, Precision | None]:
    """The range, moved outward, and the precision."""
    if "from" not in given:
        raise Missing.parameter("from", "expected a time such as 2026-11-20T09:30")
    start, end = _range(given, now, zone)
    name = one(given, "precision", DEFAULT_PRECISION if view.series else "")
    if not name:
        return start, end, None
    if name not in view.precisions:
        raise BadInput.parameter("precision", f"expected one of {', '.join(view.precisions)}")
    precision = view.precisions[name]
    _check_length(name, precision, start.astimezone(zone), end.astimezone(zone))
    if view.series:
        _check_series(name, precision, start, end)
    return *_moved(start, end, precision.interval, one(given, "timezone", "UTC")), precision


def _range(given: Given, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """A start that is later than now gives nothing yet. No events lie outside of the years that are
    kept, and only within them is there time enough on either side."""
    start = times.read("from", one(given, "from", ""), zone) if "from" in given else _FIRST
    end = max(now, start)
    if "to" in given:
        end = times.read("to", one(given, "to", ""), zone)
        if end < start:
            raise BadInput.parameter("to", f"is earlier than from, {times.text_of(start)}")
    return start, end


def _check_length(name: str, precision: Precision, start: datetime, end: datetime) -> None:
    """By the clock of the zone, so that a day of 25 hours is no more than a day."""
    length = end.replace(tzinfo=None) - start.replace(tzinfo=None)
    if precision.most is not None and length > precision.most:
        hours = precision.most // timedelta(hours=1)
        raise BadInput.parameter(
            "precision", f"{name} is for at most {hours} hours; ask for a longer one"
        )


def _check_series(name: str, precision: Precision, start: datetime, end: datetime) -> None:
    if start < _FIRST:
        raise BadInput.parameter("from", "a time series begins in 1970 at the earliest")
    if end > _LAST:
        raise BadInput.parameter("to", "a time series ends with the year 2199 at the latest")
    if (end - start) / LENGTHS[precision.interval] > MOST_INTERVALS:
        raise BadInput.parameter(
            "precision", f"{name} makes more than {MOST_INTERVALS} intervals; ask for a longer one"
        )


def _moved(
    start: datetime, end: datetime, interval: str, timezone: str
) -> tuple[datetime, datetime]:
    start, end = (min(max(time, _FIRST), _LAST) for time in (start, end))
    if start >= end:
        return start, end
    first = starts(start, start + _MOMENT, interval, timezone)[0]
    return first, starts(end - _MOMENT, end, interval, timezone)[-1]


# -- answers


def told(asked: Figures, rows: Sequence[MetricsRow]) -> Reply:
    """The answer of a sub-path."""
    if asked.view.columns and not asked.view.ordered:
        rows = sorted(rows, key=lambda row: str(row.group))
    body: dict[str, object] = {"results": [_row(asked, row) for row in rows]}
    if not asked.view.columns and not asked.view.series:
        body["links"] = _deliverability_links()
    return Reply(msgspec.json.encode(body))


def _row(asked: Figures, row: MetricsRow) -> Row:
    made: Row = {}
    for column, value in zip(asked.view.columns, row.group, strict=True):
        made |= column.tell(value)
    made |= zip(asked.names, row.values, strict=True)
    if row.time is not None:
        made["ts"] = row.time.isoformat()
    return made


def _deliverability_links() -> list[dict[str, str]]:
    """The path itself, and those below it."""
    return [_link(DELIVERABILITY, name) for name in VIEWS]


def _link(above: str, name: str) -> dict[str, str]:
    path = f"{above}/{name}" if name else above
    return {"href": path, "rel": name or above.rpartition("/")[2], "method": "GET"}


def discovery(call: Call) -> Reply:  # noqa: ARG001 -- the same for all
    """What there is below `metrics`."""
    root = {"href": f"{ROOT}/", "rel": "", "method": "GET"}
    links = [root, *(_link(ROOT, name) for name in sorted([*LISTS, "deliverability"]))]
    return Reply(msgspec.json.encode({"results": {}, "links": links}))


def filters_schema(call: Call) -> Reply:  # noqa: ARG001 -- the same for all
    """The JSON Schema of `query_filters`."""
    return Reply(msgspec.json.encode({"results": SCHEMA}))


# -- lists

LIST_PARAMETERS = (*RANGE, "match", "limit")


@dataclass(frozen=True, slots=True)
class Listing:
    """A question for the values that there are figures of."""

    query: MetricsQuery
    name: str
    limit: int


def listing(name: str, call: Call) -> Listing:
    """The question of a list; without `from` it is of all time. Raises BadInput."""
    given = given_of(call.pairs, frozenset(LIST_PARAMETERS))
    zone = times.zone_of(one(given, "timezone", "UTC"))
    start, end = _range(given, call.now, zone)
    limit = integer("limit", one(given, "limit", str(DEFAULT_LIMIT)), 1, MOST)
    group = LISTS[name]
    text = one(given, "match", "")
    filters = (Filter(group, Match.CONTAINS, (text,)),) if text else ()
    query = MetricsQuery(  # one more, since events without a value are a group too
        call.workspace, start, end, LISTED, filters, (group,), limit=limit + 1
    )
    return Listing(query, name, limit)


def values_told(asked: Listing, rows: Sequence[MetricsRow]) -> Reply:
    """The answer of a list: values, those of the most messages first."""
    found = [row.group[0] for row in rows if row.group[0]][: asked.limit]
    results: Mapping[str, object] = {asked.name: found}
    return Reply(msgspec.json.encode({"results": results}))
