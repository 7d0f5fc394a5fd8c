"""From a call to a question [2, 7]."""

import re
from dataclasses import dataclass
from datetime import timedelta

from postledger.dialects.unosend.operations import (
    DAYS,
    FIGURE_DAYS,
    GROUPS,
    LIMIT,
    LINKS_LIMIT,
    OFFSET,
    PAGE,
)
from postledger.dialects.unosend.tables import STAGES, STATES, TYPES
from postledger.dialects.wire import Call
from postledger.errors import BadInput
from postledger.query import EventQuery, Filter, Match, MessageQuery

AHEAD = timedelta(minutes=1)
"""How far ahead of us the clock of a source may be, for its events to be shown at once."""
SEARCHED = ("subject", "rcpt_to", "friendly_from")
"""Fields in any of which `search` may be found; [7] does not say."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of the events list as they are applied."""

    email_id: str | None
    event_type: str | None
    days: int
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class AskedLogs:
    """The parameters of the logs as they are applied."""

    status: str | None
    email_id: str | None
    search: str | None
    days: int
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class AskedFigures:
    """The parameters of the metrics as they are applied."""

    days: int
    group_by: str


@dataclass(frozen=True, slots=True)
class AskedLinks:
    """The parameters of the list of links as they are applied."""

    days: int
    limit: int


def parse(call: Call) -> Asked:
    """What a call asks of the events."""
    return Asked(
        email_id=_first(call, "email_id"),
        event_type=_first(call, "event_type"),
        days=_clamped(call, "days", *DAYS),
        limit=_clamped(call, "limit", *LIMIT),
        offset=_clamped(call, "offset", *OFFSET),
    )


def query(asked: Asked, call: Call) -> EventQuery:
    """The question that the parameters ask."""
    types = [
        ours for ours, theirs in TYPES.items() if theirs and asked.event_type in (None, theirs)
    ]
    filters = [Filter("type", Match.EQUAL, tuple(types))]
    if asked.email_id is not None:
        filters.append(Filter("message_id", Match.EQUAL, (asked.email_id,)))
    return EventQuery(
        call.workspace,
        call.now - timedelta(days=asked.days),
        call.now + AHEAD,
        tuple(filters),
        limit=asked.limit,
        offset=asked.offset,
    )


def parse_logs(call: Call) -> AskedLogs:
    """What a call asks of the e-mails."""
    return AskedLogs(
        status=_first(call, "status"),
        email_id=_first(call, "email_id"),
        search=_first(call, "search"),
        days=_clamped(call, "days", *DAYS),
        limit=_clamped(call, "limit", *LIMIT),
        offset=_clamped(call, "offset", *OFFSET),
    )


def parse_emails(call: Call) -> AskedLogs:
    """What a call asks of the list of e-mails: a page by `limit` and `offset`, or by `per_page` and
    `page`, as the two clients have it."""
    limit = _clamped(call, "limit", *LIMIT[:2], _clamped(call, "per_page", *LIMIT))
    before = (_clamped(call, "page", *PAGE) - 1) * limit
    return AskedLogs(
        status=_first(call, "status"),
        email_id=None,
        search=None,
        days=_clamped(call, "days", *DAYS),
        limit=limit,
        offset=_clamped(call, "offset", *OFFSET[:2], before),
    )


def query_logs(asked: AskedLogs, call: Call) -> MessageQuery | None:
    """The question that the parameters ask; None: nothing has such a status, as with types of
    events [U-5]."""
    if asked.status is not None and asked.status not in STATES:
        return None
    return MessageQuery(
        call.workspace,
        call.now - timedelta(days=asked.days),
        call.now + AHEAD,
        STAGES,
        _filters(asked.email_id, Match.EQUAL, "message_id"),
        () if asked.status is None else (asked.status,),
        limit=asked.limit,
        offset=asked.offset,
        alternatives=_filters(asked.search, Match.CONTAINS, *SEARCHED),
    )


def _filters(text: str | None, match: Match, *fields: str) -> tuple[Filter, ...]:
    return () if text is None else tuple(Filter(name, match, (text,)) for name in fields)


def parse_figures(call: Call) -> AskedFigures:
    """What a call asks of the figures. Raises BadInput: a series that there is not."""
    group_by = _first(call, "group_by") or GROUPS[0]
    if group_by not in GROUPS:
        raise BadInput.parameter("group_by", f"expected one of {', '.join(GROUPS)}")
    return AskedFigures(_clamped(call, "days", *FIGURE_DAYS), group_by)


def parse_links(call: Call) -> AskedLinks:
    """What a call asks of the links."""
    return AskedLinks(_clamped(call, "days", *FIGURE_DAYS), _clamped(call, "limit", *LINKS_LIMIT))


def _first(call: Call, name: str) -> str | None:
    given = call.given(name)
    return given[0] or None if given else None


_NUMERAL = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]*)?\s*")


def _clamped(call: Call, name: str, least: int, most: int, default: int) -> int:
    text = _first(call, name)
    if text is None or not _NUMERAL.fullmatch(text):
        return default
    return int(min(max(float(text), least), most))
