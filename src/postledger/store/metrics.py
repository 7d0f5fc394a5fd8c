"""A question for figures as SQL, and its rows with all groups and intervals.

What the roll-ups can say comes from them, by day, by hour, or by quarter of an hour where a range
or an interval begins at one, as days do in zones that are half an hour from UTC. To it are added
the events that they do not have yet, and those of hours that are broken elsewhere. All else is
counted from the events. Each of these sources gives counts by group and interval; around them
stands what the metrics make of the counts.

The engine counts what there is; the rows of intervals without events are added here. Where there
are groups and intervals, the groups are looked up first, in their order, then the series of each.
Values are parameters; names of metrics, groups and types are texts of our own tables.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from postledger.errors import BadInput
from postledger.events import FIELD, Kind
from postledger.intervals import Run, runs, starts
from postledger.metrics import (
    GROUPS,
    VENDOR_GROUPS,
    Combined,
    Count,
    Figure,
    Nothing,
    Percentile,
    Rate,
    Total,
    Unique,
    figure,
)
from postledger.query import EventQuery, Filter, MetricsQuery, MetricsRow
from postledger.store import dimensions
from postledger.store.columns import BUCKET, BUCKET_HOURS
from postledger.store.counting import condition, listed
from postledger.store.dimensions import (
    EVENTS,
    Base,
    Window,
    bases,
    dimension_of,
    is_rolled,
    number_of,
    quarters,
    rolled_count,
    window_of,
)
from postledger.store.sql import SHARED, Sql, conditions, grouped, of_zones

MOST_ROWS = 100_000
"""Most rows of an answer: groups by intervals."""

Ask = Callable[[Sql], list[list[Any]]]
"""Has a statement run: its rows."""

_Group = tuple[str, ...]
_Values = tuple[float, ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# -- rows


@dataclass(frozen=True, slots=True)
class Folded:
    """The number of the last event that the roll-ups have; whether there may be newer ones."""

    through: int
    newer: bool = True


def rolled(query: MetricsQuery, database: str, ask: Ask, folded: Folded) -> list[MetricsRow]:
    """The rows, group by group, each in the order of time; from the roll-ups what they have. They
    must not change meanwhile. Raises BadInput: too many rows."""
    return _answer(query, database, ask, folded)


def counted(query: MetricsQuery, database: str, ask: Ask) -> list[MetricsRow]:
    """The same, all of it counted from the events."""
    return _answer(query, database, ask, None)


def _answer(
    query: MetricsQuery, database: str, ask: Ask, folded: Folded | None
) -> list[MetricsRow]:
    if query.interval is None:
        return [
            MetricsRow(None, _shown(query, group), values)
            for group, values in _totals(query, database, ask, folded)[: query.limit]
        ]
    times = starts(query.start, query.end, query.interval, query.timezone)
    found: list[_Group] = [()]
    if query.group_by:
        found = [group for group, _ in _totals(query, database, ask, folded)]
    groups = found[: query.limit]
    if not times or not groups:
        return []
    _check_size(query, len(groups), len(times) - 1)
    chosen = groups if len(found) > query.limit else None
    rows = ask(series(query, runs(times), database, folded, chosen))
    return _series(query, groups, times, rows)


def _totals(
    query: MetricsQuery, database: str, ask: Ask, folded: Folded | None
) -> list[tuple[_Group, _Values]]:
    width = len(query.group_by)
    rows = ask(totals(query, database, folded))
    return [(tuple(row[:width]), tuple(row[width:])) for row in rows]


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
    if not any(map(_is_number, query.group_by)):
        return group
    return tuple(
        _number(value) if _is_number(name) else value
        for name, value in zip(query.group_by, group, strict=True)
    )


def _number(text: str) -> int | None:
    return int(text) if text else None


@cache
def _is_number(group: str) -> bool:
    return group != "attempt" and FIELD[_FIELDS[group]].kind is Kind.INTEGER


# -- statements


def through(workspace: str, database: str) -> Sql:
    """The number of the last event that the roll-ups have."""
    sql = Sql()
    sql.text = (
        f"SELECT sum(events) FROM {database}.{dimensions.TABLE} "
        f"WHERE workspace = {sql.add(workspace, 'String')} "
        f"AND dimension = '{dimensions.THROUGH}' AND value = ''"
    )
    return sql


def totals(query: MetricsQuery, database: str, folded: Folded | None = None) -> Sql:
    """The figures of each group for the whole range, in the order asked for, one group more than
    the limit; without groups one row. `folded`: how far the roll-ups are; None: do without."""
    asked = _Asked(query, database, folded)
    groups, metrics = asked.groups, [f"m{number}" for number in range(len(query.metrics))]
    sql = asked.sql
    sql.text = asked.select()
    if groups:
        first = metrics[query.metrics.index(query.order_by or query.metrics[0])]
        values = [
            f"toInt64OrNull({group}) NULLS FIRST" if _is_number(name) else group
            for name, group in zip(query.group_by, groups, strict=True)
        ]
        sql.text += (
            f" ORDER BY {', '.join([f'{first} DESC', *values])} "
            f"LIMIT {sql.add(query.limit + 1, 'UInt32')}"
        )
    sql.text += asked.settings
    return sql


def series(
    query: MetricsQuery,
    told: Sequence[Run],
    database: str,
    folded: Folded | None = None,
    chosen: Sequence[_Group] | None = None,
) -> Sql:
    """The figures of each group in each interval that has any: start in unix milliseconds, group,
    metrics. `chosen`: of these groups only. `folded` as for `totals`."""
    asked = _Asked(query, database, folded, told, chosen)
    asked.sql.text = asked.select() + asked.settings
    return asked.sql


class _Asked:
    """A statement that is being put together."""

    def __init__(
        self,
        query: MetricsQuery,
        database: str,
        folded: Folded | None,
        told: Sequence[Run] = (),
        chosen: Sequence[_Group] | None = None,
    ) -> None:
        self.sql = Sql()
        self.groups = [f"g{number}" for number in range(len(query.group_by))]
        self._query = query
        self._database = database
        self._folded = folded
        self._told = told
        self._chosen = chosen
        self._bases = list(dict.fromkeys(bases(query.metrics)))
        self._window = None if folded is None else window_of(query, told)

    @property
    def settings(self) -> str:
        """The roll-ups alone are few rows; both processors are to read them."""
        folded, window = self._folded, self._window
        alone = folded and window and not window.beside and not folded.newer
        return SHARED if alone and self._bases and all(map(is_rolled, self._bases)) else ""

    def select(self) -> str:
        """The metrics of each interval and group, by these."""
        keys, sources = self._keys(), list(self._sources())
        several = len(sources) > 1
        counts = [f"sum(b{n})" if several else f"b{n}" for n in range(len(self._bases))]
        made = [
            f"{self._expression(figure(name), counts)} AS m{number}"
            for number, name in enumerate(self._query.metrics)
        ]
        return (
            f"SELECT {', '.join([*keys, *made])} FROM ({' UNION ALL '.join(sources)})"
            f"{_by(keys) if several else ''}"
        )

    def _keys(self) -> list[str]:
        return [*(["slot"] if self._told else []), *self.groups]

    def _expression(self, found: Figure, counts: Sequence[str]) -> str:
        """A metric as an expression over what the sources count."""
        match found:
            case Combined(plus, less):
                added = " + ".join(self._expression(figure(name), counts) for name in plus)
                taken = (self._expression(figure(name), counts) for name in less)
                made = f"({' - '.join([added, *taken])})"
            case Rate(part, whole):
                all_of = self._expression(figure(whole), counts)
                made = f"if({all_of} = 0, 0, {self._expression(figure(part), counts)} / {all_of})"
            case Nothing():
                made = "toInt64(0)"
            case _:
                made = counts[self._bases.index(found)]
        return made

    # -- sources

    def _sources(self) -> Iterator[str]:
        window = self._window
        rolled = [base for base in self._bases if window and is_rolled(base)]
        others = [base for base in self._bases if base not in rolled]
        if window and rolled:
            yield self._rolled(rolled, window)
            if self._folded and self._folded.newer:
                yield self._late(rolled, window, self._folded.through)
            if window.beside:
                yield self._beside(rolled, window)
        if others or not rolled:
            yield self._counted(others, self._query, ())

    def _late(self, bases: Sequence[Base], window: "Window", through: int) -> str:
        """Events of the window that are not in the roll-ups yet."""
        more = [f"seq > {self.sql.add(through, 'UInt64')}"]
        if window.within:
            more.append(f"NOT {self._in_hours(window.within)}")
        inside = replace(self._query, start=window.start, end=window.end)
        return self._counted(bases, inside, more)

    def _beside(self, bases: Sequence[Base], window: "Window") -> str:
        """Events of the hours beside the window."""
        return self._counted(bases, self._query, [self._in_hours(window.beside)])

    def _in_hours(self, numbers: Sequence[int]) -> str:
        """The condition on an event that it is of one of these hours; the key has their buckets."""
        hours = [number * 3600 for number in numbers]
        buckets = sorted({number // BUCKET_HOURS for number in numbers})
        return (
            f"({BUCKET} IN {self.sql.add(buckets, 'Array(Int64)')} "
            f"AND toStartOfHour(timestamp) IN {self.sql.add(hours, 'Array(DateTime)')})"
        )

    def _counted(self, bases: Sequence[Base], query: MetricsQuery, more: Sequence[str]) -> str:
        """Counted from the events that a metric looks at, and that the filters leave."""
        sql = self.sql
        events = EventQuery(
            query.workspace, query.start, query.end, query.filters, alternatives=query.alternatives
        )
        where = [
            *conditions(sql, events, self._database),
            *(grouped(sql, each, self._database) for each in query.groupings),
            f"type IN {listed(_types(bases))}",
            *of_zones(_types(bases)),
            *more,
            *self._of_chosen(),
        ]
        tags = _EACH_TAG if "tag" in query.group_by else ""
        head = self._head("toUnixTimestamp64Milli(timestamp)", _group)
        counts = [_count(base) if base in bases else "toInt64(0)" for base in self._bases]
        return (
            f"SELECT {self._columns(head, counts)} FROM {self._database}.events {tags}"
            f"WHERE {' AND '.join(where)}{_by(self._keys())}"
        )

    def _rolled(self, bases: Sequence[Base], window: "Window") -> str:
        """Counted from the roll-ups."""
        join = self._by_quarter(window)
        time = _QUARTER if join else _HOUR
        numbers = dict.fromkeys([EVENTS, *map(number_of, bases)])
        named = f"WITH {', '.join(map(_split, numbers))} " if join else ""
        prefix = _SPLIT if join else ""
        where = [
            f"workspace = {self.sql.add(self._query.workspace, 'String')}",
            f"dimension = '{dimension_of(self._query)}'",
            window.condition(),
            *(self._rolled_filter(filter_) for filter_ in self._query.filters),
            f"type IN {listed(_types(bases))}",
            *self._of_chosen(),
        ]
        if window.within:
            where.append(f"hour NOT IN {self.sql.add(window.within, 'Array(UInt32)')}")
        if not window.whole:
            first, last = _ms(window.start), _ms(window.end)
            where.append(f"{time} >= {first} AND {time} < {last} AND {prefix}{EVENTS} != 0")
        head = self._head(time, lambda name: "toString(type)" if name == "type" else "value")
        counts = [
            rolled_count(base, prefix + number_of(base)) if base in bases else "toInt64(0)"
            for base in self._bases
        ]
        return (
            f"{named}SELECT {self._columns(head, counts)} "
            f"FROM {self._database}.{dimensions.TABLE} "
            f"{join}WHERE {' AND '.join(where)}{_by(self._keys())}"
        )

    def _by_quarter(self, window: Window) -> str:
        """Makes four rows of each row of hours that are cut."""
        if window.every:
            return "ARRAY JOIN [0, 1, 2, 3] AS quarter "
        if window.cut:
            cut = self.sql.add(list(window.cut), "Array(UInt32)")
            return f"ARRAY JOIN if(hour IN {cut}, [0, 1, 2, 3], [4]) AS quarter "
        return ""

    def _rolled_filter(self, filter_: Filter) -> str:
        if filter_.field == "type":
            return f"toString(type) IN {self.sql.add(list(filter_.values), 'Array(String)')}"
        return f"value IN {self.sql.add([str(v) for v in filter_.values], 'Array(String)')}"

    def _of_chosen(self) -> list[str]:
        if self._chosen is None:
            return []
        kind = f"Array(Tuple({', '.join('String' for _ in self.groups)}))"
        listing = self.sql.add([tuple(group) for group in self._chosen], kind)
        return [f"tuple({', '.join(self.groups)}) IN {listing}"]

    def _head(self, time: str, group: Callable[[str], str]) -> list[str]:
        """Interval and groups of a row, under the names of `_keys`."""
        slot = [f"{_start(self.sql, self._told, time)} AS slot"] if self._told else []
        groups = zip(self._query.group_by, self.groups, strict=True)
        return [*slot, *(f"{group(name)} AS {alias}" for name, alias in groups)]

    def _columns(self, head: Sequence[str], counts: Sequence[str]) -> str:
        return ", ".join(
            [*head, *(f"{count} AS b{number}" for number, count in enumerate(counts))]
            or ["count()"]
        )


def _by(keys: Sequence[str]) -> str:
    return f" GROUP BY {', '.join(keys)}" if keys else ""


def _group(name: str) -> str:
    """What events are grouped by, as text. An event counts for each of its tags; `_EACH_TAG` makes
    a row of each."""
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


# -- rows of the roll-ups

_HOUR = "(toInt64(hour) * 3600000)"
_QUARTER = "(toInt64(hour) * 3600000 + quarter % 4 * 900000)"
"""Their time in unix milliseconds. A `quarter` of 4 means all of the hour."""

_SPLIT = "split_"


def _split(number: str) -> str:
    """A number of the rows by quarter. The engine plans a name that is given once faster than its
    expression in many places."""
    later = quarters(number)
    each = ", ".join(f"quarter = {n}, {name}" for n, name in enumerate(later, 1))
    return (
        f"multiIf(quarter = 4, {number}, {each}, {number} - {' - '.join(later)}) "
        f"AS {_SPLIT}{number}"
    )


def _start(sql: Sql, told: Sequence[Run], time: str) -> str:
    """The start of the interval that a time is in, in unix milliseconds."""
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


# -- metrics


def _types(bases: Sequence[Base]) -> list[str]:
    return sorted({kind for base in bases for kind in base.events.types})


def _count(base: Base) -> str:
    """Counted over events."""
    are = condition(base.events)
    match base:
        case Count():
            made = f"countIf({are})"
        case Unique():
            made = f"uniqExactIf(message_key, {are} AND message_key != 0)"
        case Total(field):
            made = f"sumIf(ifNull({field}, 0), {are})"
        case Percentile(level, field):
            known = f"{are} AND isNotNull({field})"
            made = f"quantileExactIf({level})(ifNull({field}, 0), {known})"
    return f"toInt64({made})"
