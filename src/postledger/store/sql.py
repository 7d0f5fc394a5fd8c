"""A question as SQL text and parameters. Values are parameters, always; the text is made of our own
tables only. The condition on the workspace is written in `_scope`, which every query goes through.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from postledger.events import FIELD, Kind
from postledger.query import (
    EventQuery,
    FeedQuery,
    Filter,
    Grouping,
    Match,
    MessageQuery,
    words,
)
from postledger.store.columns import BUCKET, EVENT, NOT_ASKED, PARTS, ZONES, zone

_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 12, 31, tzinfo=UTC)
_LEADS_TO_FEW = frozenset({"rcpt_to", "message_id"})
_REST_LAST = "query_plan_max_limit_for_lazy_materialization = 20000"
"""`rest` is read of the events of the page only, once these are known, also for the largest page
and its one more: beyond the engine's own limit of 10,000 it is read beside what conditions ask for,
in blocks of a granule or less."""
_FEW = f" SETTINGS optimize_read_in_order = 0, optimize_move_to_prewhere = 0, {_REST_LAST}"
"""For few events, found by an index: to walk through the parts in order, or to look at conditions
one after the other, costs more than to read and sort them."""
SHARED = (
    " SETTINGS merge_tree_min_rows_for_concurrent_read = 20000, "
    f"merge_tree_min_bytes_for_concurrent_read = 1000000, {_REST_LAST}"
)
"""For rows that may lie close together: as large as the engine makes them, its pieces of work leave
all of them to one thread."""

_NO_INDEXES = "use_skip_indexes = 0"
"""Where a list of messages is among the conditions: the index of their ids would be asked for each,
which takes ten times as long as to look at all events."""
_PLAIN_NUMBERS = "output_format_json_quote_64bit_integers = 0"

_FEW_EVENTS = 200
"""Up to so many on a page are joined from their parts."""


@dataclass(slots=True)
class Sql:
    """A statement that is being put together; `add` gives the placeholder of a value."""

    text: str = ""
    parameters: dict[str, object] = field(default_factory=dict)
    in_parts: bool = False
    """Whether its rows are `columns.PARTS` instead of events."""

    def add(self, value: object, kind: str) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{kind}}}"


def page(query: EventQuery, database: str, *, all_at_once: bool | None = None) -> Sql:
    """Up to `limit` + 1 events as JSON, one a row: one more than asked for tells of a next page.

    `all_at_once`: whether to look at all of the range, since few match, instead of walking from
    bucket to bucket until there are enough; None: as it is better without knowing how many.
    """
    sql = Sql()
    where = conditions(sql, query, database)
    if query.after is not None:
        where.append(_beyond(sql, query))
    leading = {filter_.field for filter_ in query.filters if not filter_.negated}
    few = not leading.isdisjoint(_LEADS_TO_FEW)
    found = f"WHERE {' AND '.join(where)}"
    if query.of_messages:
        all_at_once = True  # their messages are looked for once
    elif all_at_once is None:
        all_at_once = "campaign_id" in leading  # they lie together
    if not (few or all_at_once):
        found = _in_buckets(sql, query, where, database)
    way = "DESC" if query.descending else "ASC"
    sql.in_parts = few or query.limit <= _FEW_EVENTS
    sql.text = (
        f"SELECT {PARTS if sql.in_parts else EVENT} FROM {database}.events {found} "
        f"ORDER BY timestamp {way}, event_id {way} LIMIT {sql.add(query.limit + 1, 'UInt32')}"
    )
    if query.offset:
        sql.text += f" OFFSET {sql.add(query.offset, 'UInt64')}"
    sql.text += _FEW if few else SHARED
    if _lists_messages(query):
        sql.text += f", {_NO_INDEXES}"
    return sql


def _lists_messages(query: EventQuery) -> bool:
    """Whether a condition lists messages of the whole range."""
    return any(each.match is Match.FIRST for each in (*query.filters, *query.alternatives))


def _in_buckets(sql: Sql, query: EventQuery, where: Sequence[str], database: str) -> str:
    """The conditions, and that an event is not beyond the buckets of time in which a page of
    matches was found.

    The table is sorted by bucket, within it by campaign. The engine walks from bucket to bucket and
    stops when it has enough, so that to sort by time it need not see all matches of the range.
    Where it saw all of it, there being too few, it need not look again where it found nothing: it
    remembers that of a `PREWHERE`, which must be the same in both.
    """
    least, way, end = ("min", "DESC", ">=") if query.descending else ("max", "ASC", "<=")
    enough = sql.add(query.limit + 1 + query.offset, "UInt64")
    matches = f"PREWHERE {' AND '.join(where)}"
    return (
        f"{matches} WHERE {BUCKET} {end} (SELECT {least}({BUCKET}) FROM (SELECT timestamp "
        f"FROM {database}.events {matches} ORDER BY {BUCKET} {way} LIMIT {enough}))"
    )


def count(query: EventQuery, database: str) -> Sql:
    """The number of all matches, whatever the page."""
    sql = Sql()
    where = conditions(sql, query, database)
    sql.text = f"SELECT count() FROM {database}.events WHERE {' AND '.join(where)}"
    if _lists_messages(query):
        sql.text += f" SETTINGS {_NO_INDEXES}"
    return sql


def one(workspace: str, event_id: str, database: str) -> Sql:
    """The events with this id, the newest first; there may be several, of different times."""
    sql = Sql(in_parts=True)
    sql.text = (
        f"SELECT {PARTS} FROM {database}.events WHERE {_scope(sql, workspace)} "
        f"AND event_id = {sql.add(event_id, 'String')} ORDER BY timestamp DESC LIMIT 1"
    )
    return sql


def message(workspace: str, message_id: str, limit: int, database: str) -> Sql:
    """The events of one message, the oldest first."""
    sql = Sql(in_parts=True)
    sql.text = (
        f"SELECT {PARTS} FROM {database}.events WHERE {_scope(sql, workspace)} "
        f"AND message_id = {sql.add(message_id, 'String')} "
        f"ORDER BY timestamp, event_id LIMIT {sql.add(limit, 'UInt32')}{_FEW}"
    )
    return sql


def feed(query: FeedQuery, through: int, database: str) -> Sql:
    """Events with numbers above `after` up to `through`, and their numbers, in that order."""
    sql = Sql()
    sql.text = (
        f"SELECT seq, {EVENT} FROM {database}.events WHERE {_scope(sql, query.workspace)} "
        f"AND seq > {sql.add(query.after, 'UInt64')} AND seq <= {sql.add(through, 'UInt64')} "
        f"ORDER BY seq LIMIT {sql.add(query.limit, 'UInt32')}"
    )
    return sql


def ends(workspace: str, after: int, through: int, database: str) -> Sql:
    """The first number above `after`, and the last one up to `through`; 0 when there is none."""
    sql = Sql()
    sql.text = (
        f"SELECT min(seq), max(seq) FROM {database}.events WHERE {_scope(sql, workspace)} "
        f"AND seq > {sql.add(after, 'UInt64')} AND seq <= {sql.add(through, 'UInt64')}"
    )
    return sql


def messages(query: MessageQuery, database: str, untold: Sequence[str] | None = ()) -> Sql:
    """A page of messages: key, time sent, and time of its first event of those that say something
    of it, both in unix milliseconds.

    Events from `start` on say what became of a message of the range, but for those that tell that
    it was injected at another time. `untold` has the ids that the statement of that name finds;
    None: too many to list.
    """
    sql = Sql()
    rows = _of_messages(sql, query, database)
    made = [
        f"{_EARLIEST} AS told",
        "toUnixTimestamp64Milli(min(timestamp)) AS first",
        "if(told = 0, first, told) AS sent",
        *([f"max({_stage(sql, query)}) AS stage"] if query.states else []),
    ]
    kept = _kept(sql, query)
    if query.end - query.start > _LONG:
        rows += _candidates(sql, query, database)
    else:
        tests = [f"max({test})" for test in _tests(sql, query, database)]
        made += [f"{test} AS found{number}" for number, test in enumerate(tests)]
        kept += [f"found{number}" for number in range(len(tests))]
    if untold is None or untold:
        kept.append(f"(told != 0 OR {_is_new(sql, query, database, untold)})")
    way = "DESC" if query.descending else "ASC"
    sql.text = (
        "SELECT message_key, sent, first FROM ("
        f"SELECT message_key, {', '.join(made)} FROM {database}.events "
        f"WHERE {' AND '.join(rows)} GROUP BY message_key) "
        f"WHERE {' AND '.join(kept)} "
        f"ORDER BY sent {way}, message_key {way} "
        f"LIMIT {sql.add(query.limit + 1, 'UInt32')} OFFSET {sql.add(query.offset, 'UInt64')} "
        f"SETTINGS exact_rows_before_limit = 1, {_PLAIN_NUMBERS}"
    )
    if len(_others(query)) == len(query.filters):
        sql.text += f", {_NO_INDEXES}"
    return sql


def untold(query: MessageQuery, limit: int, database: str) -> Sql:
    """Ids of messages with an event in the range that does not tell when they were injected.

    Earlier events may; so what these messages did before the range has to be looked up.
    """
    sql = Sql()
    sql.text = (
        f"SELECT DISTINCT toJSONString(message_id) FROM {database}.events "
        f"WHERE {' AND '.join(_untold(sql, query, database))} LIMIT {sql.add(limit, 'UInt32')}"
    )
    return sql


def events_of(
    workspace: str, firsts: Mapping[int, datetime], since: datetime, limit: int, database: str
) -> Sql:
    """The events of messages, the oldest first, up to `limit` of each. Of each message its key is
    given, and the time of one of its events; none was sent before `since`, the start of the range
    that is asked for, but they may have been scheduled at any time."""
    sql = Sql(in_parts=True)
    scope, events = _scope(sql, workspace), f"{database}.events"
    start = _time(sql, max(since, _FIRST) - _CLOCKS)
    scheduled = " AND ".join([*of_zones(["scheduled"]), "type = 'scheduled'"])
    times = sql.add([_text(time) for time in firsts.values()], "Array(DateTime64(3, 'UTC'))")
    ours = f"message_key IN {sql.add(list(firsts), 'Array(UInt64)')}"
    ids = f"SELECT message_id FROM {events} WHERE {scope} AND timestamp IN {times} AND {ours}"
    sql.text = (
        f"SELECT message_key, {PARTS} FROM {events} WHERE {scope} "
        f"AND (timestamp >= {start} OR {scheduled}) AND message_id IN ({ids}) AND {ours} "
        f"ORDER BY timestamp, event_id LIMIT {limit} BY message_key{_FEW}, {_PLAIN_NUMBERS}"
    )
    return sql


def envelopes(workspace: str, message_ids: Sequence[str], database: str) -> Sql:
    """Recipients and subject of each of these messages: that of the earliest event that has one,
    of a reply only where no other has."""
    sql = Sql()
    sql.text = (
        "SELECT message_id, arraySort(groupUniqArrayIf(rcpt_to, rcpt_to != '')), "
        "argMinIf(subject, (type = 'response', timestamp, event_id), subject != '') "
        f"FROM {database}.events "
        f"WHERE {_scope(sql, workspace)} "
        f"AND message_id IN {sql.add(list(message_ids), 'Array(String)')} GROUP BY message_id"
    )
    return sql


def began(workspace: str, message_id: str, database: str) -> Sql:
    """When a message was injected, or its first event, in unix milliseconds; nothing: unknown. To
    be scheduled or cancelled is an event only where there is no other."""
    sql = Sql()
    first = "argMin(timestamp, (type IN ('scheduled', 'cancelled'), timestamp))"
    sql.text = (
        f"SELECT if(({_EARLIEST} AS told) = 0, toUnixTimestamp64Milli({first}), told) "
        f"FROM {database}.events WHERE {_scope(sql, workspace)} "
        f"AND message_id = {sql.add(message_id, 'String')} HAVING count() > 0"
    )
    return sql


_EARLIEST = "minIf(injected, injected != 0)"
"""The earliest time that events tell of an injection; 0: they tell none."""
_KEY = "sipHash64({}, {})"
"""The key of a message by its ids, as the table has it."""
_LONG = timedelta(days=31)
"""In ranges up to this it is faster to put all messages together and to look at them then than to
look first for those that filters leave; in longer ones it would take much memory."""
_EARLIER = timedelta(days=31)
"""How long before a range events may tell what messages of the range are."""
_CLOCKS = timedelta(hours=1)
"""How far the times that are told of one message may be apart."""


def _of_messages(sql: Sql, query: MessageQuery, database: str) -> list[str]:
    """The conditions on events that may say something of messages of a range."""
    return [
        _scope(sql, query.workspace),
        f"timestamp >= {_time(sql, max(query.start, _FIRST) - _CLOCKS)}",
        f"({_about(sql, query)} OR injected = 0)",
        "message_key != 0",
        _of_types(sql, query),
        *(_matches(sql, f, database) for f in query.filters if f.field in _LEADS_TO_FEW),
    ]


def _of_types(sql: Sql, query: MessageQuery) -> str:
    """The condition that an event brings its message to a stage; others say nothing of it."""
    types = sorted({kind for stage in query.stages for kind in stage.types})
    return f"type IN {sql.add(types, 'Array(String)')}"


def _others(query: MessageQuery) -> list[Filter]:
    """The filters that not every event of a message need match."""
    return [filter_ for filter_ in query.filters if filter_.field not in _LEADS_TO_FEW]


def _tests(sql: Sql, query: MessageQuery, database: str) -> list[str]:
    """Conditions each of which some event of a message must fulfil."""
    tests = [_matches(sql, filter_, database) for filter_ in _others(query)]
    if query.alternatives:
        several = " OR ".join(_matches(sql, each, database) for each in query.alternatives)
        tests.append(f"({several})")
    return tests


def _candidates(sql: Sql, query: MessageQuery, database: str) -> Iterator[str]:
    """Conditions that leave out messages of which no event matches a filter, and most that a state
    will refuse, before they are put together, which costs more."""
    tests = _tests(sql, query, database)
    if query.states:
        types = {t for stage in query.stages if stage.name in query.states for t in stage.types}
        tests.append(f"type IN {sql.add(sorted(types), 'Array(String)')}")
    for test in tests:
        rows = " AND ".join([*_of_messages(sql, query, database), test])
        yield f"message_key IN (SELECT message_key FROM {database}.events WHERE {rows})"


def _about(sql: Sql, query: MessageQuery) -> str:
    """Whether an event tells of an injection in the range, or about it."""
    start, end = max(query.start, _FIRST) - _CLOCKS, min(query.end, _LAST) + _CLOCKS
    return f"injected BETWEEN {sql.add(_ms(start), 'Int64')} AND {sql.add(_ms(end), 'Int64')}"


def _untold(sql: Sql, query: MessageQuery, database: str) -> list[str]:
    return [
        *_of_messages(sql, query, database),
        f"timestamp < {_time(sql, query.end)}",
        "injected = 0",
    ]


def _is_new(sql: Sql, query: MessageQuery, database: str, untold: Sequence[str] | None) -> str:
    """Whether nothing was heard of a message before the range, and nothing tells of its injection
    outside of it."""
    events, start = f"{database}.events", _time(sql, query.start)
    ours = f"{_scope(sql, query.workspace)} AND {_of_types(sql, query)}"
    if untold is None:
        rows = " AND ".join(_of_messages(sql, query, database))
        ids = (
            f"(SELECT message_id FROM {events} WHERE {rows} "
            f"GROUP BY message_id, message_key HAVING countIf(injected != 0) = 0)"
        )
    else:
        ids = sql.add(list(untold), "Array(String)")
    return (
        f"message_key NOT IN (SELECT message_key FROM {events} "
        f"PREWHERE {ours} AND timestamp < {start} AND message_id IN {ids} "
        f"UNION ALL SELECT message_key FROM {events} WHERE {ours} AND timestamp >= {start} "
        f"AND injected != 0 AND NOT {_about(sql, query)})"
    )


def _stage(sql: Sql, query: MessageQuery) -> str:
    """The number of the last stage that an event brings its message to; 0: none, or one before
    those that are asked for."""
    of_type: dict[str, int] = {}
    of_class = []
    first = next(n for n, stage in enumerate(query.stages, 1) if stage.name in query.states)
    for number, stage in enumerate(query.stages[first - 1 :], first):
        if stage.classes is None:
            of_type |= dict.fromkeys(stage.types, number)
        else:
            of_class.append(f"if({_brings(sql, stage.types, stage.classes)}, {number}, 0)")
    types, numbers = (
        sql.add([*of_type], "Array(String)"),
        sql.add([*of_type.values()], "Array(UInt8)"),
    )
    return f"greatest({', '.join([f'transform(type, {types}, {numbers}, 0)', *of_class, '0'])})"


def _kept(sql: Sql, query: MessageQuery) -> list[str]:
    """The conditions on messages, once their time and their stage are known."""
    start, end = sql.add(_ms(query.start), "Int64"), sql.add(_ms(query.end), "Int64")
    kept = [f"sent >= {start}", f"sent < {end}"]
    if query.states:
        wanted = [n for n, stage in enumerate(query.stages, 1) if stage.name in query.states]
        kept.append(f"stage IN {sql.add(wanted, 'Array(UInt8)')}")
    if query.after is not None:
        sent = sql.add(_ms(query.after.sent), "Int64")
        ids = (sql.add(each, "String") for each in (query.after.message_id, query.after.rcpt_to))
        less = "<" if query.descending else ">"
        kept.append(f"(sent, message_key) {less} ({sent}, {_KEY.format(*ids)})")
    return kept


def _brings(sql: Sql, types: Sequence[str], classes: Sequence[int]) -> str:
    """The condition on an event that brings its message to a stage of these bounce classes."""
    chosen = sql.add(list(classes), "Array(Int64)")
    return (
        f"type IN {sql.add(list(types), 'Array(String)')} "
        f"AND ifNull(bounce_class IN {chosen}, false)"
    )


def _ms(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(milliseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _scope(sql: Sql, workspace: str) -> str:
    return f"workspace = {sql.add(workspace, 'String')}"


def conditions(sql: Sql, query: EventQuery, database: str) -> list[str]:
    """The conditions on an event of a question, the one on the workspace first; then those that are
    told from little, since the engine may ask them in this order. The key has the buckets of time,
    so few events are told apart by their times."""
    workspace, *times = _range(sql, query)
    filters = sorted(query.filters, key=_cost)
    where = [
        workspace,
        *(
            condition
            for each in filters
            if _says_types(each)
            for condition in of_zones(each.values)
        ),
        *(_matches(sql, each, database, query) for each in filters),
    ]
    if query.alternatives:
        several = (_matches(sql, filter_, database, query) for filter_ in query.alternatives)
        where.append(f"({' OR '.join(several)})")
    if query.of_messages:
        where.append(_of_message(sql, query, database))
    return [*where, *times]


def _of_message(sql: Sql, query: EventQuery, database: str) -> str:
    """Whether an event matches all of `of_messages`, or the events of its message together do. The
    ids are compared by a number: the index of them would be asked for each."""
    tests = [_matches(sql, each, database) for each in query.of_messages]
    rows = [
        _scope(sql, query.workspace),
        *(_matches(sql, f, database) for f in query.filters if f.field == "message_id"),
        f"({' OR '.join(tests)})",
        f"timestamp >= {_time(sql, max(query.start, _FIRST) - _EARLIER)}",
        f"timestamp < {_time(sql, query.end)}",
    ]
    message = "sipHash64(message_id)"
    found = f"SELECT {message} FROM {database}.events WHERE {' AND '.join(rows)}"
    if len(tests) > 1:
        found += f" GROUP BY {message} HAVING {' AND '.join(f'max({test})' for test in tests)}"
    return f"({' AND '.join(tests)} OR message_id != '' AND {message} IN ({found}))"


def _cost(filter_: Filter) -> int:
    """The place of a filter among others: what takes longer is asked of what is left."""
    return 2 if filter_.match in _PHRASES else int(filter_.match is Match.MEMBER)


def _says_types(filter_: Filter) -> bool:
    """Whether an event is of one of the filter's values."""
    return filter_.field == "type" and filter_.match is Match.EQUAL and not filter_.negated


