"""Query parameters of our own API as values of the domain: pure, the time is an argument.

Contract `native.md`, section 5. Names, limits and defaults stand in `EVENTS` and `FEED`, from which
the OpenAPI description is made too.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from postledger import cursor
from postledger.dialects.wire import Parameter
from postledger.errors import BadCursor, BadInput, Problem
from postledger.events import EVENT_TYPES, FIELD, Kind
from postledger.query import FILTERS, EventQuery, FeedQuery, Filter, Place

MOST = 10_000
DEFAULT_LIMIT = 100
DEFAULT_SPAN = timedelta(hours=24)
AHEAD = timedelta(minutes=1)
"""How far ahead of now a list goes that has no `to`: the clocks of sources differ."""

Pairs = Iterable[tuple[str, str]]
Given = dict[str, list[str]]


_LIMIT = Parameter(
    "limit",
    f"Most events of a page, 1 to {MOST}; default {DEFAULT_LIMIT}",
    schema=(("type", "integer"), ("minimum", 1), ("maximum", MOST), ("default", DEFAULT_LIMIT)),
)
EVENTS: tuple[Parameter, ...] = (
    Parameter("from", "RFC 3339 or YYYY-MM-DD (UTC), inclusive; default 24 hours before `to`"),
    Parameter("to", "RFC 3339 or YYYY-MM-DD (UTC), exclusive; default: one minute ahead of now"),
    *(
        Parameter(name, f"{FIELD[field].meaning}; compared: {match.value}", repeatable=True)
        for name, (field, match) in FILTERS.items()
    ),
    Parameter(
        "order",
        "`desc` (default): newest first, or `asc`; by timestamp, then event id",
        schema=(("type", "string"), ("enum", ["desc", "asc"]), ("default", "desc")),
    ),
    _LIMIT,
    Parameter("cursor", "The `next` of the page before; all other parameters the same"),
    Parameter(
        "total",
        "`true`: add the number of all matches",
        schema=(("type", "boolean"), ("default", False)),
    ),
)
FEED: tuple[Parameter, ...] = (
    Parameter(
        "after",
        "The `next` of the page before; absent: from the first event stored; `end`: no events, "
        "and a `next` that stands at the end",
    ),
    _LIMIT,
)


@dataclass(frozen=True, slots=True)
class EventsRequest:
    query: EventQuery
    with_total: bool
    identity: list[object]
    """What says which list it is, for its cursors."""


def events(pairs: Pairs, workspace: str, now: datetime) -> EventsRequest:
    """The request for a page of events. Raises BadInput that names the parameter."""
    given = collect(pairs, EVENTS)
    filters = filters_of(given)
    order = _choice(given, "order", ("desc", "asc"))
    identity: list[object] = ["events", workspace, order, given.get("from"), given.get("to")]
    identity += [[f.field, *f.values] for f in filters]
    start, end = range_of(given, now, DEFAULT_SPAN)
    query = EventQuery(workspace, start, end, filters, order == "desc", _limit(given))
    if "cursor" in given:
        query = _continue(query, cursor.decode(identity, given["cursor"][0]))
    return EventsRequest(query, _choice(given, "total", ("false", "true")) == "true", identity)


def events_cursor(request: EventsRequest, place: Place) -> str:
    """The cursor for the page after `place`. It keeps the range too, since a default one moves."""
    query = request.query
    marks: cursor.Position = [_to_ms(query.start), _to_ms(query.end), _to_ms(place.timestamp)]
    return cursor.encode(request.identity, [*marks, place.event_id])


_Ms = Annotated[int, Meta(ge=-62_135_596_800_000, lt=253_402_300_800_000)]
"""A time that there is, in unix milliseconds: of the years 1 to 9999."""
_Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)]
T = TypeVar("T")


def _continue(query: EventQuery, position: cursor.Position) -> EventQuery:
    start, end, timestamp, event_id = _shaped("cursor", position, tuple[_Ms, _Ms, _Ms, str])
    after = Place(_from_ms(timestamp), event_id)
    return replace(query, start=_from_ms(start), end=_from_ms(end), after=after)


def _shaped(name: str, position: cursor.Position, shape: type[T]) -> T:
    """What a cursor of ours has; one that was made up may have anything. Raises BadCursor."""
    try:
        return msgspec.convert(position, shape)
    except msgspec.ValidationError as error:
        raise BadCursor(f"{name} is damaged", Problem("is damaged", parameter=name)) from error


def feed(pairs: Pairs, workspace: str) -> tuple[FeedQuery, bool]:
    """The request for a page of the feed, and whether it asks for the end only."""
    given = collect(pairs, FEED)
    limit = _limit(given)
    text = given["after"][0] if "after" in given else None
    if text is None or text == "end":
        return FeedQuery(workspace, 0, limit), text == "end"
    place = cursor.decode(["feed", workspace], text, parameter="after")
    (position,) = _shaped("after", place, tuple[_Seq])
    return FeedQuery(workspace, position, limit), False


def feed_cursor(workspace: str, position: int) -> str:
    return cursor.encode(["feed", workspace], [position])


def flag(pairs: Pairs, name: str) -> bool:
    """The only parameter of a request, a boolean that is false when absent."""
    given = collect(pairs, (Parameter(name, ""),))
    return _choice(given, name, ("false", "true")) == "true"


def none(pairs: Pairs) -> None:
    """Raises BadInput when there is any parameter."""
    collect(pairs, ())


# -- pieces


def collect(pairs: Pairs, known: Sequence[Parameter]) -> Given:
    """The values of each parameter. Raises BadInput for one that is not `known`, or repeated."""
    table = {parameter.name: parameter for parameter in known}
    given: Given = {}
    problems = []
    for name, value in pairs:
        if name not in table:
            problems.append(Problem("is not a parameter of this request", parameter=name))
        elif name in given and not table[name].repeatable:
            problems.append(Problem("is given twice", parameter=name))
        given.setdefault(name, []).append(value)
    if problems:
        names = ", ".join(table) or "none"
        first = f"{problems[0].parameter} {problems[0].message}"
        raise BadInput(f"{first}; parameters are: {names}", *problems)
    return given


def filters_of(given: Given) -> tuple[Filter, ...]:
    """The filters of section 5."""
    return tuple(_filter(name, given[name]) for name in FILTERS if name in given)


def _filter(name: str, texts: Sequence[str]) -> Filter:
    field, match = FILTERS[name]
    convert: Callable[[str], str | int] = str
    if FIELD[field].kind is Kind.INTEGER:
        convert = integer(name)
    elif field == "type":
        convert = _event_type
    elif field == "rcpt_to":
        convert = str.lower
    return Filter(field, match, tuple(convert(text) for text in texts))


def _event_type(text: str) -> str:
    if text not in EVENT_TYPES:
        raise BadInput.parameter("type", f"{text} is none of {', '.join(EVENT_TYPES)}")
    return text


def integer(name: str, least: int = -(2**63), most: int = 2**63 - 1) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,19}", text) or not least <= int(text) <= most:
            raise BadInput.parameter(name, f"expected an integer from {least} to {most}")
        return int(text)

    return convert


def _limit(given: Given) -> int:
    return integer("limit", 1, MOST)(given.get("limit", [str(DEFAULT_LIMIT)])[0])


def _choice(given: Given, name: str, choices: Sequence[str]) -> str:
    text = given.get(name, [choices[0]])[0]
    if text not in choices:
        raise BadInput.parameter(name, f"expected {' or '.join(choices)}")
    return text


def range_of(given: Given, now: datetime, span: timedelta) -> tuple[datetime, datetime]:
    """`from` and `to`; `span` is how long the range is by default."""
    end = _time("to", given["to"][0]) if "to" in given else now + AHEAD
    start = _time("from", given["from"][0]) if "from" in given else _before(given, end, now, span)
    if start > end:
        future = "is in the future; `to` is now when it is not given"
        raise BadInput.parameter("from", "is after `to`" if "to" in given else future)
    return start, end


def _before(given: Given, end: datetime, now: datetime, span: timedelta) -> datetime:
    last = end if "to" in given else now
    return last - min(span, last - _FIRST)


_FIRST = datetime.min.replace(tzinfo=UTC)
_TIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<part>\d+))?(?P<zone>[Zz]|[+ -]\d\d:\d\d))?"
)


def _time(name: str, text: str) -> datetime:
    """A day, or a time with its zone. A raw `+` in a query arrives as a space, and is meant."""
    found = _TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)  # noqa: TRY301 -- one message for all that is no time
        if found["clock"] is None:
            return datetime.combine(date.fromisoformat(found["day"]), datetime.min.time(), UTC)
        zone = found["zone"].upper().replace("Z", "+00:00").replace(" ", "+")
        part = (found["part"] or "").ljust(6, "0")[:6]
        whole = datetime.fromisoformat(f"{found['day']}T{found['clock']}.{part}{zone}")
        return whole.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput.parameter(
            name, "expected a time such as 2026-11-20T09:30:00Z, or a day such as 2026-11-20"
        ) from error


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _to_ms(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(milliseconds=1)


def _from_ms(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)
