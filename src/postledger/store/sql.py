"""A question as SQL text and parameters. Values are parameters, always; the text is made of our own
tables only. The condition on the workspace is written in `_scope`, which every query goes through.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from postledger.events import FIELD, Kind
from postledger.query import EventQuery, FeedQuery, Filter, Match, words
from postledger.store.columns import EVENT, NOT_ASKED

_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 12, 31, tzinfo=UTC)
_LEADS_TO_FEW = frozenset({"rcpt_to", "message_id"})
_FEW = " SETTINGS optimize_read_in_order = 0, query_plan_optimize_lazy_materialization = 0"
"""For few events, found by an index: to walk through the parts in order, and to come back for the
rest of the columns, costs more than to read and sort them."""

_WORD = r"\p{L}\p{N}"


@dataclass(slots=True)
class Sql:
    """A statement that is being put together; `add` gives the placeholder of a value."""

    text: str = ""
    parameters: dict[str, object] = field(default_factory=dict)

    def add(self, value: object, kind: str) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{kind}}}"


def page(query: EventQuery, database: str) -> Sql:
    """Up to `limit` + 1 events as JSON, one a row: one more than asked for tells of a next page."""
    sql = Sql()
    conditions = _conditions(sql, query)
    if query.after is not None:
        conditions.append(_beyond(sql, query))
    way = "DESC" if query.descending else "ASC"
    limit = sql.add(query.limit + 1, "UInt32")
    sql.text = (
        f"SELECT {EVENT} FROM {database}.events WHERE {' AND '.join(conditions)} "
        f"ORDER BY timestamp {way}, event_id {way} LIMIT {limit}"
    )
    if any(filter_.field in _LEADS_TO_FEW for filter_ in query.filters):
        sql.text += _FEW
    return sql


def count(query: EventQuery, database: str) -> Sql:
    """The number of all matches, whatever the page."""
    sql = Sql()
    conditions = _conditions(sql, query)
    sql.text = f"SELECT count() FROM {database}.events WHERE {' AND '.join(conditions)}"
    return sql


def one(workspace: str, event_id: str, database: str) -> Sql:
    """The events with this id, the newest first; there may be several, of different times."""
    sql = Sql()
    sql.text = (
        f"SELECT {EVENT} FROM {database}.events WHERE {_scope(sql, workspace)} "
        f"AND event_id = {sql.add(event_id, 'String')} ORDER BY timestamp DESC LIMIT 1"
    )
    return sql


def message(workspace: str, message_id: str, limit: int, database: str) -> Sql:
    """The events of one message, the oldest first."""
    sql = Sql()
    sql.text = (
        f"SELECT {EVENT} FROM {database}.events WHERE {_scope(sql, workspace)} "
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


def ends(workspace: str, after: int, database: str) -> Sql:
    """The first number above `after`, and the last one; 0 when there is none."""
    sql = Sql()
    sql.text = (
        f"SELECT min(seq), max(seq) FROM {database}.events WHERE {_scope(sql, workspace)} "
        f"AND seq > {sql.add(after, 'UInt64')}"
    )
    return sql


def _scope(sql: Sql, workspace: str) -> str:
    return f"workspace = {sql.add(workspace, 'String')}"


def _conditions(sql: Sql, query: EventQuery) -> list[str]:
    return [
        _scope(sql, query.workspace),
        f"timestamp >= {_time(sql, query.start)}",
        f"timestamp < {_time(sql, query.end)}",
        *(_matches(sql, filter_) for filter_ in query.filters),
    ]


def _time(sql: Sql, time: datetime) -> str:
    """Milliseconds; what is finer is cut off, as in what is stored. The column begins in 1900."""
    utc = min(max(time.astimezone(UTC), _FIRST), _LAST)
    text = utc.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return sql.add(text, "DateTime64(3, 'UTC')")


def _beyond(sql: Sql, query: EventQuery) -> str:
    """Keyset paging: the whole order in the comparison, since equal times are common.

    The first half says nothing new; it lets the engine skip by the sort key.
    """
    assert query.after is not None  # noqa: S101 -- the caller's condition, said to the type checker
    less = "<" if query.descending else ">"
    time, event_id = _time(sql, query.after.timestamp), sql.add(query.after.event_id, "String")
    return f"timestamp {less}= {time} AND (timestamp, event_id) {less} ({time}, {event_id})"


def _matches(sql: Sql, filter_: Filter) -> str:
    if filter_.field in NOT_ASKED or filter_.field not in FIELD:
        raise ValueError(f"{filter_.field} has no column")
    if filter_.match is Match.WORDS:
        return "(" + " OR ".join(_has_words(sql, filter_, str(v)) for v in filter_.values) + ")"
    integer = FIELD[filter_.field].kind is Kind.INTEGER
    values = sql.add(list(filter_.values), "Array(Int64)" if integer else "Array(String)")
    if filter_.match is Match.MEMBER:
        return f"hasAny({filter_.field}, {values})"
    return f"{filter_.field} IN {values}"


def _has_words(sql: Sql, filter_: Filter, text: str) -> str:
    """The words of `text` as whole words, next to each other, in any case of letters."""
    found = words(text)
    if not found:
        return "0"
    between = f"[^{_WORD}]+"
    phrase = between.join(re.escape(word) for word in found)
    pattern = f"(?i)(^|[^{_WORD}]){phrase}($|[^{_WORD}])"
    return f"match({filter_.field}, {sql.add(pattern, 'String')})"
