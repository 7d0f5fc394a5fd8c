"""Statistics: from a call to questions for figures, and from their rows to the reply [5]."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, UnsetType

from postledger.dialects.netcore import given as said
from postledger.dialects.netcore.given import Given
from postledger.dialects.netcore.tables import (
    COUNTERS,
    FILTERS,
    LONGEST_PERIODS,
    LONGEST_TEXT,
    MOST_NAMED,
    MOST_PERIODS,
    MOST_TAGS,
    TAGGED,
)
from postledger.dialects.wire import Call, Reply
from postledger.errors import BadInput
from postledger.intervals import starts
from postledger.query import Filter, Match, MetricsQuery, MetricsRow

_MOST = 100_000
"""More periods than there are between the first and the last time that events can have."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Questions, and what their answers mean. `periods`: when those of the page start, in the
    account's zone. `tags`: of each question in turn; empty: of its groups; None: of none."""

    queries: tuple[MetricsQuery, ...]
    periods: tuple[datetime, ...]
    tags: tuple[str, ...] | None


def stats(call: Call) -> Summary:
    """The questions for a page of statistics. Raises BadInput."""
    given = said.collect(call)
    tags = _tags(given) if call.path == TAGGED else None
    _refuse_filters(given, tags)
    zone = ZoneInfo(call.options.get("timezone", "UTC"))
    start, end = said.span(given, zone, call.now.astimezone(zone).date())
    by = said.one(given, "aggregatedby", _by, default="day")
    times = _page(given, start, end, by, zone)
    if len(times) <= 1:  # the last one is where the last period ends
        return Summary((), (), tags)
    query = MetricsQuery(
        call.workspace,
        max(start, times[0]),
        min(end, times[-1]),
        tuple(COUNTERS.values()),
        interval=by,
        timezone=zone.key,
        limit=MOST_TAGS + 1,  # events without a tag are a group too
    )
    periods = tuple(time.astimezone(zone) for time in times[:-1])
    return Summary(tuple(_queries(query, tags)), periods, tags)


def _page(
    given: Given, start: datetime, end: datetime, by: str, zone: ZoneInfo
) -> Sequence[datetime]:
    """The starts of the periods of the page, and of the one after. Only as many are looked for as
    are on the pages so far: a range may have eighty thousand."""
    number = said.one(given, "offset", _number, default=1)
    size = said.one(given, "limit", _size, default=MOST_PERIODS)
    last = min(number * size, _MOST)
    reach = min(end - start, last * LONGEST_PERIODS[by])
    found = starts(start, start + reach, by, zone.key)
    return found[(number - 1) * size : last + 1]


def _queries(query: MetricsQuery, tags: tuple[str, ...] | None) -> Iterator[MetricsQuery]:
    if tags is None:
        yield query
    elif not tags:
        yield replace(query, group_by=("tag",))
    else:
        for tag in tags:
            yield replace(query, filters=(Filter("rcpt_tags", Match.MEMBER, (tag,)),))


# -- what was sent


def _tags(given: Given) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name, tag in said.each(given, "tags", several=True):
        if len(tag) > LONGEST_TEXT:
            raise BadInput.parameter(name, f"expected up to {LONGEST_TEXT} characters")
        found[tag] = None
        if len(found) > MOST_NAMED:
            raise BadInput.parameter(name, f"expected up to {MOST_NAMED} tags")
    return tuple(found)


def _refuse_filters(given: Given, tags: object) -> None:
    """What picks messages from a log: figures that passed over it would be of something else."""
    for name in (*FILTERS, "events"):
        if name in given and (tags is None or name != "tags"):
            raise BadInput.parameter(
                given[name][0][0], "is a filter of logs; statistics are of all messages"
            )


def _by(name: str, text: str) -> str:
    if text.lower() not in LONGEST_PERIODS:
        raise BadInput.parameter(name, f"expected one of {', '.join(LONGEST_PERIODS)}")
    return text.lower()


def _number(name: str, text: str) -> int:
    number = said.number(name, text)
    if not number:
        raise BadInput.parameter(name, "expected the number of a page, from 1")
    return number


def _size(name: str, text: str) -> int:
    size = said.number(name, text)
    if not 1 <= size <= MOST_PERIODS:
        raise BadInput.parameter(name, f"expected 1 to {MOST_PERIODS}")
    return size


# -- what is answered


class Stat(msgspec.Struct):
    metrics: Mapping[str, int]
    tag_name: str | UnsetType = UNSET


class Period(msgspec.Struct):
    date: str
    stats: list[Stat]


class Statistics(msgspec.Struct):
    status: str
    data: list[Period]


def summed(asked: Summary, answers: Sequence[Sequence[MetricsRow]]) -> Reply:
    """The reply with a page of statistics: the rows of each question in turn."""
    found = {time: Period(time.date().isoformat(), []) for time in asked.periods}
    for number, rows in enumerate(answers):
        for row in rows:
            tag = _tag(asked, number, row)
            if row.time is not None and tag != "":
                found[row.time].stats.append(Stat(_counted(row), tag))
    return Reply(msgspec.json.encode(Statistics("success", list(found.values()))))


def _tag(asked: Summary, number: int, row: MetricsRow) -> str | UnsetType:
    """Empty: of events that have none."""
    if asked.tags is None:
        return UNSET
    return asked.tags[number] if asked.tags else str(row.group[0])


def _counted(row: MetricsRow) -> dict[str, int]:
    return dict(zip(COUNTERS, map(int, row.values), strict=True))
