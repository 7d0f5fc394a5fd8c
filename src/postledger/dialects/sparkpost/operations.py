"""The paths that the API answers, as data. Contract `bird-sparkpost.md`, sections 1, 3, 5 and 9."""

from postledger.dialects.sparkpost.metrics_operations import METRICS_OPERATIONS
from postledger.dialects.sparkpost.schemas import Schema, array_of, object_of
from postledger.dialects.sparkpost.search import (
    DEFAULT_PER_PAGE,
    LISTS,
    MOST,
    OLD_LISTS,
    List,
)
from postledger.dialects.sparkpost.tables import (
    FIELDS,
    GROUPS,
    INGEST_EVENTS,
    SERVED,
    WEBHOOK_EVENTS,
    Form,
)
from postledger.dialects.wire import Operation, Parameter
from postledger.events import FIELD
from postledger.query import Match

MESSAGE = "/api/v1/events/message"
BIRD = "/api/workspaces/{workspaceId}/reach/events/message"
INGEST_PATH = "/api/v1/events/ingest"
OLD = "/api/v1/message-events"
WEBHOOK = "/api/v1/webhooks/events"

_TEXT: Schema = {"type": "string"}
_ANY_OBJECT: Schema = {"type": "object", "additionalProperties": True}
_SCHEMAS: dict[Form, Schema] = {
    Form.TEXT: _TEXT,
    Form.NUMBER: {"type": "string", "pattern": "^-?[0-9]+$"},
    Form.FLAG: {"type": "boolean"},
    Form.FLAG_TEXT: {"type": "string", "enum": ["0", "1"]},
    Form.ID: {"type": ["integer", "string"]},
    Form.TIME: {"type": "string", "format": "date-time"},
    Form.TEXTS: {"type": "array", "items": _TEXT},
    Form.OBJECT: _ANY_OBJECT,
    Form.PLACE: _ANY_OBJECT,
    Form.KEPT: {},
    Form.KEPT_TEXT: {},
}


_EVENT: Schema = {
    "type": "object",
    "properties": {"type": {"type": "string", "enum": list(SERVED)}}
    | {
        name: _SCHEMAS[field.form] | {"description": field.meaning}
        for name, field in FIELDS.items()
    },
    "required": ["type", "timestamp", "event_id"],
}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_LINKS: Schema = {
    "type": "object",
    "properties": {"next": {"type": "string", "description": "Path and query of the next page"}},
    "additionalProperties": False,
}
_FOUND = object_of({"results": array_of(_EVENT), "total_count": _COUNT, "links": _LINKS})
_RELATIONS: Schema = {"type": "string", "enum": ["first", "previous", "next", "last"]}
_OLD_FOUND = object_of(
    {
        "results": array_of(_ANY_OBJECT),
        "total_count": _COUNT,
        "links": array_of(object_of({"href": _TEXT, "rel": _RELATIONS})),
    }
)
_DESCRIBED: Schema = {
    "type": "object",
    "additionalProperties": object_of({"description": _TEXT, "sampleValue": {}}),
}
_GROUP = object_of(
    {
        "events": {
            "type": "object",
            "additionalProperties": object_of(
                {"event": _DESCRIBED, "description": _TEXT, "display_name": _TEXT}
            ),
        },
        "description": _TEXT,
        "display_name": _TEXT,
    }
)
_WRAPPED = object_of({"msys": {"type": "object", "properties": dict.fromkeys(GROUPS, _ANY_OBJECT)}})


def _results(schema: Schema) -> Schema:
    return object_of({"results": schema})