def of_zones(types: Iterable[object]) -> list[str]:
    """The condition that the key has on events of these types, unless they are in all zones."""
    zones = sorted({zone(kind) for kind in types})
    return [f"zone IN ({', '.join(map(str, zones))})"] if 0 < len(zones) < ZONES else []


def grouped(sql: Sql, grouping: Grouping, database: str) -> str:
    """The condition of filters of which one must match, or all."""
    tests = (_matches(sql, filter_, database) for filter_ in grouping.filters)
    return f"({(' OR ' if grouping.any_of else ' AND ').join(tests)})"


def _range(sql: Sql, query: EventQuery) -> list[str]:
    return [
        _scope(sql, query.workspace),
        f"timestamp >= {_time(sql, query.start)}",
        f"timestamp < {_time(sql, query.end)}",
    ]


def _time(sql: Sql, time: datetime) -> str:
    return sql.add(_text(time), "DateTime64(3, 'UTC')")


def _text(time: datetime) -> str:
    """Milliseconds; what is finer is cut off, as in what is stored. The column begins in 1900."""
    utc = min(max(time.astimezone(UTC), _FIRST), _LAST)
    return utc.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _beyond(sql: Sql, query: EventQuery) -> str:
    """Keyset paging: the whole order in the comparison, since equal times are common.

    The first half says nothing new; it lets the engine skip by the bucket of time.
    """
    assert query.after is not None  # noqa: S101 -- the caller's condition, said to the type checker
    less = "<" if query.descending else ">"
    time, event_id = _time(sql, query.after.timestamp), sql.add(query.after.event_id, "String")
    return f"timestamp {less}= {time} AND (timestamp, event_id) {less} ({time}, {event_id})"


