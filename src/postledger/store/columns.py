"""How an event lies in the table: the one module that spells column names.

An event has two forms there. *Columns* answer questions: what filters, figures and orders ask for.
`rest` answers the reader: a JSON text of all that is not in `HEAD`, with which one short expression
(`EVENT`) gives the whole event back. Reading one event from sixty columns costs the engine sixty
seeks, from `HEAD`, `age` and `rest` it costs seven; `ARCHITECTURE.md` has the figures.

Everything here is made from the registry in `events.py`; no value ever enters these texts.
"""

from collections.abc import Callable

import msgspec
from msgspec import Raw

from postledger.events import EVENT_TYPES, FIELDS, Field, Kind

HEAD = ("event_id", "timestamp", "message_id", "transmission_id", "rcpt_to")
"""Fields that are given back from their columns: nearly all different, they would be kept twice."""

NOT_ASKED = frozenset(
    {
        "received_at",
        "template_version",
        "msg_from",
        "raw_rcpt_to",
        "rcpt_type",
        "rcpt_hash",
        "customer_id",
        "routing_domain",
        "ip_address",
        "user_agent",
        "raw_reason",
        "delv_method",
        "recv_method",
        "fbtype",
        "report_by",
        "report_to",
        "remote_addr",
        "mailfrom",
        "injection_time",
        "scheduled_time",
        "rcpt_meta",
        "geo_ip",
        "smtp_response",
        "amp_enabled",
        "click_tracking",
        "open_tracking",
        "initial_pixel",
    }
)
"""Fields that no filter and no figure asks for: they live in `rest` only."""

COLUMNS: tuple[Field, ...] = tuple(field for field in FIELDS if field.name not in NOT_ASKED)

BUCKET_HOURS = 4
BUCKET = f"intDiv(toUnixTimestamp64Second(timestamp), {BUCKET_HOURS * 3600})"
"""The number of the four hours (UTC, since 1970) that an event is of; the table is sorted by it."""
FREQUENT = frozenset({"injection", "delivery", "open", "initial_open"})
REACTIONS = frozenset({"click", "initial_click", "amp_open", "amp_initial_open", "amp_click"})
"""Types of events by what they happen to: most messages, or few that were read. All others,
failures and complaints for instance, happen to few too."""
ZONES = 3


def zone(kind: object) -> int:
    """The zone of the table, within a bucket, in which events of a type lie: who looks for what is
    not frequent would find one in each granule else. Zones are part of the table's order, and so
    cannot be altered: a new type is in zone 1."""
    return 0 if kind in FREQUENT else 2 if kind in REACTIONS else 1


MILLISECONDS = "DateTime64(3, 'UTC')"
EARLIEST, LATEST = "1970-01-01 00:00:00", "2200-01-01 00:00:00"
"""Times outside are refused: they are mistakes, and each month is a partition."""
_NEVER = "toDateTime64('1900-01-01 00:00:00', 3, 'UTC')"

_DERIVED = frozenset(
    {
        "event_id",
        "type",
        "timestamp",
        "rcpt_to",
        "recipient_domain",
        "sending_domain",
        "rcpt_tags",
    }
)
AS_SENT: tuple[Field, ...] = tuple(field for field in COLUMNS if field.name not in _DERIVED)
IN_REST: tuple[Field, ...] = tuple(
    field
    for field in FIELDS
    if field.name not in HEAD
    and field.name not in {"type", "raw_rcpt_to", "recipient_domain", "sending_domain"}
    and field.kind not in {Kind.OBJECT, Kind.TEXTS, Kind.TIME}
)

_MADE: tuple[str, ...] = (
    "timestamp",
    "event_id",
    "type",
    "rcpt_to",
    "recipient_domain",
    "sending_domain",
    "rcpt_tags",
    "age",
    "rest",
    *(field.name for field in AS_SENT),
)
"""The columns that are made of a line, in the order in which `rows` gives them."""

INSERTED: tuple[str, ...] = ("workspace", *_MADE)
"""The columns of the events table but `seq`, which the writer gives."""

AGE = "age Nullable(Int64)"
"""Milliseconds from `injection_time` to this event; null where that is not given."""


