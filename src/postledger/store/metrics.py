"""A question for figures as SQL, and its rows with all groups and intervals.

The engine counts what there is; the rows of intervals without events are added here. Where there
are groups and intervals, the groups are looked up first, in their order, then the series of each.
Values are parameters; names of metrics, groups and types are texts of our own tables.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from postledger.errors import BadInput
from postledger.events import FIELD, Kind
from postledger.intervals import Run, runs, starts
from postledger.metrics import (
    BOUNCE_CATEGORIES,
    GROUPS,
    OPENINGS,
    UNDETERMINED,
    VENDOR_GROUPS,
    Attempt,
    Combined,
    Count,
    Events,
    Figure,
    Nothing,
    Percentile,
    Rate,
    Total,
    Unique,
    figure,
    types_of,
)
from postledger.query import EventQuery, MetricsQuery, MetricsRow
from postledger.store.sql import Sql, conditions, grouped

MOST_ROWS = 100_000
"""Most rows of an answer: groups by intervals."""

Ask = Callable[[Sql], list[list[Any]]]
"""Has a statement run: its rows."""

_Group = tuple[str, ...]
_Values = tuple[float, ...]


# -- rows


def answer(query: MetricsQuery, database: str, ask: Ask) -> list[MetricsRow]:
    """The rows, group by group, each in the order of time. Raises BadInput: too many of them."""
    if query.interval is None:
        return [
            MetricsRow(None, _shown(query, group), values)
            for group, values in _totals(query, database, ask)[: query.limit]
        ]
    times = starts(query.start, query.end, query.interval, query.timezone)
    found: list[_Group] = [()]
    if query.group_by:
        found = [group for group, _ in _totals(query, database, ask)]
    groups = found[: query.limit]
    if not times or not groups:
        return []
    _check_size(query, len(groups), len(times) - 1)
    cut = len(found) > query.limit
    return _series(query, groups, times, ask(series(query, runs(times), database, cut=cut)))


def _totals(query: MetricsQuery, database: str, ask: Ask) -> list[tuple[_Group, _Values]]:
    width = len(query.group_by)
    return [(tuple(row[:width]), tuple(row[width:])) for row in ask(totals(query, database))]


def _check_size(query: MetricsQuery, groups: int, intervals: int) -> None:
    if groups * intervals > MOST_ROWS:
        raise BadInput.parameter(
            "interval",
            f"{groups} groups in {intervals} intervals of a {query.interval} are more than "
            f"{MOST_ROWS} rows; ask for a longer interval, a shorter range or a smaller limit",
        )


def _series(
    query: MetricsQuery, groups: list[_Group], times: list[datetime], rows: list[list[Any]]
) -> list[MetricsRow]:
    """A row for each group and interval; zeros where the engine has none."""
    width = len(query.group_by) + 1
    counted = {tuple(row[:width]): tuple(row[width:]) for row in rows}
    nothing = (0,) * len(query.metrics)
    zone = ZoneInfo(query.timezone)
    shown = [(_ms(time), time.astimezone(zone)) for time in times[:-1]]
    return [
        MetricsRow(local, group, counted.get((ms, *key), nothing))
        for key in groups
        for group in (_shown(query, key),)
        for ms, local in shown
    ]


def _shown(query: MetricsQuery, group: _Group) -> tuple[str | int | None, ...]:
    """The values of a group, numbers as numbers."""
    return tuple(
        _number(value) if _is_number(name) else value
        for name, value in zip(query.group_by, group, strict=True)
    )


def _number(text: str) -> int | None:
    return int(text) if text else None


def _is_number(group: str) -> bool:
    return group != "attempt" and FIELD[_FIELDS[group]].kind is Kind.INTEGER


# -- statements


def totals(query: MetricsQuery, database: str) -> Sql:
    """The figures of each group for the whole range, in the order asked for, one group more than
    the limit; without groups one row."""
    sql = Sql()
    groups = [f"g{number}" for number in range(len(query.group_by))]
    metrics = [f"m{number}" for number in range(len(query.metrics))]
    sql.text = _select(sql, query, database, [])
    if groups:
        first = metrics[query.metrics.index(query.order_by or query.metrics[0])]
        sql.text += (
            f" GROUP BY {', '.join(groups)} ORDER BY {', '.join([f'{first} DESC', *groups])} "
            f"LIMIT {sql.add(query.limit + 1, 'UInt32')}"
        )
    return sql


def series(query: MetricsQuery, told: Sequence[Run], database: str, *, cut: bool) -> Sql:
    """The figures of each group in each interval that has any: start in unix milliseconds, group,
    metrics. `cut`: of the first groups of `totals` only."""
    sql = Sql()
    groups = [f"g{number}" for number in range(len(query.group_by))]
    sql.text = _select(sql, query, database, [f"{_start(sql, told)} AS slot"])
    if cut:
        sql.text += f" AND ({', '.join(groups)}) IN ({_first_groups(sql, query, groups, database)})"
    sql.text += f" GROUP BY {', '.join(['slot', *groups])}"
    return sql


def _first_groups(sql: Sql, query: MetricsQuery, groups: Sequence[str], database: str) -> str:
    metric = query.order_by or query.metrics[0]
    return (
        f"SELECT {', '.join(groups)} FROM (SELECT {', '.join(_groups(query))}, "
        f"{_expression(figure(metric))} AS largest {_of(sql, query, database)} "
        f"GROUP BY {', '.join(groups)} ORDER BY {', '.join(['largest DESC', *groups])} "
        f"LIMIT {sql.add(query.limit, 'UInt32')})"
    )


def _select(sql: Sql, query: MetricsQuery, database: str, more: Sequence[str]) -> str:
    made = [
        f"{_expression(figure(name))} AS m{number}" for number, name in enumerate(query.metrics)
    ]
    chosen = ", ".join([*more, *_groups(query), *made])
    return f"SELECT {chosen} {_of(sql, query, database)}"


def _groups(query: MetricsQuery) -> list[str]:
    """What the events are grouped by, as texts. An event counts for each of its tags; `_of` makes
    a row of each."""
    return [f"{_group(name)} AS g{number}" for number, name in enumerate(query.group_by)]


def _group(name: str) -> str:
    if name in _MADE:
        return _MADE[name]
    field = _FIELDS[name]
    return f"ifNull(toString({field}), '')" if _is_number(name) else field


_FIELDS = GROUPS | VENDOR_GROUPS
_MADE = {
    "tag": "each_tag",
    "account": "if(subaccount_id = '', '0', subaccount_id)",
    "attempt": "multiIf(ifNull(num_retries, 0) <= 0, '1', num_retries = 1, '2', '3+')",
    "class": "toString(ifNull(bounce_class, 1))",
    "link_name": "if(target_link_name = '', 'Raw URL', target_link_name)",
}
"""Groups that are not just a field."""

_EACH_TAG = "ARRAY JOIN if(empty(rcpt_tags), [''], arrayDistinct(rcpt_tags)) AS each_tag "


def _of(sql: Sql, query: MetricsQuery, database: str) -> str:
    """Events that a metric looks at, and that the filters leave."""
    events = EventQuery(
        query.workspace, query.start, query.end, query.filters, alternatives=query.alternatives
    )
    types = _listed(types_of(query.metrics))
    where = [
        *conditions(sql, events, database),
        *(grouped(sql, each, database) for each in query.groupings),
        f"type IN {types}",
    ]
    tags = _EACH_TAG if "tag" in query.group_by else ""
    return f"FROM {database}.events {tags}WHERE {' AND '.join(where)}"


def _start(sql: Sql, told: Sequence[Run]) -> str:
    """The start of the interval that an event is in, in unix milliseconds."""
    time = "toUnixTimestamp64Milli(timestamp)"
    firsts = sql.add([_ms(run.first) for run in told], "Array(Int64)")
    lengths = [run.length // timedelta(milliseconds=1) for run in told]
    first = f"{firsts}[1]" if len(told) == 1 else f"roundDown({time}, {firsts})"
    length = (
        str(lengths[0])
        if len(told) == 1
        else f"transform({first}, {firsts}, {sql.add(lengths, 'Array(Int64)')}, 1)"
    )
    return f"{first} + intDiv({time} - {first}, {length}) * {length}"


def _ms(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(milliseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# -- metrics


def _expression(found: Figure) -> str:
    """A metric as an expression over events. Equal parts of it the engine computes once."""
    match found:
        case Count(events):
            made = f"countIf({_is(events)})"
        case Unique(events):
            made = f"uniqExactIf(message_id, rcpt_to, {_is(events)} AND message_id != '')"
        case Total(field, events):
            made = f"sumIf(ifNull({field}, 0), {_is(events)})"
        case Combined(plus, less):
            added = " + ".join(_expression(figure(name)) for name in plus)
            made = " - ".join([f"({added}", *(_expression(figure(n)) for n in less)]) + ")"
        case Rate(part, whole):
            all_of = _expression(figure(whole))
            made = f"if({all_of} = 0, 0, {_expression(figure(part))} / {all_of})"
        case Percentile(level, field, events):
            known = f"{_is(events)} AND isNotNull({field})"
            made = f"quantileExactIf({level})(ifNull({field}, 0), {known})"
        case Nothing():
            made = "countIf(0)"
    return made


def _is(events: Events) -> str:
    """The condition of the events that a metric counts."""
    tests = [f"type IN {_listed(events.types)}"]
    if events.category:
        tests.append(_of_category(events.category))
    if events.attempt:
        tests.append(f"ifNull(num_retries, 0) {'<=' if events.attempt is Attempt.FIRST else '>'} 0")
    if not events.prefetched:
        tests.append(f"NOT (type IN {_listed(OPENINGS)} AND {_PREFETCHED})")
    return " AND ".join(tests)


def _of_category(category: str) -> str:
    if category != UNDETERMINED:
        return f"ifNull(bounce_class IN {_codes(BOUNCE_CATEGORIES[category])}, 0)"
    known = [code for codes in BOUNCE_CATEGORIES.values() for code in codes]
    return f"NOT ifNull(bounce_class IN {_codes(known)}, 0)"


_REST = "concat('{', substring(rest, 2))"
_PREFETCHED = (
    f"if(JSONHas({_REST}, 'user_agent_parsed', 'is_prefetched'), "
    f"JSONExtractBool({_REST}, 'user_agent_parsed', 'is_prefetched'), "
    f"JSONExtractString({_REST}, 'user_agent') = 'Mozilla/5.0')"
)
"""Whether a privacy proxy loaded the pixel, not a person: as the source says, in the member that
SparkPost's events have for it; else by the user agent with which Apple's proxy does."""


def _listed(names: Sequence[str]) -> str:
    return f"({', '.join(map(repr, names))})" if names else "('')"


def _codes(codes: Sequence[int]) -> str:
    return f"({', '.join(map(str, codes))})"