def _matches(sql: Sql, filter_: Filter, database: str, query: EventQuery | None = None) -> str:
    """The condition of a filter; `query` is needed for `Match.FIRST`."""
    test = _compared(sql, filter_, database, query)
    return f"NOT ifNull({test}, 0)" if filter_.negated else test


def _compared(sql: Sql, filter_: Filter, database: str, query: EventQuery | None) -> str:
    name, match = filter_.field, filter_.match
    if name in NOT_ASKED or name not in FIELD:
        raise ValueError(f"{name} has no column")
    if match in _PHRASES:
        tests = (_PHRASES[match](sql, _whole(name), str(value)) for value in filter_.values)
        return f"({' OR '.join(filter(None, tests)) or '0'})"
    if match is Match.CONTAINS:
        parts, text = [sql.add(value, "String") for value in filter_.values], _whole(name)
        return f"({' OR '.join(f'positionCaseInsensitiveUTF8({text}, {p}) > 0' for p in parts)})"
    integer = FIELD[name].kind is Kind.INTEGER
    values = sql.add(list(filter_.values), "Array(Int64)" if integer else "Array(String)")
    if match is Match.MEMBER:
        return f"hasAny({name}, {values})"
    if match is Match.ADDRESS:
        return f"lowerUTF8(extract({name}, '([^<>\\\\s]+)>?\\\\s*$')) IN {values}"
    equal = f"{name} IN {values}"
    if match is Match.FIRST and query is not None:
        return f"({equal} AND {_is_first(sql, equal, database, query)})"
    return equal