def definition() -> str:
    """The column definitions of the events table."""
    made = [f"{f.name} {type_of(f)} {codec_of(f)}{_blocks_of(f)}" for f in COLUMNS]
    return ",\n    ".join([*made, f"{AGE} CODEC(T64, ZSTD(1)){_BLOCKS}"])


def type_of(field: Field) -> str:
    if field.name == "timestamp":
        return MILLISECONDS
    if field.kind in {Kind.TEXT, Kind.CODE}:
        return "LowCardinality(String)" if field.few else "String"
    return {
        Kind.INTEGER: "Nullable(Int64)",
        Kind.BOOLEAN: "Nullable(Bool)",
        Kind.TIME: f"Nullable({MILLISECONDS})",
        Kind.TEXTS: "Array(LowCardinality(String))",
        Kind.OBJECT: "String",
    }[field.kind]


def codec_of(field: Field) -> str:
    if field.kind is Kind.TIME:
        return "CODEC(Delta, ZSTD(1))"
    if field.few and field.kind in {Kind.TEXT, Kind.CODE}:
        return "CODEC(LZ4)"
    return "CODEC(ZSTD(3))" if field.name in _LARGE else "CODEC(ZSTD(1))"


_LARGE = frozenset({"message_id", "rcpt_to"})
"""The largest columns but `rest`."""

_BLOCKS = " SETTINGS (min_compress_block_size = 1024, max_compress_block_size = 131072)"


def _blocks_of(field: Field) -> str:
    """For what is read a granule here, a granule there: see `rest` in the schema. The time is read
    of all that may match."""
    return _BLOCKS if field.name in HEAD and field.name != "timestamp" else ""


# -- on the way in: from a line of JSON

_READ = (
    "timestamp",
    "event_id",
    "type",
    "rcpt_to",
    "raw_rcpt_to",
    "recipient_domain",
    "sending_domain",
    "msg_from",
    "rcpt_tags",
    "injection_time",
    "scheduled_time",
    "rcpt_meta",
    "geo_ip",
)
"""Members of a line that a row is made of; beside those that are stored as they came."""

_READ_TUPLE = "Tuple(" + ", ".join(f"{name} String" for name in _READ) + ")"
_KNOWN_TYPES = ", ".join(f"'{name}'" for name in EVENT_TYPES)


def _milliseconds(text: str) -> str:
    """A time as `intake.record` accepts it, as milliseconds UTC; NULL when it is none."""
    number = f"toFloat64OrZero({text})"
    return (
        f"if(match({text}, '^[0-9.eE+-]+$'), "
        f"fromUnixTimestamp64Milli(toInt64(round(if({number} < 1e11, {number} * 1000, {number}))), "
        f"'UTC'), parseDateTime64BestEffortOrNull(upper({text}), 3, 'UTC'))"
    )


def _plain_milliseconds(text: str) -> str:
    """The same for RFC 3339 only, which is what nearly all write; NULL for the rest."""
    return (
        f"if(substring({text}, 5, 1) = '-', "
        f"parseDateTime64BestEffortOrNull(upper({text}), 3, 'UTC'), NULL)"
    )


LINES = f"""
    seq UInt64,
    received_at {MILLISECONDS},
    workspace LowCardinality(String),
    source LowCardinality(String),
    line String"""
"""Columns of a table of lines as they came; `seq` and `received_at` where they have been stored."""


def identified(
    table: str, *, careful: bool, head: str = _READ_TUPLE, clashing: bool = False
) -> str:
    """The rows of a table of `LINES` with their number from 0, times, id and fault.

    Careful or not is the same for records with an id and times in RFC 3339; other ones have a
    fault, unless careful. That is for speed: the engine needs longer to plan the careful form than
    to run the plain one.

    An id that is absent is the hash of the event's members, ordered by name: the same event sent
    twice gets the same id, however its JSON is written. With `clashing`, the rows that parameter
    `clashing` lists get their type added to their id.
    """
    time = _milliseconds if careful else _plain_milliseconds
    event_id = (
        f"if(head.event_id = '', {_DERIVED_ID}, head.event_id)" if careful else "head.event_id"
    )
    if clashing:
        given = "concat(head.event_id, '.', head.type)"
        event_id = f"if(row IN {{clashing:Array(UInt64)}}, {given}, {event_id})"
    type_twice = f"source = 'native' AND head.type NOT IN ({_KNOWN_TYPES}), 3," if careful else ""
    return f"""
SELECT *, multiIf(
        head.timestamp = '', 1,
        {_out_of_range("timestamp")}, 2,
        ifNull({_out_of_range("injected")}, head.injection_time != ''), 5,
        ifNull({_out_of_range("scheduled")}, head.scheduled_time != ''), 6,
        {type_twice}
        event_id = '', 1,
        0) AS fault
FROM (
    SELECT rowNumberInAllBlocks() AS row, *, {event_id} AS event_id,
        ifNull({time("head.timestamp")}, {_NEVER}) AS timestamp,
        {time("head.injection_time")} AS injected,
        {time("head.scheduled_time")} AS scheduled
    FROM (SELECT *, JSONExtract(line, '{head}') AS head FROM {table}))"""


