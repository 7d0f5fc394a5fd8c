"""The intervals of a time series in a time zone: where each one starts.

Hours start when the zone's clock shows a full hour, half days at its midnight and noon, days, weeks
(on Monday) and months at its midnight, or where the clock skips it, right after. So a day has 23 or
25 hours when the clock is changed; where it is changed by half an hour, an hour has 90 minutes.
Minutes, and runs of 5 and 15 of them, are those of UTC, from which every zone has differed by whole
quarters of an hour since 1972.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LENGTHS: dict[str, timedelta] = {
    "minute": _MINUTE,
    "hour": _HOUR,
    "day": _DAY,
    "week": 7 * _DAY,
    "month": 28 * _DAY,
    "5 minutes": 5 * _MINUTE,
    "15 minutes": 15 * _MINUTE,
    "half day": 12 * _HOUR,
}
"""The intervals, and how long one is at least, but for changes of the clock."""
PUBLIC: tuple[str, ...] = ("minute", "hour", "day", "week", "month")
"""Those that our own API offers; the others are those of wire APIs."""


@dataclass(frozen=True, slots=True)
class Run:
    """Intervals of equal length, one after another: the first start, and the length."""

    first: datetime
    length: timedelta


def is_zone(name: str) -> bool:
    """Whether there is a time zone of this IANA name."""
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    """All names; to find them is to walk through a tree of files."""
    return frozenset(available_timezones())


def starts(start: datetime, end: datetime, interval: str, timezone: str) -> list[datetime]:
    """The starts of all intervals that have a part from `start` to `end` (exclusive), and of the
    one after; in UTC. Nothing when the range is empty."""
    if start >= end:
        return []
    found: list[datetime] = []
    for each in _SERIES[interval](start, ZoneInfo(timezone)):
        if each <= start:
            found.clear()
        if not found or each > found[-1]:  # a day that a zone skipped has no start of its own
            found.append(each)
        if each >= end:
            break
    return found


def runs(found: list[datetime]) -> list[Run]:
    """The same intervals, told in short: neighbours of equal length are one run."""
    told: list[Run] = []
    for this, following in pairwise(found):
        length = following - this
        if not told or told[-1].length != length:
            told.append(Run(this, length))
    return told


def _minutes(number: int) -> Callable[[datetime, ZoneInfo], Iterator[datetime]]:
    def series(start: datetime, _: ZoneInfo) -> Iterator[datetime]:
        utc = start.astimezone(UTC)
        at = utc.replace(minute=utc.minute // number * number, second=0, microsecond=0)
        while True:
            yield at
            at += number * _MINUTE

    return series


def _hours(start: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    at = _midnight(start.astimezone(zone).date() - _DAY, zone)
    while True:
        yield at
        at = _next_hour(at, zone)


def _next_hour(at: datetime, zone: ZoneInfo) -> datetime:
    following = at + _HOUR
    past = _past_the_hour(following, zone)
    if not past:
        return following
    before = following - past
    if before > at and not _past_the_hour(before, zone):
        return before
    return following + (_HOUR - past)


def _past_the_hour(at: datetime, zone: ZoneInfo) -> timedelta:
    clock = at.astimezone(zone)
    return timedelta(minutes=clock.minute, seconds=clock.second)


def _half_days(start: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    day = start.astimezone(zone).date() - _DAY
    while True:
        yield _midnight(day, zone)
        yield datetime.combine(day, time(12), zone).astimezone(UTC)
        day += _DAY


def _days(start: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    return _each(start.astimezone(zone).date() - _DAY, lambda day: day + _DAY, zone)


def _weeks(start: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    day = start.astimezone(zone).date() - 7 * _DAY
    return _each(day - day.weekday() * _DAY, lambda monday: monday + 7 * _DAY, zone)


def _months(start: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    last = start.astimezone(zone).date().replace(day=1) - _DAY
    return _each(last.replace(day=1), lambda day: (day + 31 * _DAY).replace(day=1), zone)


def _each(day: date, following: Callable[[date], date], zone: ZoneInfo) -> Iterator[datetime]:
    while True:
        yield _midnight(day, zone)
        day = following(day)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first of two midnights; where the clock skips midnight, the time of the skip."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


_SERIES: dict[str, Callable[[datetime, ZoneInfo], Iterator[datetime]]] = {
    "minute": _minutes(1),
    "5 minutes": _minutes(5),
    "15 minutes": _minutes(15),
    "hour": _hours,
    "half day": _half_days,
    "day": _days,
    "week": _weeks,
    "month": _months,
}