def _whole(name: str) -> str:
    """The texts of a field, to look into them. A part of the table has many subjects, and each
    block of events refers to all of them: the engine would look into all, again for each block."""
    return f"CAST({name}, 'String')" if name == "subject" else name


def _is_first(sql: Sql, condition: str, database: str, query: EventQuery) -> str:
    """Whether an event is the first of its message and recipient that fulfils a condition."""
    scope, events = _scope(sql, query.workspace), f"{database}.events"
    return (
        "(message_id, rcpt_to, timestamp, event_id) IN ("
        "SELECT message_id, rcpt_to, (min((timestamp, event_id)) AS earliest).1, earliest.2 "
        f"FROM {events} WHERE {scope} AND {condition} AND message_id IN ("
        f"SELECT message_id FROM {events} WHERE {' AND '.join(_range(sql, query))} "
        f"AND {condition}) GROUP BY message_id, rcpt_to)"
    )


def _phrase(sql: Sql, name: str, found: Sequence[str], between: str) -> str:
    """The condition that these tokens stand in a field next to each other, whole; `between` is a
    set of separators. Nothing when there is none."""
    if not found:
        return ""
    tokens = f"{between}+".join(re.escape(token) for token in found)
    pattern = f"(?i)(^|{between}){tokens}($|{between})"
    return f"match({name}, {sql.add(pattern, 'String')})"


