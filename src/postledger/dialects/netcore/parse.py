"""From a call to a question, and to the token of the page that follows."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import partial
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from postledger import cursor
from postledger.dialects.netcore import times
from postledger.dialects.netcore.tables import (
    AGGREGATES,
    EVENTS,
    FILTERS,
    LONGEST_TEXT,
    MOST_OFFSET,
    MOST_ROWS,
    NAMES,
    STAGES,
    Generation,
)
from postledger.dialects.wire import Call
from postledger.errors import BadCursor, BadInput, Problem
from postledger.query import Filter, Match, MessagePlace, MessageQuery

T = TypeVar("T")
Given = Mapping[str, list[tuple[str, str]]]
"""By the name in `NAMES`: the name as it was sent, and the value."""

_INDEX = re.compile(r"\[\d*\]\Z")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}\Z", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}\Z", re.ASCII)
_ADDRESS = re.compile(r"([^<>\s]+)>?\s*\Z")
_SORT = {"asc": False, "desc": True}
_LAST_SECOND = time(23, 59, 59)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and what its answer needs to know. `list_`: which list the pages are of."""

    query: MessageQuery
    generation: Generation
    zone: ZoneInfo
    list_: object

    def token(self, place: MessagePlace) -> str:
        """What leads to the messages behind `place`."""
        sent = times.milliseconds(place.sent)
        return cursor.encode(self.list_, [sent, place.message_id, place.rcpt_to, place.count])


def logs(call: Call, generation: Generation) -> Asked:
    """The question for a page of logs. Raises BadInput."""
    given = _given(call)
    zone = ZoneInfo(call.options.get("timezone", "UTC"))
    start, end = _range(given, zone, call.now.astimezone(zone).date())
    states, filters = _states(given), tuple(_filters(given))
    descending = _one(given, "sort", _sort, default=generation.descending)
    list_ = _list(call, zone, given, states, filters, descending=descending)
    after = _one(given, "scrollid", partial(_place, list_), default=None)
    offset = _one(given, "offset", _offset, default=0)
    query = MessageQuery(
        call.workspace,
        start,
        end,
        STAGES,
        filters,
        states,
        descending,
        _one(given, "limit", _limit, default=generation.limit),
        0 if after else offset,
        after,
    )
    return Asked(query, generation, zone, list_)


def address(text: str) -> str:
    """The address in `Name <address>`; the whole when there is none."""
    found = _ADDRESS.search(text)
    return found[1] if found else text


# -- what was sent


def _given(call: Call) -> Given:
    """Empty is absent [3.2]; spellings come together [4]; what is not known is left out."""
    given: dict[str, list[tuple[str, str]]] = {}
    for sent, value in call.pairs:
        name = NAMES.get(_INDEX.sub("", sent).lower().replace("_", ""))
        if name and value.strip():
            given.setdefault(name, []).append((sent, value))
    return given


def _one(given: Given, name: str, read: Callable[[str, str], T], *, default: T) -> T:
    """What `read` makes of the name and the value of a parameter that has one value."""
    found = given.get(name, [])
    if len({value.strip() for _, value in found}) > 1:
        raise BadInput.parameter(found[1][0], "expected once; it was sent with several values")
    return read(found[0][0], found[0][1].strip()) if found else default


def _each(given: Given, name: str, *, several: bool) -> Iterator[tuple[str, str]]:
    """Every value of a parameter that may have many, and the name with which it was sent."""
    for sent, text in given.get(name, []):
        parts = [part.strip() for part in text.split(",")] if several else [text]
        yield from ((sent, part) for part in parts if part)


# -- when


def _range(given: Given, zone: ZoneInfo, today: date) -> tuple[datetime, datetime]:
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
    found = _one(given, day, _day, default=None)
    if found is not None:
        return datetime.combine(found, of_day)
    return _one(given, moment, _moment, default=None)


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


# -- which


def _states(given: Given) -> tuple[str, ...]:
    """The states that `events` names; none: all [3.1]."""
    asked = {value.lower(): sent for sent, value in _each(given, "events", several=True)}
    for value, sent in asked.items():
        if value in AGGREGATES and len(asked) > 1:
            raise BadInput.parameter(sent, f"{value} stands alone, or is left out")
        if value not in AGGREGATES and value not in EVENTS:
            known = ", ".join([*EVENTS, *AGGREGATES])
            raise BadInput.parameter(sent, f"{value[:40]} is none of {known}")
    named = {**AGGREGATES, **EVENTS}
    return tuple(sorted({state for value in asked for state in named[value]}))


def _filters(given: Given) -> Iterator[Filter]:
    for name, matching in FILTERS.items():
        values = []
        for sent, value in _each(given, name, several=matching.several):
            if len(value) > LONGEST_TEXT:
                raise BadInput.parameter(sent, f"expected up to {LONGEST_TEXT} characters")
            text = value.strip().lower() if matching.folded else value
            values.append(address(text) if matching.match is Match.ADDRESS else text)
        if values:
            yield Filter(matching.field, matching.match, tuple(values))


# -- which page


def _limit(name: str, text: str) -> int:
    """Clamped above [U-2]."""
    wanted = _number(name, text)
    if not wanted:
        raise BadInput.parameter(name, "expected at least 1")
    return min(wanted, MOST_ROWS)


def _offset(name: str, text: str) -> int:
    """Refused above: clamped, it would give the same rows again and again."""
    wanted = _number(name, text)
    if wanted > MOST_OFFSET:
        raise BadInput.parameter(name, f"expected up to {MOST_OFFSET}; go on with scrollid")
    return wanted


def _number(name: str, text: str) -> int:
    return _read(name, text, _NUMBER, int, "a whole number")


def _sort(name: str, text: str) -> bool:
    if text.lower() not in _SORT:
        raise BadInput.parameter(name, "expected asc or desc")
    return _SORT[text.lower()]


def _list(
    call: Call,
    zone: ZoneInfo,
    given: Given,
    states: tuple[str, ...],
    filters: tuple[Filter, ...],
    *,
    descending: bool,
) -> object:
    """What a token is bound to: all but the place and length of the page. The range as it was sent:
    where it ends by default changes at midnight, and who pages meanwhile goes on."""
    dates = [
        [name, [value.strip() for _, value in given.get(name, [])]]
        for name in ("startdate", "enddate", "starttime", "endtime")
    ]
    found = [[each.field, sorted(map(str, each.values))] for each in filters]
    return ["netcore", call.workspace, zone.key, dates, states, found, descending]


class _Place(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    sent: Annotated[int, Meta(ge=0, le=7_258_204_800_000)]
    message_id: str
    rcpt_to: str
    count: Annotated[int, Meta(ge=0, le=2**62)]


def _place(list_: object, name: str, text: str) -> MessagePlace | None:
    try:
        found = msgspec.convert(cursor.decode(list_, text, parameter=name), _Place)
        (found.message_id + found.rcpt_to).encode()
    except (msgspec.ValidationError, ValueError) as error:  # only of a token that was made up
        raise BadCursor(f"{name} is damaged", Problem("is damaged", parameter=name)) from error
    sent = times.instant(found.sent)
    return MessagePlace(sent, found.message_id, found.rcpt_to, found.count)