def _out_of_range(time: str) -> str:
    return f"({time} < '{EARLIEST}' OR {time} >= '{LATEST}')"


_DERIVED_ID = (
    "lower(hex(sipHash128(arrayStringConcat(arrayMap(member -> concat(member.1, '\\0', member.2), "
    "arraySort(JSONExtractKeysAndValuesRaw(line))), '\\0'))))"
)
_NO_TIME = "expected a time from 1970 to 2199, as RFC 3339 or as unix seconds or milliseconds"
FORGOTTEN = 4
FAULTS: dict[int, tuple[str | None, str]] = {
    1: (
        None,
        "is not one JSON object on a line, is nested too deep, or has a number out of range",
    ),
    2: ("timestamp", _NO_TIME),
    3: ("type", "is given twice"),
    FORGOTTEN: ("timestamp", "is before the time from which events are kept (keep_events_days)"),
    5: ("injection_time", _NO_TIME),
    6: ("scheduled_time", _NO_TIME),
}
"""Number in column `fault` -> field and message. The writer tells what is forgotten."""


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _tuple(fields: tuple[Field, ...], type_in: Callable[[Field], str]) -> str:
    return "Tuple(" + ", ".join(f"{field.name} {type_in(field)}" for field in fields) + ")"


def _staged_type(field: Field) -> str:
    """Columns of few values are told apart when they are stored, many rows at a time: one by one,
    as JSON is read, takes three times as long."""
    made = type_of(field)
    return "String" if made == "LowCardinality(String)" else made


_TYPES_IN_REST = {
    Kind.TEXT: "Nullable(String)",
    Kind.CODE: "Nullable(String)",
    Kind.INTEGER: "Nullable(Int64)",
    Kind.BOOLEAN: "Nullable(Bool)",
}
_ROW_TUPLE = _quoted(_READ_TUPLE[:-1] + ", " + _tuple(AS_SENT, _staged_type)[len("Tuple(") :])
_REST_TUPLE = _quoted(_tuple(IN_REST, lambda field: _TYPES_IN_REST[field.kind]))


_MADE_FIRST, _MADE_LAST = _MADE[: -len(AS_SENT)], _MADE[-len(AS_SENT) :]
STAGED: tuple[str, ...] = (
    "row",
    "fault",
    "seq",
    "workspace",
    *_MADE_FIRST,
    *(f"read_{name}" for name in _READ),
    *_MADE_LAST,
)
"""The columns of a table of rows that are not stored yet."""


def rows_definition() -> str:
    """The column definitions of a table of `STAGED` rows."""
    made = ", ".join(f"{field.name} {_staged_type(field)}" for field in COLUMNS)
    read = ", ".join(f"read_{name} String" for name in _READ)
    return (
        "row UInt64, fault UInt8, seq UInt64, workspace LowCardinality(String), "
        f"{made}, {AGE}, rest String, {read}"
    )