def _tokens(separators: str) -> Callable[[Sql, str, str], str]:
    between = f"[{re.escape(separators)}]"

    def test(sql: Sql, name: str, text: str) -> str:
        found = [token for token in re.split(between, text) if token]
        return _phrase(sql, name, found, between)

    return test


def _words(sql: Sql, name: str, text: str) -> str:
    """A pattern that knows all letters there are takes milliseconds to be got ready, again for each
    block of events. So events are asked first whether they have the letters of each word; then
    whether they match with ASCII between the words. Only if one does not, but may, any character
    beyond ASCII being between words, the whole pattern is needed.
    """
    found = words(text)
    if not found:
        return ""
    between = (r"[\x00-/:-@\[-`{-\x7f]", "[^0-9A-Za-z]", r"[^\p{L}\p{N}]")
    does, may, whole = (_phrase(sql, name, found, each) for each in between)
    if not all(word.isascii() for word in found):
        return f"({may} AND ({does} OR {whole}))"
    seen = [_has_letters(sql, name, word) for word in found]
    if len(found) == 1:
        does = f"hasTokenCaseInsensitive({name}, {sql.add(found[0], 'String')})"
    return f"({' AND '.join(seen)} AND ({does} OR ({may} AND {whole})))"


def _has_letters(sql: Sql, name: str, word: str) -> str:
    """Whether a text has the letters of a word of ASCII one after the other, in any case; or one
    that patterns take for a letter of the word, beyond ASCII, so that this cannot tell."""
    here = f"positionCaseInsensitive({name}, {sql.add(word, 'String')}) > 0"
    others = [
        f"position({name}, '{_ALIKE[c]}') > 0" for c in sorted(_ALIKE.keys() & {*word.lower()})
    ]
    return f"({' OR '.join([here, *others])})"


_ALIKE = {"k": "\N{KELVIN SIGN}", "s": "\N{LATIN SMALL LETTER LONG S}"}
"""Letters beyond ASCII that are the same as one of ASCII in any case."""


_PHRASES: dict[Match, Callable[[Sql, str, str], str]] = {
    Match.WORDS: _words,
    Match.TOKENS: _tokens(" -_"),
    Match.DOMAIN_TOKENS: _tokens(" -_."),
}
"""The condition that a field has the tokens of a text; none when it has no token."""
