"""The table of roll-ups: what its rows are, which of them a metric counts, which questions they
answer.

Each row has the number of events of an hour or a day (UTC) that have a value in a dimension, a
type, and an *aspect*: what a metric asks of events of this type beyond it, the category of a bounce
for instance. Each event is in one row of each dimension; with several tags it is in one for each.
Rows of hours tell the quarters of the hour apart, since days of some zones begin at one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from postledger.events import EVENT_TYPES
from postledger.intervals import Run
from postledger.metrics import (
    BOUNCE_CATEGORIES,
    BOUNCES,
    GROUPS,
    UNDETERMINED,
    Attempt,
    Combined,
    Count,
    Events,
    Nothing,
    Percentile,
    Rate,
    Total,
    Unique,
    figure,
)
from postledger.query import Filter, Match, MetricsQuery
from postledger.store import counting

TABLE = "rollups"
ALL = "all"
DIMENSIONS: tuple[str, ...] = (
    "recipient_domain",
    "sending_domain",
    "campaign_id",
    "template_id",
    "sending_ip",
    "ip_pool",
    "subaccount_id",
    "mailbox_provider",
    "bounce_class",
    "reason",
    "target_link_url",
    "tag",
)
"""Names of `metrics.GROUPS`, each a dimension of its own."""

EVENTS = "events"
SUMS = ("msg_size", "queue_time")
"""Fields whose sums are kept."""

NUMBERS = (EVENTS, *SUMS)
"""What is counted of the events of a row."""


def quarters(number: str) -> tuple[str, ...]:
    """The same of those of an hour that are of the quarter that begins at this minute. What is left
    is of the first, or it is not known. 0 in rows of days."""
    return tuple(f"{number}_from_{minute}" for minute in (15, 30, 45))


QUARTERS = tuple(name for number in NUMBERS for name in quarters(number))

ATTEMPTED = ("delivery", "delay")
"""Types of which the roll-ups know the attempt."""

THROUGH = "through"
"""Rows that say how far the events have been folded: the sum of `events` is a `seq`."""
GIVEN = "given"
"""The value of rows among these whose `events` is a `seq` that has been given, folded or not."""
PREFETCHED, READ = "PREFETCHED", "READ"
ASPECTS: tuple[str, ...] = (
    "",
    *BOUNCE_CATEGORIES,
    UNDETERMINED,
    Attempt.FIRST.name,
    Attempt.LATER.name,
    PREFETCHED,
    READ,
)
TYPES = ("", *EVENT_TYPES)
Base = Count | Unique | Total | Percentile
"""What is counted; the other figures are made of these."""

_QUARTER, _HOUR, _DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def definition() -> str:
    """The column definitions of the table."""
    return ",\n    ".join(
        [
            "workspace LowCardinality(String)",
            f"dimension {_enum((THROUGH, ALL, *DIMENSIONS))}",
            "span Enum8('hour' = 1, 'day' = 2)",
            f"type {_enum(TYPES)}",
            f"aspect {_enum(ASPECTS)}",
            "value String CODEC(ZSTD(1))",
            "hour UInt32 CODEC(Delta, ZSTD(1))",
            *(f"{name} Int64 CODEC(T64, ZSTD(1))" for name in (*NUMBERS, *QUARTERS)),
        ]
    )


def hours(time: datetime) -> int:
    """How many whole hours a time is after 1970: what the column `hour` has."""
    return (time - _EPOCH) // _HOUR


def time_of(hours: int) -> datetime:
    """The time that a number of hours means."""
    return _EPOCH + hours * _HOUR


def condition(events: Events) -> str | None:
    """The rows of these events; None: the roll-ups cannot tell them apart."""
    tests = [f"type IN {counting.listed(events.types)}"]
    if events.category:
        if not set(events.types) <= set(BOUNCES):
            return None
        tests.append(f"aspect = '{events.category}'")
    if events.attempt:
        if not set(events.types) <= set(ATTEMPTED):
            return None
        tests.append(f"aspect = '{events.attempt.name}'")
    if not events.prefetched:
        tests.append(f"aspect != '{PREFETCHED}'")
    return " AND ".join(tests)


def _enum(names: Sequence[str]) -> str:
    members = (f"'{name}' = {number}" for number, name in enumerate(names))
    return f"Enum8({', '.join(members)})"


# -- what a metric counts


def bases(names: Sequence[str]) -> Iterator[Base]:
    """What has to be counted for these metrics."""
    for name in names:
        match figure(name):
            case Combined(plus, less):
                yield from bases((*plus, *less))
            case Rate(part, whole):
                yield from bases((part, whole))
            case Nothing():
                pass
            case base:
                yield base


def is_rolled(base: Base) -> bool:
    """Whether the roll-ups have it."""
    match base:
        case Count(events):
            return condition(events) is not None
        case Total(field, events):
            return field in SUMS and condition(events) is not None
        case _:
            return False


def number_of(base: Base) -> str:
    """The number of the rows that is summed for it."""
    return base.field if isinstance(base, Total) else EVENTS


def rolled_count(base: Base, number: str) -> str:
    """Counted over rows of the roll-ups. `number`: what stands for `number_of`."""
    return f"sumIf({number}, {condition(base.events)})"


# -- which questions they answer


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a range that the roll-ups have, but for the hours `beside`: the range begins or
    ends in them, or an interval begins, at no whole quarter, so that the events have to say what
    happened. Where that is at a whole quarter, the hour is `cut` into quarters; `every`: all are.
    `days`: whole days may be taken as such. Hours are told as numbers."""

    start: datetime
    end: datetime
    days: bool
    beside: tuple[int, ...] = ()
    cut: tuple[int, ...] = ()
    every: bool = False

    def condition(self) -> str:
        """The rows of the window, also those of hours beside it."""
        first, last = hours(self.start), hours(_next(self.end))
        day, following = -(-hours(_next(self.start)) // 24) * 24, hours(self.end) // 24 * 24
        if not self.days or day >= following:
            return f"span = 'hour' AND hour >= {first} AND hour < {last}"
        daily = f"span = 'day' AND hour >= {day} AND hour < {following}"
        ends = [(first, day), (following, last)]
        hourly = " OR ".join(f"hour >= {a} AND hour < {b}" for a, b in ends if a < b)
        return f"({daily} OR span = 'hour' AND ({hourly}))" if hourly else daily

    @property
    def whole(self) -> bool:
        """Whether it begins and ends with an hour."""
        return not any((time - _EPOCH) % _HOUR for time in (self.start, self.end))

    @property
    def within(self) -> list[int]:
        """The hours that lie beside it, but between its ends."""
        first, last = hours(self.start), hours(_next(self.end))
        return [hour for hour in self.beside if first <= hour < last]


_SHORT = 6 * _HOUR
"""Where intervals are shorter and begin within hours, too many hours would have to be told."""


def window_of(query: MetricsQuery, told: Sequence[Run]) -> Window | None:
    """None: there is no whole hour, or the intervals have too few."""
    start = _in_milliseconds(max(query.start, _EPOCH))
    end = _in_milliseconds(min(query.end, _LATEST))
    if start >= end:
        return None
    broken = [run for run in told if not _consist([run], _HOUR)]
    every = any(run.length < _SHORT for run in broken)
    if every and not _consist(broken, _QUARTER):
        return None
    times = [start, end, *(_starts(told, end) if broken and not every else ())]
    breaks = [time for time in times if start <= time <= end and (time - _EPOCH) % _HOUR]
    beside = {hours(time) for time in breaks if (time - _EPOCH) % _QUARTER}
    cut = {hours(time) for time in breaks} - beside
    start = _next(start) if hours(start) in beside else start
    end = time_of(hours(end)) if hours(end) in beside else end
    if start >= end:
        return None
    days = _consist(told, _DAY)
    return Window(start, end, days, tuple(sorted(beside)), tuple(sorted(cut)), every)


def _next(time: datetime) -> datetime:
    """The next full hour, or this one."""
    return time_of(-((_EPOCH - time) // _HOUR))


def _starts(told: Sequence[Run], end: datetime) -> Iterator[datetime]:
    """The starts of all intervals before `end`."""
    following = [run.first for run in told[1:]]
    for run, last in zip(told, [*following, end], strict=True):
        at = run.first
        while at < last:
            yield at
            at += run.length


def _consist(told: Sequence[Run], unit: timedelta) -> bool:
    """Whether these intervals begin and end with an hour, or a day, of UTC."""
    return not any((run.first - _EPOCH) % unit or run.length % unit for run in told)


def may_be_rolled(query: MetricsQuery) -> bool:
    return dimension_of(query) is not None and any(map(is_rolled, bases(query.metrics)))


def dimension_of(query: MetricsQuery) -> str | None:
    """The one dimension that a question is about; None: there are several, or conditions on events
    that the roll-ups do not know."""
    if query.alternatives or query.groupings or not all(map(_is_known, query.filters)):
        return None
    if sum(f.match is Match.MEMBER for f in query.filters) > 1:
        return None  # an event has them in two rows
    filtered = {_DIMENSION_OF[f.field] for f in query.filters if f.field != "type"}
    if "tag" in filtered and "tag" in query.group_by:
        return None  # the other tags of these events are in no row
    asked = filtered | {name for name in query.group_by if name != "type"}
    if len(asked) > 1 or not asked <= set(DIMENSIONS):
        return None
    return next(iter(asked), ALL)


_DIMENSION_OF = {GROUPS[name]: name for name in DIMENSIONS}


def _is_known(filter_: Filter) -> bool:
    if filter_.negated:
        return False
    if filter_.match is Match.MEMBER:
        # an event with two of them is in two rows, and one without any is in a row of its own
        return len(filter_.values) == 1 and filter_.values != ("",)
    return filter_.match is Match.EQUAL and (
        filter_.field == "type" or filter_.field in _DIMENSION_OF
    )


def _in_milliseconds(time: datetime) -> datetime:
    """What is finer is cut off, as in what is stored."""
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
