"""Unosend's events API: contract `unosend.md`.

* times are UTC, `YYYY-MM-DDTHH:MM:SS.mmmZ` (section 3)
* the window is `days` times 24 hours back from now, by the time of the event; its start is
  inclusive (U-4, U-12)
* each parameter has one value; the first counts, a blank one counts as absent. What is out of range
  is moved to the nearest end, what is no number is the default (U-3)
* paging by `limit` and `offset`, the newest first (section 2)
* the key travels in `Authorization: Bearer KEY` (section 1)
* failures are JSON always, since its clients take anything else for a broken network, and try
  again (section 5)
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from postledger import errors
from postledger.dialects.wire import JSON, Allowance, Call, Operation, Parameter, Reply
from postledger.errors import BadInput, PostledgerError, RateLimited, Unauthenticated
from postledger.query import Envelope, EventQuery, Filter, Match, Page

NAME = "unosend"
SECURITY: Mapping[str, Mapping[str, str]] = {"key": {"type": "http", "scheme": "bearer"}}
PREFIXES: tuple[str, ...] = ("/v1", "/events", "/api/v1/events")
LONGEST_URI = 16384
AHEAD = timedelta(minutes=1)
"""How far ahead of us the clock of a source may be, for its events to be shown at once."""

TYPES: dict[str, str | None] = {
    "injection": "sent",
    "delivery": "delivered",
    "delay": None,  # it may be delivered yet; a client takes `bounced` for an end
    "bounce": "bounced",
    "out_of_band": "bounced",
    "spam_complaint": "complained",
    "policy_rejection": None,  # `failed` is a status of messages, not a type of events (section 4)
    "generation_failure": None,
    "generation_rejection": None,
    "open": "opened",
    "initial_open": "opened",
    "click": "clicked",
    "initial_click": "clicked",
    "amp_open": "opened",
    "amp_initial_open": "opened",
    "amp_click": "clicked",
    "list_unsubscribe": "unsubscribed",
    "link_unsubscribe": "unsubscribed",
    "response": None,
    "scheduled": None,
    "cancelled": None,
    "unknown": None,
}
"""Our type of event -> `type`; None: it cannot say it, and does not count it."""

METADATA: dict[str, dict[str, str]] = {
    "sent": {"message_id": "message_id"},
    "delivered": {"smtp_response": "smtp_response"},
    "opened": {"user_agent": "user_agent", "ip_address": "ip_address", "ip": "ip_address"},
    "clicked": {
        "url": "target_link_url",
        "user_agent": "user_agent",
        "ip_address": "ip_address",
        "ip": "ip_address",
        "link": "target_link_url",
    },
    "bounced": {"bounce_type": "bounce_type", "reason": "why", "bounce_reason": "why"},
    "complained": {"complaint_type": "fbtype"},
    "unsubscribed": {},
}
"""`type` -> key of `metadata` -> member of `Event`. Beside the documented keys the other spellings
that its clients and webhooks have (section 4, U-7). Null: the event does not tell."""

HARD_CLASSES = frozenset({10, 30, 90})
"""Classes of bounces (contract `bird-sparkpost.md`, section 7) that are of no use to try again."""

STATUS: dict[type[PostledgerError], tuple[int, str]] = {
    PostledgerError: (500, "internal_server_error"),
    errors.BadInput: (400, "validation_error"),
    errors.BadCursor: (400, "validation_error"),
    errors.Unreadable: (400, "invalid_json"),
    errors.Unsupported: (415, "validation_error"),
    errors.Unauthenticated: (401, "invalid_api_key"),
    errors.Forbidden: (403, "insufficient_permissions"),
    errors.NotFound: (404, "not_found"),
    errors.WrongMethod: (405, "method_not_allowed"),
    errors.UriTooLong: (414, "validation_error"),
    errors.TooLarge: (413, "validation_error"),
    errors.RateLimited: (429, "rate_limit_exceeded"),
    errors.NotOffered: (501, "not_implemented"),
    errors.Unexpected: (500, "internal_server_error"),
    errors.Busy: (503, "service_unavailable"),
    errors.StoreUnavailable: (503, "service_unavailable"),
    errors.StoreFull: (503, "service_unavailable"),
}
"""HTTP status and `error.code` (section 5). `method_not_allowed` and `not_implemented` are ours:
the documented list has nothing for them."""

_NO_KEY = "missing_api_key"


# -- operations


def _integer(least: int, most: int, default: int) -> tuple[tuple[str, object], ...]:
    limits = (("minimum", least), ("maximum", most), ("default", default))
    return (("type", "integer"), *limits)


DAYS, LIMIT, OFFSET = (1, 90, 7), (1, 100, 50), (0, 2**53 - 1, 0)
"""Least, most, and default. The most of `offset` is what a number of JavaScript can say."""

_NAMES = list(METADATA)
_PARAMETERS = (
    Parameter("email_id", "Only events of this message, by its exact id"),
    Parameter(
        "event_type",
        f"Only events of this type: {', '.join(_NAMES)}. With another one nothing is found",
    ),
    Parameter("days", "So many times 24 hours back from now", schema=_integer(*DAYS)),
    Parameter("limit", "Events on a page", schema=_integer(*LIMIT)),
    Parameter("offset", "Events to pass over, the newest first", schema=_integer(*OFFSET)),
)


def _object(**members: object) -> dict[str, object]:
    return {"type": "object", "properties": members, "required": list(members)}


_TEXT, _NUMBER, _MAYBE = {"type": "string"}, {"type": "integer"}, {"type": ["string", "null"]}
_TYPE = {"type": "string", "enum": _NAMES}
_EMAIL = _object(to={"type": "array", "items": _TEXT}, subject=_TEXT)
_ROW = _object(
    id=_TEXT,
    email_id=_MAYBE,
    type=_TYPE,
    event_type=_TYPE,
    metadata={"type": "object", "additionalProperties": _MAYBE},
    created_at={"type": "string", "format": "date-time"},
    email={"anyOf": [_EMAIL, {"type": "null"}]},
)
_BODY = _object(
    data={"type": "array", "items": _ROW},
    pagination=_object(total=_NUMBER, limit=_NUMBER, offset=_NUMBER, has_more={"type": "boolean"}),
    filters=_object(email_id=_MAYBE, event_type=_MAYBE, days=_NUMBER),
)
_ANSWER = {"anyOf": [_object(success={"const": True}, data=_BODY), _BODY]}

PATHS = ("/v1/events", "/api/v1/events", "/events")
"""Base addresses with and without `/api` and `/v1` are in use (section 1)."""

OPERATIONS: tuple[Operation, ...] = tuple(
    Operation(path, "Unosend: events", _PARAMETERS, answer=_ANSWER) for path in PATHS
)


# -- from a call to a question


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters as they are applied."""

    email_id: str | None
    event_type: str | None
    days: int
    limit: int
    offset: int


