"""The paths, as data: routes and the OpenAPI description are made of this."""

from collections.abc import Mapping

from postledger.dialects.netcore.tables import (
    AGGREGATES,
    COUNTERS,
    DOWNLOADS,
    EVENTS,
    GENERATIONS,
    LONGEST_PERIODS,
    LONGEST_TEXT,
    MOST_NAMED,
    MOST_OFFSET,
    MOST_PERIODS,
    MOST_ROWS,
    MOST_TAGS,
    STATES,
    STATS,
    TAGGED,
    Generation,
)
from postledger.dialects.wire import Operation, Parameter

_TEXT: Mapping[str, object] = {"type": "string"}
_WHOLE: Mapping[str, object] = {"type": "integer", "format": "int64"}
_SHORT = (("type", "string"), ("maxLength", LONGEST_TEXT))
_DAY = (("type", "string"), ("format", "date"))
_MOMENT = (("type", "string"), ("pattern", r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$"))
_ANY = "|".join(EVENTS)
_EVENTS = (("type", "string"), ("pattern", f"^({_ANY})(,({_ANY}))*$|^({'|'.join(AGGREGATES)})$"))
_WHICH = "States, with commas between them or each on its own; a total_ of them stands alone"
_FROM = "First day, in the time zone of the account"
_TO = "Last day, included; today unless given"
_TOKEN = "From the page before; all else but limit stays as it was"  # noqa: S105 -- a meaning

_OLDER = (
    Parameter("startdate", f"{_FROM}; needed", schema=_DAY),
    Parameter("enddate", _TO, schema=_DAY),
    Parameter("events", _WHICH, schema=_EVENTS),
    Parameter("email", "Recipient, in any case of letters", schema=_SHORT),
    Parameter("fromaddress", "Sender, in any case of letters", schema=_SHORT),
    Parameter("subject", "Part of the subject, in any case of letters", schema=_SHORT),
    Parameter("xapiheader", "The sender's own reference", schema=_SHORT),
    Parameter("messageid", "Message", schema=_SHORT),
    Parameter("scrollid", _TOKEN),
)
_NEWEST = (
    Parameter("start_date", f"{_FROM}; this or start_datetime is needed", schema=_DAY),
    Parameter("end_date", _TO, schema=_DAY),
    Parameter("start_datetime", "First second, instead of start_date", schema=_MOMENT),
    Parameter("end_datetime", "Last second, instead of end_date", schema=_MOMENT),
    Parameter("events", _WHICH, schema=_EVENTS),
    Parameter("recipient_email", "Recipients, in any case of letters", schema=_SHORT),
    Parameter("sender_email", "Senders, in any case of letters", schema=_SHORT),
    Parameter("recipient_domain", "Domains of recipients", schema=_SHORT),
    Parameter("sender_domain", "Domains of senders", schema=_SHORT),
    Parameter("subject", "Part of the subject, in any case of letters", schema=_SHORT),
    Parameter("tags", "Tags, one of which a message has", schema=_SHORT),
    Parameter("custom_args", "The sender's own reference", schema=_SHORT),
    Parameter("message_id", "Message", schema=_SHORT),
    Parameter("scrollId", _TOKEN),
)


def _paging(generation: Generation) -> tuple[Parameter, ...]:
    order = "desc" if generation.descending else "asc"
    return (
        Parameter(
            "sort",
            "By the time sent",
            schema=(("type", "string"), ("enum", ["asc", "desc"]), ("default", order)),
        ),
        Parameter(
            "limit",
            f"Rows on a page; more than {MOST_ROWS} is taken as {MOST_ROWS}",
            schema=(("type", "integer"), ("minimum", 1), ("default", generation.limit)),
        ),
        Parameter(
            "offset",
            "Rows to pass over; scrollid goes further",
            schema=(("type", "integer"), ("minimum", 0), ("maximum", MOST_OFFSET), ("default", 0)),
        ),
    )


def _object(members: Mapping[str, object], *optional: str) -> Mapping[str, object]:
    needed = [name for name in members if name not in optional]
    return {"type": "object", "properties": members, "required": needed}


_OPEN = _object({"ip": _TEXT, "time": _TEXT})
_CLICK = _object({"ip": _TEXT, "link": _TEXT, "time": _TEXT})
_ROW = _object(
    {
        "trid": _WHOLE,
        "rcptEmail": _TEXT,
        "fromaddress": _TEXT,
        "requestedTime": _TEXT,
        "deliveryTime": _TEXT,
        "modifiedTime": _TEXT,
        "status": {"type": "string", "enum": list(STATES)},
        "size": _WHOLE,
        "remarks": _TEXT,
        "subject": _TEXT,
        "xapiheader": _TEXT,
        "tags": _TEXT,
        "opens": {"type": "array", "items": _OPEN},
        "clicks": {"type": "array", "items": _CLICK},
    },
    "opens",
    "clicks",
)
_LOG = _object(
    {
        "status": {"const": "success"},
        "totalRecords": _WHOLE,
        "scrollid": _TEXT,
        "scrollId": _TEXT,
        "data": {"type": "array", "items": _ROW},
    }
)


def _logs(path: str, generation: Generation) -> Operation:
    filters = _NEWEST if path.startswith("/v6") else _OLDER
    meaning = "Messages of a range of time, each with its state, one row a recipient"
    return Operation(path, meaning, (*filters, *_paging(generation)), answer=_LOG)


_COUNTERS = _object(dict.fromkeys(COUNTERS, _WHOLE))


def _statistics(stat: Mapping[str, object]) -> Mapping[str, object]:
    period = _object(
        {
            "date": {"type": "string", "format": "date"},
            "stats": {"type": "array", "items": stat},
        }
    )
    return _object({"status": {"const": "success"}, "data": {"type": "array", "items": period}})


_STATS = _statistics(_object({"metrics": _COUNTERS}))
_TAG_STATS = _statistics(_object({"metrics": _COUNTERS, "tag_name": _TEXT}))
_TAG = Parameter(
    "tag",
    f"Tags, with commas between them, up to {MOST_NAMED}; all unless given, "
    f"up to {MOST_TAGS}, those with most sent",
    schema=_SHORT,
)
_PERIODS = (
    Parameter(
        "aggregated_by",
        "Length of a period; weeks begin on Monday",
        schema=(("type", "string"), ("enum", list(LONGEST_PERIODS)), ("default", "day")),
    ),
    Parameter(
        "offset",
        "Number of the page",
        schema=(("type", "integer"), ("minimum", 1), ("default", 1)),
    ),
    Parameter(
        "limit",
        "Periods on a page",
        schema=(
            ("type", "integer"),
            ("minimum", 1),
            ("maximum", MOST_PERIODS),
            ("default", MOST_PERIODS),
        ),
    ),
)


def _stats(path: str) -> Operation:
    days = _NEWEST[:4] if path.startswith("/v6") else _OLDER[:2]
    meaning = "How much was sent, bounced, opened and clicked, by periods"
    return Operation(path, meaning, (*days, *_PERIODS), answer=_STATS)


_TAG_OPERATION = Operation(
    TAGGED, "The same for each tag", (*_OLDER[:2], _TAG, *_PERIODS), answer=_TAG_STATS
)


def _ordering(path: str, generation: Generation) -> Operation:
    filters = _NEWEST if path.startswith("/v6") else _OLDER
    members = [each for each in filters if each.name.lower() != "scrollid"]
    members.append(_paging(generation)[0])
    answer = {
        "status": {"const": "success"},
        "message": _TEXT,
        "data": _object({"download_id": _TEXT, "download_url": _TEXT}),
    }
    return Operation(
        path,
        "Order a file of logs",
        scope="exports:write",
        method="POST",
        answer=_object(answer),
        status=202,
        body={"type": "object", "properties": {each.name: _member(each) for each in members}},
    )


def _member(parameter: Parameter) -> Mapping[str, object]:
    one = dict(parameter.schema) | {"description": parameter.meaning}
    return (
        {"anyOf": [one, {"type": "array", "items": _TEXT}]} if parameter.name == "events" else one
    )


def _fetching(path: str) -> Operation:
    return Operation(
        path + "/{download_id}",
        "An ordered file of logs, once it is written",
        scope="exports:read",
        answer=_TEXT,
        media_type="text/csv",
    )


OPERATIONS: tuple[Operation, ...] = (
    *(_logs(path, generation) for path, generation in GENERATIONS.items()),
    *map(_stats, STATS),
    _TAG_OPERATION,
    *(_ordering(path, generation) for path, generation in DOWNLOADS.items()),
    *map(_fetching, DOWNLOADS),
)
