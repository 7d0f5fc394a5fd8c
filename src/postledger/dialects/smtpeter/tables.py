"""What the API can say, as tables: types, columns, statuses, operations."""

from collections.abc import Mapping
from dataclasses import dataclass

from postledger import errors
from postledger.dialects.wire import JSON, Operation, Parameter
from postledger.errors import PostledgerError

TYPES: dict[str, str | None] = {
    "injection": "attempt",
    "delivery": "delivery",
    "delay": None,  # a failure is logged when it is certain (section 4)
    "bounce": "failure",
    "out_of_band": "bounce",
    "spam_complaint": None,  # in a log file of its own only (U-9)
    "policy_rejection": None,  # refused before it was accepted, and so before any attempt
    "generation_failure": None,
    "generation_rejection": None,
    "open": "open",
    "initial_open": "open",
    "click": "click",
    "initial_click": "click",
    "amp_open": "open",
    "amp_initial_open": "open",
    "amp_click": "click",
    "list_unsubscribe": None,
    "link_unsubscribe": None,
    "response": "response",
    "scheduled": None,
    "cancelled": None,
    "unknown": None,
}
"""Our type of event -> `event`; None: it cannot say it."""

COLUMNS: dict[str, tuple[str, ...]] = {
    name: tuple(columns.split())
    for name, columns in {
        "attempt": "id time envelope recipient properties tags templateid",
        "bounce": "id time envelope recipient mime tags templateid",
        "click": "id time headers ip url destination tags recipient city countryname countrycode "
        "regioncode templateid",
        "delivery": "id time envelope recipient from to attempt tags templateid",
        "failure": "id time envelope recipient attempt from to type code status description state "
        "tags templateid",
        "open": "id time headers ip protocol tags recipient city countryname countrycode "
        "regioncode templateid",
        "response": "id time envelope recipient mime tags templateid",
    }.items()
}
"""`event` -> its columns, in the order of the log files (section 4)."""

MEMBERS: dict[str, str] = {
    "id": "message_id",
    "time": "time",
    "envelope": "msg_from",
    "recipient": "recipient",
    "properties": "properties",
    "tags": "tags",
    "templateid": "template",
    "mime": "nothing",  # events do not hold the source of a message
    "headers": "headers",
    "ip": "ip_address",
    "url": "target_link_url",
    "destination": "target_link_url",  # one address is known of a link
    "protocol": "nothing",
    "city": "city",
    "countryname": "country_name",
    "countrycode": "country_code",
    "regioncode": "region",
    "from": "sending_ip",
    "to": "ip_address",
    "attempt": "attempt",
    "type": "result",
    "code": "error_code",
    "status": "status",
    "description": "description",
    "state": "nothing",
}
"""Column -> member of `Event`."""


@dataclass(frozen=True, slots=True)
class Log:
    """A kind of log file: the types of its events, the metric that counts them, its columns."""

    types: tuple[str, ...]
    metric: str
    columns: tuple[str, ...]


def _log(event: str, metric: str) -> Log:
    types = tuple(ours for ours, theirs in TYPES.items() if theirs == event)
    return Log(types, metric, COLUMNS[event])


LOGS: dict[str, Log] = {
    "abuses": Log(
        ("spam_complaint",),
        "count_spam_complaint",
        ("id", "time", "envelope", "recipient", "tags", "templateid"),
    ),
    "attempts": _log("attempt", "count_injected"),
    "bounces": _log("bounce", "count_outofband_bounce"),
    "clicks": _log("click", "_click"),
    "deliveries": _log("delivery", "count_delivered"),
    "failures": _log("failure", "count_inband_bounce"),
    "opens": _log("open", "_opening"),
    "responses": _log("response", "_response"),
}
"""Prefix of a log file -> what is in it (sections 4 and 5). There are no DMARC reports among
events, and so no file `dmarc`."""

NUMBERS = frozenset({"templateid", "attempt", "code"})
"""Columns that are JSON numbers where a workspace wants that, and the value is one (U-2)."""