def key(call: Call) -> str:
    """The key that a request carries. Raises Unauthenticated when it carries none."""
    scheme, _, found = call.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not found.strip():
        raise Unauthenticated("Send an API key: Authorization: Bearer KEY")
    return found.strip()


def parse(call: Call) -> Asked:
    """The parameters of a call."""
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


def _first(call: Call, name: str) -> str | None:
    given = call.given(name)
    return given[0] or None if given else None


_NUMERAL = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]*)?\s*")


def _clamped(call: Call, name: str, least: int, most: int, default: int) -> int:
    text = _first(call, name)
    if text is None or not _NUMERAL.fullmatch(text):
        return default
    return int(min(max(float(text), least), most))


# -- from events to a reply


class Event(msgspec.Struct, gc=False):
    """What is read of an event."""

    event_id: str
    type: str
    timestamp: str
    message_id: str | None = None
    smtp_response: str | None = None
    user_agent: str | None = None
    ip_address: str | None = None
    target_link_url: str | None = None
    reason: str | None = None
    raw_reason: str | None = None
    error_code: str | None = None
    bounce_class: int | None = None
    fbtype: str | None = None

    @property
    def why(self) -> str | None:
        return self.reason or self.raw_reason

    @property
    def bounce_type(self) -> str:
        """By the class; without one by the SMTP code; without both what a bounce is: for good."""
        if self.bounce_class is not None:
            return "hard" if self.bounce_class in HARD_CLASSES else "soft"
        return "soft" if (self.error_code or "").startswith("4") else "hard"


