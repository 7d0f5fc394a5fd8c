"""From a call for logs to a question, and to the token of the page that follows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from postledger import cursor
from postledger.dialects.netcore import times
from postledger.dialects.netcore.given import Given, collect, each, number, one, span
from postledger.dialects.netcore.tables import (
    AGGREGATES,
    EVENTS,
    FILTERS,
    LONGEST_TEXT,
    MOST_OFFSET,
    MOST_ROWS,
    STAGES,
    Generation,
)
from postledger.dialects.wire import Call
from postledger.errors import BadCursor, BadInput, Problem
from postledger.query import Filter, Match, MessagePlace, MessageQuery

_BETWEEN = re.compile(r"[<>\s]")
_SORT = {"asc": False, "desc": True}


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
    given = collect(call)
    zone = ZoneInfo(call.options.get("timezone", "UTC"))
    start, end = span(given, zone, call.now.astimezone(zone).date())
    states, filters = _states(given), tuple(_filters(given))
    descending = one(given, "sort", _sort, default=generation.descending)
    list_ = _list(call, zone, given, states, filters, descending=descending)
    after = one(given, "scrollid", partial(_place, list_), default=None)
    offset = one(given, "offset", _offset, default=0)
    query = MessageQuery(
        call.workspace,
        start,
        end,
        STAGES,
        filters,
        states,
        descending,
        one(given, "limit", _limit, default=generation.limit),
        0 if after else offset,
        after,
    )
    return Asked(query, generation, zone, list_)


def address(text: str) -> str:
    """The address in `Name <address>`; the whole when there is none."""
    last = _BETWEEN.split(text.rstrip().removesuffix(">"))[-1]  # a search for it is quadratic
    return last or text


# -- which


def _states(given: Given) -> tuple[str, ...]:
    """The states that `events` names; none: all [3.1]."""
    asked = {value.lower(): sent for sent, value in each(given, "events", several=True)}
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
        for sent, value in each(given, name, several=matching.several):
            if len(value) > LONGEST_TEXT:
                raise BadInput.parameter(sent, f"expected up to {LONGEST_TEXT} characters")
            text = value.strip().lower() if matching.folded else value
            values.append(address(text) if matching.match is Match.ADDRESS else text)
        if values:
            yield Filter(matching.field, matching.match, tuple(values))


# -- which page


def _limit(name: str, text: str) -> int:
    """Clamped above [U-2]."""
    wanted = number(name, text)
    if not wanted:
        raise BadInput.parameter(name, "expected at least 1")
    return min(wanted, MOST_ROWS)


def _offset(name: str, text: str) -> int:
    """Refused above: clamped, it would give the same rows again and again."""
    wanted = number(name, text)
    if wanted > MOST_OFFSET:
        raise BadInput.parameter(name, f"expected up to {MOST_OFFSET}; go on with scrollid")
    return wanted


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