def rows(
    lines: str, *, one_batch: bool, careful: bool, unknown_fields: bool, clashing: bool = False
) -> str:
    """The statement that makes `STAGED` rows of a table of `LINES`.

    Careful and clashing as in `identified`. The lines of `one_batch` have their workspace, source
    and time of receipt as parameters, not in the table. With `unknown_fields`, fields that the
    registry does not have are kept in `rest`; it costs a second look at each line.
    """
    if one_batch:
        given = (
            "{workspace:String} AS workspace, {source:String} AS source, "
            f"{{received_at:{MILLISECONDS}}} AS received_at"
        )
        lines = f"(SELECT * REPLACE ({given}) FROM {lines})"
    sender = "if(head.friendly_from = '', head.msg_from, head.friendly_from)"
    return f"""
SELECT row, fault, seq, workspace,
    timestamp,
    event_id,
    {_TYPE if careful else "head.type"} AS its_type,
    lowerUTF8(head.rcpt_to),
    if(head.recipient_domain = '', {_domain("head.rcpt_to")}, head.recipient_domain) AS its_domain,
    if(head.sending_domain = '', {_domain(sender)}, head.sending_domain) AS senders_domain,
    if(head.rcpt_tags = '', [], JSONExtract(head.rcpt_tags, 'Array(LowCardinality(String))')),
    dateDiff('millisecond', injected, timestamp),
    concat({", ".join(_rest_parts(careful=careful, unknown_fields=unknown_fields))}),
    untuple(head)
FROM (SELECT *, JSONExtract(line, '{_REST_TUPLE}') AS others
    FROM ({identified(lines, careful=careful, head=_ROW_TUPLE, clashing=clashing)}))"""


_TYPE = (
    "if(source = 'native', head.type, "
    "transform(concat(source, ' ', head.type), {types_from:Array(String)}, "
    "{types_to:Array(String)}, if(head.type IN (" + _KNOWN_TYPES + "), head.type, 'unknown')))"
)


def _domain(address: str) -> str:
    """The domain of `a@b` or `Name <a@b>`, in lower case; nothing when there is no head."""
    return f"lowerUTF8(extract({address}, '@([^@<>\\\\s]+)>?\\\\s*$'))"


def _rest_parts(*, careful: bool, unknown_fields: bool) -> list[str]:
    parts = [
        _raw_recipient("if(head.raw_rcpt_to = '', head.rcpt_to, head.raw_rcpt_to)"),
        f"',\"type\":\"', its_type, '\"', {_iso_member('received_at', 'received_at')}",
        _member("recipient_domain", "its_domain"),
        _member("sending_domain", "senders_domain"),
        f"ifNull({_iso_member('scheduled_time', 'scheduled')}, '')",
        *(_json_member(name) for name in ("rcpt_tags", "rcpt_meta", "geo_ip")),
    ]
    if careful:
        raw_type = "concat(',\"raw_type\":', toJSONString(head.type))"
        parts.append(f"if(its_type = head.type, '', {raw_type})")
    if unknown_fields:
        parts.append(_UNKNOWN)
    others = "toJSONString(others)"
    return [*parts, f"if({others} = '{{}}', '}}', concat(',', substring({others}, 2)))"]


def _raw_recipient(address: str) -> str:
    """Only when it differs from the recipient, which it rarely does; `EVENT` has the other case."""
    return (
        f"if({address} = '' OR {address} = lowerUTF8(head.rcpt_to), '', "
        f"concat('{_RAW_RECIPIENT}', toJSONString({address})))"
    )


def _member(name: str, value: str) -> str:
    return f"if({value} = '', '', concat(',\"{name}\":', toJSONString({value})))"


def _json_member(name: str) -> str:
    return f"if(head.{name} IN ('', 'null'), '', concat(',\"{name}\":', head.{name}))"


_KNOWN_NAMES = "[" + ", ".join(f"'{field.name}'" for field in FIELDS) + "]"
_UNKNOWN = (
    "arrayStringConcat(arrayMap(member -> concat(',', toJSONString(member.1), ':', member.2), "
    f"arrayFilter(member -> NOT has({_KNOWN_NAMES}, member.1), "
    "JSONExtractKeysAndValuesRaw(line))))"
)


_REST_AS_OBJECT = "concat('{', substring(rest, 2))"
KIND = (
    f"if(type = 'unknown' AND JSONHas({_REST_AS_OBJECT}, 'raw_type'), "
    f"JSONExtractString({_REST_AS_OBJECT}, 'raw_type'), type)"
)
"""What tells events of different types apart, staged or stored."""


# -- on the way out: to JSON


_ISO = "%Y-%m-%dT%H:%i:%S.%fZ"


