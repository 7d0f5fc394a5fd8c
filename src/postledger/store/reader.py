"""Answers questions: pages, one event, a message, the feed. Several threads may use it at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from postledger.errors import NotFound
from postledger.metrics import EVERY
from postledger.query import (
    Envelope,
    EventQuery,
    FeedPage,
    FeedQuery,
    Message,
    MessagePage,
    MessagePlace,
    MessageQuery,
    MetricsQuery,
    MetricsRow,
    Page,
    Place,
    Stage,
)
from postledger.store import columns
from postledger.store import metrics as figures
from postledger.store import sql as statements
from postledger.store.dimensions import may_be_rolled
from postledger.store.engine import Engine
from postledger.store.rollups import Rollups
from postledger.store.sql import Sql

MOST_EVENTS_OF_A_MESSAGE = 10_000
MOST_LISTED = 1000
"""Ids that are handed to the engine in a list; more of them it looks up itself."""

_MANY, _MANY_TOGETHER = 5, 100
"""Pages of events that match, beyond which it is faster to look for one page than at all of them;
events of a campaign lie together."""
_TRIES = 3
_ALL = 2**63


class _Key(msgspec.Struct):
    timestamp: datetime
    event_id: str


_KEY = msgspec.json.Decoder(_Key)


class _Ids(msgspec.Struct):
    message_id: str = ""
    rcpt_to: str = ""


class _Table(msgspec.Struct):
    """The engine's format JSONCompact."""

    data: list[tuple[int, int, int]]
    rows_before_limit_at_least: int = 0


class _Kind(msgspec.Struct):
    type: str
    bounce_class: int | None = None