_FROM = Parameter("from", "First time, inclusive: YYYY-MM-DDTHH:MM:SSZ; default 24 hours ago")
_TO = Parameter("to", "Last time, exclusive, in the same form; default one minute ago")
_CURSOR = Parameter(
    "cursor",
    "`initial`, or the place in a list that `links.next` has",
    schema=(("type", "string"), ("default", "initial")),
)
_PER_PAGE = Parameter(
    "per_page",
    "Most events of a page",
    schema=(
        ("type", "integer"),
        ("minimum", 1),
        ("maximum", MOST),
        ("default", DEFAULT_PER_PAGE),
    ),
)
_PAGE = Parameter(
    "page",
    "Number of the page",
    schema=(("type", "integer"), ("minimum", 1), ("maximum", 2**31 - 1), ("default", 1)),
)
_DELIMITER = Parameter(
    "delimiter",
    "What stands between the values of a list",
    schema=(("type", "string"), ("default", ",")),
)
_ZONE = Parameter("timezone", "Time zone (tz database) of times that name none; default UTC")
_REASON = Parameter("reason", "Text that the reason has; `%` stands for any text")
_RETRYABLE = Parameter(
    "retryable", "Only batches that may be handed in again, or not", schema=(("type", "boolean"),)
)


def _events(*known: str) -> Parameter:
    return Parameter("events", f"Types, a list: any of {', '.join(known)}; default all")


_HOW = {
    Match.TOKENS: "; whole words between spaces, dashes and underscores",
    Match.DOMAIN_TOKENS: "; whole words between periods, dashes and underscores",
}
_ALL_TYPES = _events(*SERVED)


def _list(name: str, column: List) -> Parameter:
    meaning = FIELD[column.field].meaning
    return Parameter(name, f"{meaning}, a list{_HOW.get(column.match, '')}")


_SEARCH = (
    *(_FROM, _TO, _CURSOR, _PER_PAGE, _DELIMITER, _ALL_TYPES),
    *(_list(name, column) for name, column in LISTS.items()),
    *(_PAGE, _ZONE),
)
_OLD_SEARCH = (
    *(_FROM, _TO, _PAGE, _PER_PAGE, _DELIMITER, _ALL_TYPES),
    *(_list(name, column) for name, column in OLD_LISTS.items()),
    *(_REASON, _ZONE),
)
_INGEST_SEARCH = (
    *(_FROM, _TO, _CURSOR, _PER_PAGE, _DELIMITER, _events(*INGEST_EVENTS), _RETRYABLE),
    _list("subaccounts", LISTS["subaccounts"]),
    Parameter("event_ids", "Ids of events, a list"),
    Parameter("batch_ids", "Ids of batches, a list"),
    Parameter("error_types", "Kinds of failure, a list"),
)
_SAMPLES = (_ALL_TYPES, _DELIMITER)

OPERATIONS: tuple[Operation, ...] = (
    Operation(MESSAGE, "SparkPost: search for events", _SEARCH, answer=_FOUND),
    Operation(BIRD, "Bird: search for events", _SEARCH, answer=_FOUND),
    *(
        Operation(
            f"{mount}/documentation",
            "SparkPost: fields of each type of event",
            scope=None,
            answer=_results(array_of(_DESCRIBED)),
        )
        for mount in (MESSAGE, BIRD)
    ),
    *(
        Operation(
            f"{mount}/samples",
            "SparkPost: a sample of each type of event",
            _SAMPLES,
            answer=_results(array_of(_EVENT)),
        )
        for mount in (MESSAGE, BIRD)
    ),
    Operation(INGEST_PATH, "SparkPost: search for ingest events", _INGEST_SEARCH, answer=_FOUND),
    Operation(
        f"{WEBHOOK}/documentation",
        "SparkPost: fields of each type of event in webhooks",
        answer=_results({"type": "object", "additionalProperties": _GROUP}),
    ),
    Operation(
        f"{WEBHOOK}/samples",
        "SparkPost: a sample of each type of event in webhooks",
        (_events(*SERVED, *WEBHOOK_EVENTS), _DELIMITER),
        answer=_results(array_of(_WRAPPED)),
    ),
    Operation(OLD, "SparkPost: search for events, older form", _OLD_SEARCH, answer=_OLD_FOUND),
    Operation(
        f"{OLD}/events/samples",
        "SparkPost: a sample of each type of event, older form",
        _SAMPLES,
        answer=_results(array_of(_ANY_OBJECT)),
    ),
    *METRICS_OPERATIONS,
)
