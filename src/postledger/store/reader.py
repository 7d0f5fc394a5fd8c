"""Answers questions: pages, one event, a message, the feed. Several threads may use it at once."""

from datetime import datetime

import msgspec

from postledger.errors import NotFound
from postledger.query import EventQuery, FeedPage, FeedQuery, Page, Place
from postledger.store import sql as statements
from postledger.store.engine import Engine
from postledger.store.sql import Sql

MOST_EVENTS_OF_A_MESSAGE = 10_000


class _Key(msgspec.Struct):
    timestamp: datetime
    event_id: str


_KEY = msgspec.json.Decoder(_Key)


class Reader:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(self, query: EventQuery) -> Page:
        """One page of events; `next` is None when there are no more."""
        found = self._lines(statements.page(query, self._engine.database))
        if len(found) <= query.limit:
            return Page(found)
        events = found[: query.limit]
        last = _KEY.decode(events[-1])
        return Page(events, Place(last.timestamp, last.event_id))

    def count(self, query: EventQuery) -> int:
        """The number of events that match, on all pages together."""
        return int(self._lines(statements.count(query, self._engine.database))[0])

    def event(self, workspace: str, event_id: str) -> bytes:
        """One event; if several have the id, the newest. Raises NotFound."""
        found = self._lines(statements.one(workspace, event_id, self._engine.database))
        if not found:
            raise NotFound(f"there is no event with the id {event_id}")
        return found[0]

    def message(self, workspace: str, message_id: str) -> list[bytes]:
        """All events of a message, the oldest first. Raises NotFound when there is none."""
        found = self._lines(
            statements.message(
                workspace, message_id, MOST_EVENTS_OF_A_MESSAGE, self._engine.database
            )
        )
        if not found:
            raise NotFound(f"there is no event of a message with the id {message_id}")
        return found

    def feed(self, query: FeedQuery) -> FeedPage:
        """Events in the order of storing.

        Numbers are dense but for the gaps that repeats and removed events leave, so the engine is
        asked for a range of numbers, which it finds without a look at the rest of the ledger.
        """
        after = query.after
        found = self._feed(query, after)
        if not found:
            first, last = self._ends(query.workspace, after)
            if not last:
                return FeedPage([], query.after)
            after = first - 1
            found = self._feed(query, after)
        numbers, events = zip(*(line.split(b"\t", 1) for line in found), strict=True)
        return FeedPage(list(events), int(numbers[-1]))

    def last(self, workspace: str) -> int:
        """The number of the event that was stored last; 0: there is none."""
        return self._ends(workspace, 0)[1]

    def _feed(self, query: FeedQuery, after: int) -> list[bytes]:
        asked = FeedQuery(query.workspace, after, query.limit)
        return self._lines(statements.feed(asked, after + query.limit, self._engine.database))

    def _ends(self, workspace: str, after: int) -> tuple[int, int]:
        line = self._lines(statements.ends(workspace, after, self._engine.database))[0]
        first, last = line.split(b"\t")
        return int(first), int(last)

    def _lines(self, sql: Sql) -> list[bytes]:
        with self._engine.reader() as client:
            body = client.raw_query(sql.text, sql.parameters, fmt="TSVRaw")
        return body.rstrip(b"\n").split(b"\n") if body else []
