"""`postledger stats`: figures of events, as a table, as JSON, or as a chart."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter, validators

from postledger.cli.figures import Asked, Figures, Series, bars, series_of, written
from postledger.cli.filtering import ANY, End, Filters, Start, given
from postledger.cli.options import LOCAL, AsJson, Connection
from postledger.cli.output import Column, fitting, for_people, lines, note, say, table
from postledger.errors import PostledgerError
from postledger.metrics import DEFAULT, GROUPS

METRICS_PATH = "/ledger/v1/metrics"
_LONGEST_GROUP = 40


class PlotError(PostledgerError):
    title = "There is no chart"


def _check_chart(_: object, value: Path | None) -> None:
    """Refuse what is neither of the two forms."""
    if value is not None and value.suffix.lower() not in {".png", ".svg"}:
        raise ValueError("a file that ends with .png or .svg is wanted")


Metrics = Annotated[
    tuple[str, ...],
    Parameter(
        name="--metric",
        metavar="NAME",
        help=f"Repeatable: what to count or compute; {', '.join(DEFAULT)} unless set.",
    ),
]
Groups = Annotated[
    tuple[str, ...],
    Parameter(
        name="--group-by",
        metavar="NAME",
        help=f"Repeatable: figures for each value of it. One of {', '.join(GROUPS)}.",
    ),
]
Interval = Annotated[
    Literal["minute", "hour", "day", "week", "month"] | None, Parameter(help="A time series.")
]
TimeZone = Annotated[
    str, Parameter(metavar="ZONE", help="Where days and the like begin, such as Europe/Warsaw.")
]
OrderBy = Annotated[
    str | None,
    Parameter(
        metavar="NAME",
        help="Metric by which groups are ordered, the largest first; the first one unless set.",
    ),
]
Chart = Annotated[
    Path | None,
    Parameter(
        name="--plot",
        validator=_check_chart,
        metavar="FILE",
        help="Draw a chart there, .png or .svg, and write nothing else. Needs matplotlib.",
    ),
]


def stats(
    *,
    metrics: Metrics = (),
    groups: Groups = (),
    interval: Interval = None,
    timezone: TimeZone = "UTC",
    order_by: OrderBy = None,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1), metavar="N", help="Most groups.")
    ] = 1000,
    filters: Filters = ANY,
    start: Annotated[Start, Parameter(help="First time; 7 days before --to unless set.")] = None,
    end: Annotated[End, Parameter(help="Time to end before; now unless set.")] = None,
    plot: Chart = None,
    json: Annotated[AsJson, Parameter(help="Rows as NDJSON, on a terminal too.")] = False,
    connection: Connection = LOCAL,
) -> None:
    """Count events, and compute rates and delivery times. A table on a terminal, rows as NDJSON in
    a pipe, or a chart.
    """
    draw = _drawing() if plot else None
    names = tuple(dict.fromkeys(metrics)) or DEFAULT
    chosen = tuple(given(filters, None, None))
    asked = Asked(names, tuple(dict.fromkeys(groups)), order_by or names[0], chosen)

    def answer(start: str | None, end: str | None, *more: tuple[str, str]) -> Figures:
        within = given(ANY, start, end)
        parameters = [*_parameters(asked, timezone, limit), *within, *more]
        return client.get(METRICS_PATH, parameters, Figures)

    client = connection.client()
    found = answer(start, end, *([("interval", interval)] if interval else []))
    if draw is not None:
        series = series_of(found, asked)
        if not series:
            raise PlotError("there is nothing to draw: no events match")
        for left_out in draw(plot, asked, found, series):
            note(left_out)
    elif json or not for_people():
        lines(map(msgspec.json.encode, found.rows))
    else:
        _say(asked, found, answer(found.start, found.end) if interval else found)


def _parameters(asked: Asked, timezone: str, limit: int) -> list[tuple[str, str]]:
    return [
        *(("metric", name) for name in asked.metrics),
        *(("group_by", name) for name in asked.groups),
        *asked.filters,
        ("timezone", timezone),
        ("order_by", asked.leading),
        ("limit", str(limit)),
    ]


def _drawing() -> Callable[..., list[str]]:
    """What draws; loaded only here, since it takes a second."""
    try:
        draw: Callable[..., list[str]] = import_module("postledger.cli.chart").draw
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("matplotlib"):
            raise
        raise PlotError(
            "charts need matplotlib; install it with `pip install 'postledger[plot]'`"
        ) from error
    return draw


# -- a table


def _say(asked: Asked, found: Figures, whole: Figures) -> None:
    """Write the figures of the whole range, with those of the intervals as lines of bars."""
    groups = series_of(whole, asked)
    if not groups:
        say("no events match")
    elif asked.groups:
        _by_group(asked, found, groups)
    else:
        _by_metric(asked, found, groups[0])
    say(f"from {found.start} to {found.end}, {found.timezone}")


def _by_group(asked: Asked, found: Figures, groups: Sequence[Series]) -> None:
    """A row for each group; its line of bars is that of the leading metric.

    Metrics that have no room are named instead.
    """
    trends = {one.group: one.values[asked.leading] for one in series_of(found, asked)}
    first = [*map(Column, asked.groups), *_trend(found, asked.leading)]
    columns = first + [Column(_head(name), right=True) for name in asked.metrics]

    def cells(one: Series) -> list[str]:
        numbers = [written(name, one.values[name][0]) for name in asked.metrics]
        trend = [bars(trends.get(one.group, ()))] if found.interval else []
        return [*(_short(name) for name in one.group), *trend, *numbers]

    rows = list(map(cells, groups))
    count = fitting(columns, rows, len(first) + 1)
    table(columns[:count], [row[:count] for row in rows])
    if count < len(columns):
        gone = ", ".join(asked.metrics[count - len(first) :])
        note(f"no room here for {gone}; choose with --metric, or ask for --json")


def _by_metric(asked: Asked, found: Figures, whole: Series) -> None:
    """A row for each metric, with a line of bars of its own."""
    columns = [Column("metric"), Column("", right=True), *_trend(found)]
    trends = series_of(found, asked)[0].values

    def cells(name: str) -> list[str]:
        trend = [bars(trends[name])] if found.interval else []
        return [name, written(name, whole.values[name][0]), *trend]

    table(columns, map(cells, asked.metrics))


def _trend(found: Figures, *what: str) -> list[Column]:
    if found.interval is None:
        return []
    return [Column(" ".join([*map(_head, what), "by", found.interval]), right=True)]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_GROUP else name[: _LONGEST_GROUP - 1] + "…"


def _head(name: str) -> str:
    """A name that can be broken over lines."""
    return name.replace("_", " ")
