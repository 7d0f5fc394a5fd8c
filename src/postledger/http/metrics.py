"""Our own figures: `GET /ledger/v1/metrics`, contract `native.md`, section 6.

The parameters are read by `parse`, which is pure; names, limits and defaults stand in `METRICS`.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler

from postledger.dialects.wire import Parameter
from postledger.errors import BadInput
from postledger.events import EVENT_TYPES
from postledger.http import parameters
from postledger.http.auth import SCOPE, workspace_of
from postledger.http.parameters import Given, Pairs
from postledger.http.reads import Reads
from postledger.intervals import LENGTHS, PUBLIC, is_zone
from postledger.metrics import DEFAULT, GROUPS, METRICS
from postledger.query import FILTERS, MetricsQuery, MetricsRow
from postledger.store.metrics import MOST_ROWS
from postledger.store.reader import Reader

METRICS_PATH = "/ledger/v1/metrics"
MOST_GROUPS = 10_000
DEFAULT_LIMIT = 1000
DEFAULT_SPAN = timedelta(days=7)
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Events lie between them, so a series does too."""


def _names(names: Iterable[str]) -> tuple[tuple[str, object], ...]:
    return (("type", "string"), ("enum", list(names)))


PARAMETERS: tuple[Parameter, ...] = (
    Parameter("from", "RFC 3339 or YYYY-MM-DD (UTC), inclusive; default 7 days before `to`"),
    *(each for each in parameters.EVENTS if each.name == "to" or each.name in FILTERS),
    Parameter(
        "metric",
        f"What to count or compute; default {', '.join(DEFAULT)}",
        repeatable=True,
        schema=_names(METRICS),
    ),
    Parameter(
        "group_by",
        "One figure for each value of this; several: for each combination",
        repeatable=True,
        schema=_names(GROUPS),
    ),
    Parameter(
        "interval",
        f"A time series; absent: one figure for the range. At most {MOST_ROWS} intervals by groups",
        schema=_names(PUBLIC),
    ),
    Parameter(
        "timezone",
        "IANA name of the zone in which hours, days, weeks (from Monday) and months start",
        schema=(("type", "string"), ("default", "UTC")),
    ),
    Parameter(
        "order_by",
        "The metric by which groups are ordered, the largest first; default: the first `metric`",
        schema=_names(METRICS),
    ),
    Parameter(
        "limit",
        f"Most groups, 1 to {MOST_GROUPS}; each with its whole series",
        schema=(
            ("type", "integer"),
            ("minimum", 1),
            ("maximum", MOST_GROUPS),
            ("default", DEFAULT_LIMIT),
        ),
    ),
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "from": {"type": "string", "format": "date-time"},
        "to": {"type": "string", "format": "date-time"},
        "interval": {"type": ["string", "null"]},
        "timezone": {"type": "string"},
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "time": {"type": "string", "format": "date-time"},
                    **{name: {"type": "string"} for name in GROUPS},
                    "type": {"type": "string", "enum": list(EVENT_TYPES)},
                    "bounce_class": {"type": ["integer", "null"]},
                    **{
                        name: {"type": "number", "description": metric.meaning}
                        for name, metric in METRICS.items()
                    },
                },
            },
        },
    },
    "required": ["from", "to", "interval", "timezone", "rows"],
}
"""JSON Schema of the answer."""


def metrics_routes(reader: Reader, reads: Reads) -> list[HTTPRouteHandler]:
    """The route that gives figures."""

    @get(METRICS_PATH, opt={SCOPE: "events:read"})
    async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Figures of events, by group and in the course of time."""
        pairs = request.query_params.multi_items()
        query = parse(pairs, workspace_of(request), datetime.now(UTC))
        rows = await reads.ask(reader.metrics, query)
        return Response(render(query, rows), media_type=MediaType.JSON.value)

    return [metrics]


def parse(pairs: Pairs, workspace: str, now: datetime) -> MetricsQuery:
    """The question of a request. Raises BadInput that names the parameter."""
    given = parameters.collect(pairs, PARAMETERS)
    start, end = parameters.range_of(given, now, DEFAULT_SPAN)
    asked = _known(given, "metric", METRICS) or DEFAULT
    limit = given.get("limit", [str(DEFAULT_LIMIT)])[0]
    query = MetricsQuery(
        workspace,
        start,
        end,
        asked,
        parameters.filters_of(given),
        _known(given, "group_by", GROUPS),
        next(iter(_known(given, "interval", PUBLIC)), None),
        _zone(given),
        next(iter(_known(given, "order_by", asked)), None),
        parameters.integer("limit", 1, MOST_GROUPS)(limit),
    )
    _check_series(query)
    return query


def _known(given: Given, name: str, known: Iterable[str]) -> tuple[str, ...]:
    """The values of a parameter, each once, in their order."""
    texts = tuple(dict.fromkeys(given.get(name, ())))
    for text in texts:
        if text not in known:
            what = "none of the metrics asked for" if name == "order_by" else "none"
            raise BadInput.parameter(name, f"{text} is {what}; expected {', '.join(known)}")
    return texts


def _zone(given: Given) -> str:
    name = given.get("timezone", ["UTC"])[0]
    if not is_zone(name):
        raise BadInput.parameter(
            "timezone", f"{name} is not a time zone; expected an IANA name such as Europe/Warsaw"
        )
    return name


def _check_series(query: MetricsQuery) -> None:
    if query.interval is None:
        return
    if query.start < _FIRST:
        raise BadInput.parameter("from", "a time series begins in 1970 at the earliest")
    if query.end > _LAST:
        raise BadInput.parameter("to", "a time series ends with the year 2199 at the latest")
    most = MOST_ROWS * LENGTHS[query.interval]
    if query.end - query.start > most:
        raise BadInput.parameter(
            "interval",
            f"the range has more than {MOST_ROWS} intervals of a {query.interval}; ask for a "
            "longer interval or a shorter range",
        )


def render(query: MetricsQuery, rows: Sequence[MetricsRow]) -> bytes:
    """The answer."""
    when = () if query.interval is None else ("time",)
    names = (*when, *query.group_by, *query.metrics)
    return msgspec.json.encode(
        {
            "from": _iso(query.start),
            "to": _iso(query.end),
            "interval": query.interval,
            "timezone": query.timezone,
            "rows": [dict(zip(names, _values(row), strict=True)) for row in rows],
        }
    )


def _values(row: MetricsRow) -> tuple[object, ...]:
    when = () if row.time is None else (row.time.isoformat(),)
    return (*when, *row.group, *row.values)


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