_EVENTS = msgspec.json.Decoder(list[Event])


def read(page: Page) -> list[Event]:
    """The events of a page."""
    return _EVENTS.decode(b"[" + b",".join(page.events) + b"]")


def messages(events: Sequence[Event]) -> list[str]:
    """The ids of the messages of these events, each once."""
    return list(dict.fromkeys(event.message_id for event in events if event.message_id))


def render(
    asked: Asked,
    call: Call,
    events: Sequence[Event],
    total: int,
    envelopes: Mapping[str, Envelope],
) -> Reply:
    """The answer to a call: a page, and how many events there are on all pages."""
    body: dict[str, Any] = {
        "data": [row(event, envelopes) for event in events],
        "pagination": {
            "total": total,
            "limit": asked.limit,
            "offset": asked.offset,
            "has_more": asked.offset + asked.limit < total,
        },
        "filters": {
            "email_id": asked.email_id,
            "event_type": asked.event_type,
            "days": asked.days,
        },
    }
    if call.options.get("unosend_envelope") != "unwrapped":
        body = {"success": True, "data": body}
    return Reply(msgspec.json.encode(body), headers=_rates(call.allowance))


def row(event: Event, envelopes: Mapping[str, Envelope]) -> dict[str, Any]:
    """An event as it is shown (section 3). `event_type` is the name that the types of the clients
    have for `type` (U-2)."""
    kind = TYPES[event.type] or ""
    message = envelopes.get(event.message_id or "")
    return {
        "id": event.event_id,
        "email_id": event.message_id,
        "type": kind,
        "event_type": kind,
        "metadata": {key: getattr(event, name) for key, name in METADATA[kind].items()},
        "created_at": event.timestamp,
        "email": message and {"to": message.recipients, "subject": message.subject},
    }


def _rates(allowance: Allowance | None) -> dict[str, str]:
    """Section 6."""
    if allowance is None:
        return {}
    return {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(allowance.remaining),
        "X-RateLimit-Reset": str(allowance.reset),
    }


# -- failures


def refuse(error: PostledgerError, call: Call) -> Reply:
    """The reply for a failure (section 5)."""
    status, code = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if isinstance(error, Unauthenticated) and not _has_key(call):
        code = _NO_KEY
    told: dict[str, Any] = {"code": code, "message": str(error) or error.title, "status": status}
    if isinstance(error, BadInput) and error.problems:
        told["details"] = {"errors": _problems(error, call)}
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        told["retry_after"] = retry_after
    body = msgspec.json.encode({"error": told})
    return Reply(body, status, JSON, _headers(error, call, retry_after))


def _headers(error: PostledgerError, call: Call, retry_after: int | None) -> dict[str, str]:
    allowance = call.allowance
    if isinstance(error, RateLimited) and error.limit:
        allowance = Allowance(error.limit, 0, int(call.now.timestamp()) + error.retry_after)
    headers = _rates(allowance)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def _has_key(call: Call) -> bool:
    try:
        return bool(key(call))
    except Unauthenticated:
        return False


def _problems(error: BadInput, call: Call) -> list[dict[str, Any]]:
    return [
        {
            "field": problem.parameter or problem.field,
            "message": problem.message,
            "value": next(iter(call.given(problem.parameter or "")), None),
        }
        for problem in error.problems
    ]
