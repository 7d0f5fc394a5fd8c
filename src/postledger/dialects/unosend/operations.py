"""The paths, as data: routes and the OpenAPI description are made of this."""

from postledger.dialects.unosend.tables import METADATA, RATES, STATES, SUMMARY
from postledger.dialects.wire import Operation, Parameter

DAYS, FIGURE_DAYS = (1, 90, 7), (1, 90, 30)
LIMIT, LINKS_LIMIT = (1, 100, 50), (1, 50, 10)
OFFSET = (0, 2**53 - 1, 0)
PAGE = (1, OFFSET[1] // LIMIT[1], 1)
"""Least, most, and default. The most of `offset` is what a number of JavaScript can say."""
GROUPS = ("day", "hour", "status")
"""Values of `group_by`, the default first [7]."""

_NAMES = list(METADATA)


def _bounded(least: int, most: int, default: int) -> tuple[tuple[str, object], ...]:
    limits = (("minimum", least), ("maximum", most), ("default", default))
    return (("type", "integer"), *limits)


def _days(limits: tuple[int, int, int]) -> Parameter:
    return Parameter("days", "So many times 24 hours back from now", schema=_bounded(*limits))


_OFFSET = _bounded(*OFFSET)
_EVENT_PARAMETERS = (
    Parameter("email_id", "Only events of this message, by its exact id"),
    Parameter(
        "event_type",
        f"Only events of this type: {', '.join(_NAMES)}. With another one nothing is found",
    ),
    _days(DAYS),
    Parameter("limit", "Events on a page", schema=_bounded(*LIMIT)),
    Parameter("offset", "Events to pass over, the newest first", schema=_OFFSET),
)
_LIST_PARAMETERS = (
    Parameter(
        "status",
        f"Only e-mails with this status: {', '.join(STATES)}. With another one nothing is found",
    ),
    _days(DAYS),
    Parameter("limit", "E-mails on a page", schema=_bounded(*LIMIT)),
    Parameter("offset", "E-mails to pass over, the newest first", schema=_OFFSET),
)
_LOG_PARAMETERS = (
    *_LIST_PARAMETERS,
    Parameter("email_id", "Only this message, by its exact id"),
    Parameter("search", "Part of the subject, of the recipient or of the sender, in any case"),
)
_EMAIL_PARAMETERS = (
    *_LIST_PARAMETERS,
    Parameter("per_page", "The same as `limit`, which goes first", schema=_bounded(*LIMIT)),
    Parameter("page", "Pages to pass over, and one; `offset` goes first", schema=_bounded(*PAGE)),
)
_GROUP_BY = (("type", "string"), ("enum", list(GROUPS)), ("default", GROUPS[0]))
_FIGURE_PARAMETERS = (
    _days(FIGURE_DAYS),
    Parameter("group_by", "What the series is made by; days and hours are UTC", schema=_GROUP_BY),
)
_LINK_PARAMETERS = (
    _days(FIGURE_DAYS),
    Parameter("limit", "Links, those with most clicks first", schema=_bounded(*LINKS_LIMIT)),
)


def _object(members: dict[str, object]) -> dict[str, object]:
    return {"type": "object", "properties": members, "required": list(members)}


def _list(items: object) -> dict[str, object]:
    return {"type": "array", "items": items}


def _enveloped(body: dict[str, object]) -> dict[str, object]:
    return {"anyOf": [_object({"success": {"const": True}, "data": body}), body]}


_TEXT, _MAYBE = {"type": "string"}, {"type": ["string", "null"]}
_WHOLE, _NUMBER = {"type": "integer"}, {"type": "number"}
_TIME = {"type": "string", "format": "date-time"}
_MAYBE_TIME = {"anyOf": [_TIME, {"type": "null"}]}
_TYPE = {"type": "string", "enum": _NAMES}
_MORE = {"type": "object", "additionalProperties": _MAYBE}
_PAGE = _object(
    {"total": _WHOLE, "limit": _WHOLE, "offset": _WHOLE, "has_more": {"type": "boolean"}}
)
_EVENT = _object(
    {
        "id": _TEXT,
        "email_id": _MAYBE,
        "type": _TYPE,
        "event_type": _TYPE,
        "metadata": _MORE,
        "created_at": _TIME,
        "email": {
            "anyOf": [_object({"to": _list(_TEXT), "subject": _TEXT}), {"type": "null"}],
        },
    }
)
_EVENTS = _object(
    {
        "data": _list(_EVENT),
        "pagination": _PAGE,
        "filters": _object({"email_id": _MAYBE, "event_type": _MAYBE, "days": _WHOLE}),
    }
)
_EMAIL_MEMBERS: dict[str, object] = {
    "id": _TEXT,
    "from": _TEXT,
    "from_email": _TEXT,
    "to": _list(_TEXT),
    "to_emails": _list(_TEXT),
    "subject": _TEXT,
    "status": {"type": "string", "enum": list(STATES)},
    "created_at": _TIME,
    "sent_at": _MAYBE_TIME,
    "delivered_at": _MAYBE_TIME,
    "opened_at": _MAYBE_TIME,
    "bounced_at": _MAYBE_TIME,
    "scheduled_for": _MAYBE_TIME,
    "metadata": {"type": "object"},
}
_SHORT = _object({"type": _TYPE, "created_at": _TIME, "metadata": _MORE})
_EMAIL = _object({**_EMAIL_MEMBERS, "events": _list(_SHORT)})
_LOGS = _object(
    {
        "data": _list(_EMAIL),
        "pagination": _PAGE,
        "filters": _object({"status": _MAYBE, "days": _WHOLE, "search": _MAYBE}),
    }
)
_EMAILS = _object({"data": _list(_EMAIL), "total": _WHOLE, "limit": _WHOLE, "offset": _WHOLE})
_CLICKS = _object(
    {
        "email": _object(_EMAIL_MEMBERS),
        "links": _list(_object({"url": _TEXT, "count": _WHOLE})),
        "recentClicks": _list(_object({"created_at": _TIME, "url": _MAYBE})),
    }
)
_PERIOD = _object({"start": _TIME, "end": _TIME, "days": _WHOLE})
_COUNTS: dict[str, object] = dict.fromkeys(SUMMARY, _WHOLE)
_FIGURES = _object(
    {
        "period": _PERIOD,
        "summary": _object(_COUNTS),
        "rates": _object(dict.fromkeys(RATES, _NUMBER)),
        "time_series": _list(_object({"period": _TEXT, "count": _WHOLE})),
        **_COUNTS,
    }
)
_LINKS = _object(
    {
        "period": _PERIOD,
        "links": _list(
            _object({"url": _TEXT, "clicks": _WHOLE, "count": _WHOLE, "percentage": _NUMBER})
        ),
        "total_clicks": _WHOLE,
    }
)

PATHS = ("/v1/events", "/api/v1/events", "/events")
"""Base addresses with and without `/api` and `/v1` are in use [1]."""
LOGS = ("/v1/logs", "/api/v1/logs", "/logs")
EMAILS = ("/v1/emails", "/api/v1/emails", "/emails")
EMAIL = ("/v1/emails/{id:path}", "/api/v1/emails/{id:path}", "/emails/{id:path}")
METRICS = ("/v1/metrics",)
"""`/api/v1/metrics` is SparkPost's, and `/metrics` tells figures of this process."""
LINKS = ("/v1/metrics/links", "/api/v1/metrics/links", "/metrics/links")

OPERATIONS: tuple[Operation, ...] = (
    *(
        Operation(path, "Unosend: events", _EVENT_PARAMETERS, answer=_enveloped(_EVENTS))
        for path in PATHS
    ),
    *(
        Operation(path, "Unosend: e-mails", _LOG_PARAMETERS, answer=_enveloped(_LOGS))
        for path in LOGS
    ),
    *(
        Operation(path, "Unosend: e-mails, in plain pages", _EMAIL_PARAMETERS, answer=_EMAILS)
        for path in EMAILS
    ),
    *(
        Operation(
            path,
            "Unosend: an e-mail with its events; with `/clicks` behind its id, its clicks",
            answer={"anyOf": [_enveloped(_EMAIL), _enveloped(_CLICKS)]},
        )
        for path in EMAIL
    ),
    *(
        Operation(path, "Unosend: figures", _FIGURE_PARAMETERS, answer=_enveloped(_FIGURES))
        for path in METRICS
    ),
    *(
        Operation(path, "Unosend: links", _LINK_PARAMETERS, answer=_enveloped(_LINKS))
        for path in LINKS
    ),
)