def iso(time: str) -> str:
    """A time as `YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    return f"formatDateTime({time}, '{_ISO}')"


def _iso_member(name: str, time: str) -> str:
    """The same as a member of a JSON object; null where the time is."""
    return f'formatDateTime({time}, \',"{name}":"{_ISO}"\')'


_RAW_RECIPIENT = ',"raw_rcpt_to":'
_RECIPIENT = (
    "if(rcpt_to = '', '', concat(',\"rcpt_to\":', toJSONString(rcpt_to), "
    f"if(startsWith(rest, '{_RAW_RECIPIENT}'), '', "
    f"concat('{_RAW_RECIPIENT}', toJSONString(rcpt_to)))))"
)
INJECTED = "fromUnixTimestamp64Milli(toUnixTimestamp64Milli(timestamp) - age, 'UTC')"
EVENT = (
    "concat('{\"event_id\":', toJSONString(event_id), "
    f"{_iso_member('timestamp', 'timestamp')}, "
    f"{_member('message_id', 'message_id')}, "
    f"{_member('transmission_id', 'transmission_id')}, "
    f"ifNull({_iso_member('injection_time', INJECTED)}, ''), "
    f"{_RECIPIENT}, rest)"
)
"""The whole event as JSON text: absent fields left out, times in UTC to the millisecond."""

PARTS = f"event_id, timestamp, message_id, transmission_id, {INJECTED}, rcpt_to, rest"
"""What `EVENT` is made of, for `joined`: a statement without that expression is planned in 4 ms
less, so for few events they are joined here."""


def joined(rows: bytes) -> list[bytes]:
    """Events as `EVENT` has them, of rows of `PARTS` in the engine's format JSONCompactEachRow."""
    return [_joined(row) for row in _PARTS.decode_lines(rows)]


def joined_by_key(rows: bytes) -> dict[int, list[bytes]]:
    """The same of rows that have the number of a message before the parts, by that number."""
    found: dict[int, list[bytes]] = {}
    for row in _KEYED_PARTS.decode_lines(rows):
        found.setdefault(row[0], []).append(_joined(row[1:]))
    return found


_Parts = tuple[Raw, str, Raw, Raw, str | None, Raw, str]
_PARTS = msgspec.json.Decoder(_Parts)
_KEYED_PARTS = msgspec.json.Decoder(tuple[int, Raw, str, Raw, Raw, str | None, Raw, str])
_EMPTY = Raw(b'""')


def _joined(row: _Parts) -> bytes:
    event_id, at, message, transmission, injected, to, rest = row
    made: list[bytes | Raw] = [b'{"event_id":', event_id, b',"timestamp":"', _iso(at)]
    if message != _EMPTY:
        made += (b',"message_id":', message)
    if transmission != _EMPTY:
        made += (b',"transmission_id":', transmission)
    if injected is not None:
        made += (b',"injection_time":"', _iso(injected))
    if to != _EMPTY:
        made += (b',"rcpt_to":', to)
        if not rest.startswith(_RAW_RECIPIENT):
            made += (_RAW_RECIPIENT.encode(), to)
    made.append(rest.encode())
    return b"".join(made)


def _iso(time: str) -> bytes:
    return time.replace(" ", "T").encode() + b'Z"'


_TIMES = {"formatdatetime_f_prints_scale_number_of_digits": 1}
"""A time of milliseconds has three digits in `iso`."""

WRITE_SETTINGS: dict[str, object] = {
    "output_format_json_skip_null_value_in_named_tuples": 1,
    "output_format_json_escape_forward_slashes": 0,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_named_tuples_as_objects": 1,
    "optimize_functions_to_subcolumns": 0,
    "short_circuit_function_evaluation": "enable",
    "max_partitions_per_insert_block": 0,  # a batch of old events may have a month for each
    **_TIMES,
}
"""Engine settings that the expressions for the way in rely on."""

STAGE_SETTINGS = WRITE_SETTINGS | {
    "max_threads": 1,
    "query_plan_enable_optimizations": 0,
    "compile_expressions": 0,
    "input_format_parallel_parsing": 0,
}
"""The same for staging tables, which lie in memory: there is nothing to optimise; to share the work
of splitting lines takes more than to do it. One thread reads lines in the order in which they came:
their number is their place."""

READ_SETTINGS: dict[str, object] = {"output_format_json_escape_forward_slashes": 0, **_TIMES}
"""The same for the way out."""