STATUS: dict[type[PostledgerError], int] = {
    PostledgerError: 500,
    errors.BadInput: 400,
    errors.BadCursor: 400,
    errors.Unreadable: 400,
    errors.Unsupported: 415,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.WrongMethod: 405,
    errors.UriTooLong: 414,
    errors.TooLarge: 413,
    errors.RateLimited: 429,
    errors.NotOffered: 501,
    errors.Unexpected: 500,
    errors.Busy: 503,
    errors.StoreUnavailable: 503,
    errors.StoreFull: 503,
    errors.StoreAway: 503,
}

_DAY = (("type", "string"), ("format", "date"))
_PARAMETERS = (
    Parameter("start", "First day, UTC; without `end` the period is a month from it", schema=_DAY),
    Parameter(
        "end", "Day after the last one, UTC; without `start` the month before it", schema=_DAY
    ),
    Parameter("tags", "Only of messages that have all of these tags, separated by `;`"),
)
_ANSWER: Mapping[str, object] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "event": {"type": "string", "enum": list(COLUMNS)},
            "data": {
                "type": "object",
                "additionalProperties": {"type": ["string", "integer"]},
            },
        },
        "required": ["event"],
    },
}
FIELDS: dict[str, str] = {
    "messageid": "message_id",
    "email": "rcpt_to",
    "template": "template_id",
    "tags": "rcpt_tags",
}
"""Kind of the call -> the field that its value is compared with (section 2)."""
_WHOSE = {
    "messageid": "of a message",
    "email": "of a recipient",
    "template": "of a template",
    "tags": "with all of these tags, separated by `;` or `/`",
}


@dataclass(frozen=True, slots=True)
class Form:
    """In what form a log file is asked for; `header`: with the names of the columns."""

    media_type: str
    header: bool = False


CSV, XML = "text/csv", "application/xml"
FORMS: dict[str, Form] = {
    "": Form(CSV),
    "/header": Form(CSV, header=True),
    "/csv": Form(CSV),
    "/csv/header": Form(CSV, header=True),
    "/json": Form(JSON),
    "/xml": Form(XML),
}
"""What follows the name of a log file in the path -> its form (section 5)."""
LOGFILES = "/v1/logfiles"
NAMED: dict[str, str] = {f"{LOGFILES}/{{name}}{end}": end for end in FORMS}

PATHS: dict[str, str] = {kind: f"/v1/events/{kind}/{{value:path}}" for kind in FIELDS}
_LIST: Mapping[str, object] = {"type": "array", "items": {"type": "string"}}
_ROWS: Mapping[str, object] = {
    "type": "array",
    "items": {"type": "object", "additionalProperties": {"type": ["string", "integer"]}},
}
_FILES: dict[str, str] = {
    "": "the log files of a day; a log file as CSV",
    "/header": "a log file as CSV, the names of its columns first",
    "/csv": "a log file as CSV",
    "/csv/header": "a log file as CSV, the names of its columns first",
    "/json": "a log file as JSON",
    "/xml": "a log file as XML",
}


def _file(path: str, end: str) -> Operation:
    kind = FORMS[end].media_type
    if end == "":
        return Operation(path, f"SMTPeter: {_FILES[end]}", answer=_LIST, others=(kind,))
    answer = _ROWS if kind == JSON else {"type": "string"}
    return Operation(path, f"SMTPeter: {_FILES[end]}", answer=answer, media_type=kind)


OTHERS: tuple[str, ...] = (
    *("send", "resend", "recipient", "envelope", "text", "html", "headers"),
    *("attachments", "embeds", "dmarc", "datarequest", "stats", "recent-tags", "tag"),
)
"""Other calls of the original, below `/v1` (section 6): not here, and refused its way."""

OPERATIONS: tuple[Operation, ...] = (
    *(
        Operation(path, f"SMTPeter: events {_WHOSE[kind]}", _PARAMETERS, answer=_ANSWER)
        for kind, path in PATHS.items()
    ),
    Operation(LOGFILES, "SMTPeter: days that have log files", answer=_LIST),
    *(_file(path, end) for path, end in NAMED.items()),
)
