"""What a call says: its parameters by name, days and times as instants. All operations share it."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from typing import TypeVar
from zoneinfo import ZoneInfo

from postledger.dialects.netcore import times
from postledger.dialects.netcore.tables import NAMES
from postledger.dialects.wire import Call
from postledger.errors import BadInput

T = TypeVar("T")
Given = Mapping[str, list[tuple[str, str]]]
"""By the name in `NAMES`: the name as it was sent, and the value."""

_INDEX = re.compile(r"\[\d*\]\Z")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}\Z", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}\Z", re.ASCII)
_LAST_SECOND = time(23, 59, 59)


def number(name: str, text: str) -> int:
    return _read(name, text, _NUMBER, int, "a whole number")


def collect(call: Call) -> Given:
    """Empty is absent [3.2]; spellings come together [4]; what is not known is left out."""
    given: dict[str, list[tuple[str, str]]] = {}
    for sent, value in call.pairs:
        name = NAMES.get(_INDEX.sub("", sent).lower().replace("_", ""))
        if name and value.strip():
            given.setdefault(name, []).append((sent, value))
    return given


def one(given: Given, name: str, read: Callable[[str, str], T], *, default: T) -> T:
    """What `read` makes of the name and the value of a parameter that has one value."""
    found = given.get(name, [])
    if len({value.strip() for _, value in found}) > 1:
        raise BadInput.parameter(found[1][0], "expected once; it was sent with several values")
    return read(found[0][0], found[0][1].strip()) if found else default


def each(given: Given, name: str, *, several: bool) -> Iterator[tuple[str, str]]:
    """Every value of a parameter that may have many, and the name with which it was sent."""
    for sent, text in given.get(name, []):
        parts = [part.strip() for part in text.split(",")] if several else [text]
        yield from ((sent, part) for part in parts if part)


def span(given: Given, zone: ZoneInfo, today: date) -> tuple[datetime, datetime]:
    """The range of time, its end excluded. Raises BadInput without a start."""
    first = _either(given, "startdate", "starttime", time.min)
    if first is None:
        raise BadInput.parameter("startdate", "needed; expected YYYY-MM-DD")
    last = _either(given, "enddate", "endtime", _LAST_SECOND)
    if last is None:
        last = datetime.combine(max(today, first.date()), _LAST_SECOND)
    elif first > last:
        raise BadInput.parameter("startdate", "expected a day that is not after enddate")
    return times.begins(first, zone), times.ends(last, zone)


def _either(given: Given, day: str, moment: str, of_day: time) -> datetime | None:
    """A day, at the given time of it, or a time; both is too much."""
    if day in given and moment in given:
        raise BadInput.parameter(
            given[moment][0][0], f"expected this or {given[day][0][0]}, not both"
        )
    found = one(given, day, _day, default=None)
    if found is not None:
        return datetime.combine(found, of_day)
    return one(given, moment, _moment, default=None)


def _day(name: str, text: str) -> date | None:
    return _read(name, text, _DAY, date.fromisoformat, "a day as YYYY-MM-DD")


def _moment(name: str, text: str) -> datetime | None:
    return _read(name, text, _TIME, datetime.fromisoformat, "a time as YYYY-MM-DD HH:MM:SS")


def _read(
    name: str, text: str, form: re.Pattern[str], read: Callable[[str], T], expected: str
) -> T:
    try:
        if form.match(text):
            return read(text)
    except ValueError:
        pass
    raise BadInput.parameter(name, f"expected {expected}")