_KIND = msgspec.json.Decoder(_Kind)
_IDS = msgspec.json.Decoder(_Ids)
_TEXT = msgspec.json.Decoder(str)
_TABLE = msgspec.json.Decoder(_Table)
_ROW = msgspec.json.Decoder(list[Any])
_ENVELOPE = msgspec.json.Decoder(tuple[str, list[str], str])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Reader:
    def __init__(
        self,
        engine: Engine,
        rollups: Rollups | None = None,
        given: Callable[[], Mapping[str, int]] = dict,
        whole: Callable[[], Mapping[str, int]] | None = None,
        small: int = 50_000,
    ) -> None:
        """`rollups`: who keeps them in this process, so that the store need not be asked how far
        they are; `given`: the number of the last event of each workspace, as the writer knows;
        `whole`: that up to which all are in the table (None: nothing is being stored). In a
        workspace of up to `small` events it is faster to look at all than to plan how not to."""
        self._engine = engine
        self._rollups = rollups
        self._given = given
        self._whole = whole
        self._small = small

    def page(self, query: EventQuery) -> Page:
        """One page of events; `next` is None when there are no more."""
        found = self._events(self.statement(query))
        if len(found) <= query.limit:
            return Page(found)
        events = found[: query.limit]
        last = _KEY.decode(events[-1])
        return Page(events, Place(last.timestamp, last.event_id))

    def statement(self, query: EventQuery) -> Sql:
        """What the engine is asked for a page."""
        at_once = self._is_small(query.workspace) or self._are_few(query)
        return statements.page(query, self._engine.database, all_at_once=at_once)

    def count(self, query: EventQuery) -> int:
        """The number of events that match, on all pages together."""
        if self._is_small(query.workspace) or (found := self._rolled_count(query)) is None:
            return int(self._lines(statements.count(query, self._engine.database))[0])
        return found

    def _is_small(self, workspace: str) -> bool:
        return self._given().get(workspace, self._small + 1) <= self._small

    def _are_few(self, query: EventQuery) -> bool | None:
        """Whether a page is a good part of what matches; None: not known."""
        found = self._rollups.guesses.matching(query) if self._rollups else None
        if found is None:
            return None
        together = any(f.field == "campaign_id" and not f.negated for f in query.filters)
        many = _MANY_TOGETHER if together else _MANY
        return found <= many * (query.offset + query.limit)

    def _rolled_count(self, query: EventQuery) -> int | None:
        """The same from the roll-ups; None: they do not have it."""
        if query.of_messages:
            return None
        asked = MetricsQuery(
            query.workspace,
            query.start,
            query.end,
            (EVERY,),
            query.filters,
            alternatives=query.alternatives,
        )
        rollups = self._rollups
        if rollups and rollups.has_events_since(query.start) and may_be_rolled(asked):
            return int(self.metrics(asked)[0].values[0])
        return None

    def event(self, workspace: str, event_id: str) -> bytes:
        """One event; if several have the id, the newest. Raises NotFound."""
        found = self._events(statements.one(workspace, event_id, self._engine.database))
        if not found:
            raise NotFound(f"there is no event with the id {event_id}")
        return found[0]

    def message(self, workspace: str, message_id: str) -> list[bytes]:
        """All events of a message, the oldest first. Raises NotFound when there is none."""
        found = self._events(
            statements.message(
                workspace, message_id, MOST_EVENTS_OF_A_MESSAGE, self._engine.database
            )
        )
        if not found:
            raise NotFound(f"there is no event of a message with the id {message_id}")
        return found

    def each(self, query: EventQuery) -> Iterator[list[bytes]]:
        """All events that match, some at a time: `limit` says how many."""
        while True:
            page = self.page(query)
            yield page.events
            if page.next is None:
                return
            query = replace(query, after=page.next)

    def messages(self, query: MessageQuery) -> MessagePage:
        """A page of messages with their events."""
        database = self._engine.database
        table = self._table(statements.messages(query, database, self._untold(query)))
        before = query.after.count if query.after else query.offset
        total = table.rows_before_limit_at_least + (query.after.count if query.after else 0)
        events = self._events_of(query, table.data)
        rows = [row for row in table.data[: query.limit] if row[0] in events]  # else just removed
        messages = []
        for key, sent, _ in rows:
            told = _IDS.decode(events[key][0])
            state = _state(query.stages, events[key])
            found = Message(told.message_id, told.rcpt_to, _time(sent), state, events[key])
            messages.append(found)
        following = None
        if rows and len(table.data) > query.limit:
            last = messages[-1]
            count = before + len(rows)
            following = MessagePlace(last.sent, last.message_id, last.rcpt_to, count)
        return MessagePage(messages, total, following)

    def _untold(self, query: MessageQuery) -> list[str] | None:
        """Ids of messages whose events before the range matter; None: more than can be listed."""
        sql = statements.untold(query, MOST_LISTED + 1, self._engine.database)
        found = [_TEXT.decode(line) for line in self._lines(sql)]
        return found if len(found) <= MOST_LISTED else None

    def _events_of(
        self, query: MessageQuery, rows: Sequence[tuple[int, int, int]]
    ) -> dict[int, list[bytes]]:
        """The events of messages by their key."""
        if not rows:
            return {}
        sql = statements.events_of(
            query.workspace,
            {key: _time(first) for key, _, first in rows},
            query.start,
            MOST_EVENTS_OF_A_MESSAGE,
            self._engine.database,
        )
        return columns.joined_by_key(self._body(sql, "JSONCompactEachRow"))

    def envelopes(self, workspace: str, message_ids: Sequence[str]) -> dict[str, Envelope]:
        """Recipients and subject of these messages, as far as there are events of them."""
        if not message_ids:
            return {}
        sql = statements.envelopes(workspace, message_ids, self._engine.database)
        rows = (_ENVELOPE.decode(line) for line in self._lines(sql, "JSONCompactEachRow"))
        return {message_id: Envelope(to, subject) for message_id, to, subject in rows}

    def began(self, workspace: str, message_id: str) -> datetime | None:
        """When a message was injected, or its first event, which to be scheduled is only where
        there is no other; None: nothing is known of it."""
        found = self._lines(statements.began(workspace, message_id, self._engine.database))
        return _time(int(found[0])) if found else None

    def feed(self, query: FeedQuery) -> FeedPage:
        """Events in the order of storing.

        Numbers are dense but for the gaps that repeats and removed events leave, so the engine is
        asked for a range of numbers, which it finds without a look at the rest of the ledger.
        """
        after, whole = query.after, self._complete(query.workspace)
        found = self._feed(query, after, whole)
        if not found:
            first, last = self._ends(query.workspace, after, whole)
            if not last:
                return FeedPage([], query.after)
            found = self._feed(query, first - 1, whole)
        if not found:  # what was there has just been removed
            return FeedPage([], query.after)
        numbers, events = zip(*(line.split(b"\t", 1) for line in found), strict=True)
        return FeedPage(list(events), int(numbers[-1]))

    def metrics(self, query: MetricsQuery) -> list[MetricsRow]:
        """Figures, a row for each group and interval. Raises BadInput: they are too many."""
        database = self._engine.database
        if not may_be_rolled(query):
            return figures.counted(query, database, self._rows)
        look = self._rollups.look(query.workspace) if self._rollups else None
        if look is not None and self._rollups is not None:
            newer = self._given().get(query.workspace, 0) > look.through
            folded = figures.Folded(look.through, newer)
            rows = figures.rolled(query, database, self._rows, folded)
            if self._rollups.is_as_it_was(look):
                return rows
        return self._metrics(query)

    def _metrics(self, query: MetricsQuery) -> list[MetricsRow]:
        """The same while events are being folded: the store says how far they are."""
        database = self._engine.database
        for _ in range(_TRIES):
            before = self._through(query.workspace)
            rows = figures.rolled(query, database, self._rows, figures.Folded(before))
            if self._through(query.workspace) == before:
                return rows
        return figures.counted(query, database, self._rows)

    def _through(self, workspace: str) -> int:
        return int(self._lines(figures.through(workspace, self._engine.database))[0])

    def last(self, workspace: str) -> int:
        """The number of the event that was stored last, with all before it; 0: there is none."""
        return self._ends(workspace, 0, self._complete(workspace))[1]

    def _complete(self, workspace: str) -> int:
        """The number up to which the order of storing can be read. It is looked up before."""
        return _ALL if self._whole is None else self._whole().get(workspace, 0)

    def _feed(self, query: FeedQuery, after: int, whole: int) -> list[bytes]:
        asked = FeedQuery(query.workspace, after, query.limit)
        through = min(after + query.limit, whole)
        return self._lines(statements.feed(asked, through, self._engine.database))

    def _ends(self, workspace: str, after: int, through: int) -> tuple[int, int]:
        line = self._lines(statements.ends(workspace, after, through, self._engine.database))[0]
        first, last = line.split(b"\t")
        return int(first), int(last)

    def _events(self, sql: Sql) -> list[bytes]:
        if sql.in_parts:
            return columns.joined(self._body(sql, "JSONCompactEachRow"))
        return self._lines(sql)

    def _lines(self, sql: Sql, form: str = "TSVRaw") -> list[bytes]:
        body = self._body(sql, form)
        return body.rstrip(b"\n").split(b"\n") if body else []

    def _rows(self, sql: Sql) -> list[list[Any]]:
        return _ROW.decode_lines(self._body(sql, "JSONCompactEachRow"))

    def _table(self, sql: Sql) -> _Table:
        return _TABLE.decode(self._body(sql, "JSONCompact"))

    def _body(self, sql: Sql, form: str) -> bytes:
        with self._engine.reader() as client:
            return client.raw_query(sql.text, sql.parameters, fmt=form)


def _state(stages: Sequence[Stage], events: Sequence[bytes]) -> str:
    """The last of the stages that one of the events brings its message to."""
    kinds = {(kind.type, kind.bounce_class) for kind in map(_KIND.decode, events)}
    reached = (stage.name for stage in reversed(stages) if _brings_to(stage, kinds))
    return next(reached, stages[0].name)


def _brings_to(stage: Stage, kinds: Iterable[tuple[str, int | None]]) -> bool:
    return any(
        kind in stage.types and (stage.classes is None or bounce_class in stage.classes)
        for kind, bounce_class in kinds
    )


def _time(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)
