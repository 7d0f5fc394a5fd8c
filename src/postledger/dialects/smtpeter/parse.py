"""From a call to a question."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from postledger.dialects.smtpeter.tables import FIELDS, TYPES
from postledger.dialects.wire import Call
from postledger.errors import BadInput, Unauthenticated
from postledger.query import EventQuery, Filter, Match

AT_ONCE = 10_000
"""Events that are read and rendered together."""
MOST_TAGS = 100
AHEAD = timedelta(minutes=1)
"""How far ahead of us the clock of a source may be, for its events to be shown at once."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` (inclusive) to `end` (exclusive), UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call asks for. Without a period: from the sending of message `value` on.

    `filters` are about an event, `of_messages` about its message: not every event of it tells its
    tags and its template (section 2).
    """

    value: str
    filters: tuple[Filter, ...]
    period: Period | None
    of_messages: tuple[Filter, ...] = ()


def key(call: Call) -> str:
    """The key that a request carries. Raises Unauthenticated when it carries none."""
    found = _first(call, "access_token")
    if found is None:
        raise Unauthenticated("Send an access token: ?access_token=TOKEN")
    return found


def parse(call: Call, kind: str) -> Asked:
    """The value, the filters and the period of a call. Raises BadInput."""
    value = call.path.partition(f"/{kind}/")[2]  # may have slashes of its own
    filters = [Filter("type", Match.EQUAL, tuple(ours for ours, theirs in TYPES.items() if theirs))]
    of_messages = _tag_filters(call, value if kind == "tags" else "")
    if kind != "tags":
        chosen = Filter(FIELDS[kind], Match.EQUAL, (_exact(kind, value),))
        (of_messages if kind == "template" else filters).insert(0, chosen)
    return Asked(value, tuple(filters), _period(call, kind), tuple(of_messages))


def query(asked: Asked, call: Call, began: datetime | None = None) -> EventQuery | None:
    """The question. `began`: when the message was sent, needed where the call has no period; None:
    nothing is known of it, and there is no question."""
    period = asked.period
    if period is None:
        if began is None:
            return None
        period = Period(began, months_after(began, 1))
    return EventQuery(
        call.workspace,
        period.start,
        period.end,
        asked.filters,
        descending=False,
        limit=AT_ONCE,
        of_messages=asked.of_messages,
    )


def _first(call: Call, name: str) -> str | None:
    given = call.given(name)
    return given[0] or None if given else None


def _exact(kind: str, value: str) -> str:
    """Addresses are compared in lower case (U-5), and templates by their text (U-8)."""
    return value.rstrip("/").lower() if kind == "email" else value


def _tag_filters(call: Call, path: str) -> list[Filter]:
    texts = [*path.split("/"), *call.given("tags")]
    tags = dict.fromkeys(tag.strip() for text in texts for tag in text.split(";"))
    wanted = [tag for tag in tags if tag]
    if path and not wanted:
        raise BadInput.parameter("tags", "name at least one tag")
    if len(wanted) > MOST_TAGS:
        raise BadInput.parameter("tags", f"at most {MOST_TAGS} tags")
    return [Filter("rcpt_tags", Match.MEMBER, (tag,)) for tag in wanted]


def _period(call: Call, kind: str) -> Period | None:
    """Section 2.1."""
    start, end = _day(call, "start"), _day(call, "end")
    if start is None and end is None:
        now = call.now
        return None if kind == "messageid" else Period(months_after(now, -1), now + AHEAD)
    if start is None or end is None:
        first = start or months_after(end or call.now, -1)
        return Period(first, end or months_after(first, 1))
    if start >= end:
        raise BadInput.parameter("end", "must be a later day than start, since it is exclusive")
    return Period(start, min(end, months_after(start, 1)))


_DAY_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _day(call: Call, name: str) -> datetime | None:
    text = _first(call, name)
    if text is None:
        return None
    found = midnight(text)
    if found is None:
        raise BadInput.parameter(name, "expected a day such as 2026-11-20 (yyyy-mm-dd)")
    return found


def midnight(text: str) -> datetime | None:
    """The start of a day; None: the text is none."""
    try:
        found = date.fromisoformat(text) if _DAY_FORM.fullmatch(text) else None
    except ValueError:
        return None
    return datetime.combine(found, time(), UTC) if found else None


def months_after(moment: datetime, months: int) -> datetime:
    """The same day so many calendar months later, or the last one of that month (U-10)."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if year < date.min.year:
        return datetime.min.replace(tzinfo=UTC)
    if year > date.max.year:
        return datetime.max.replace(tzinfo=UTC)
    day = min(moment.day, monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
