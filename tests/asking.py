"""A store for tests that ask the reader: the real engine, in a process of its own, since one
process holds one store."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import Any
from unittest.mock import patch

import msgspec
from clickhouse_connect.driver.exceptions import DatabaseError

from forked import CONTEXT
from making import Event
from postledger.errors import StoreUnavailable
from postledger.query import EventQuery
from postledger.settings import load
from postledger.store import sql
from postledger.store.engine import DATABASE, Engine
from postledger.store.guesses import Guesses
from postledger.store.reader import Reader
from postledger.store.recent import Recent
from postledger.store.rollups import Rollups
from postledger.store.writer import Arrival, Writer

_WORKSPACES = count()
MOST = 12
"""Identities that the writer remembers in these tests."""
_open: list[Any] = []


def _launch(directory: str) -> None:
    engine = Engine(load({}, overrides={"data_dir": directory, "readers": 2}))
    writer, rollups = Writer(engine, {}), Rollups(engine)
    reader = Reader(engine, rollups, lambda: writer.given, lambda: writer.whole, small=0)
    _open.extend((writer, reader, rollups, Reader(engine)))


def _store(workspace: str, events: Sequence[Event]) -> int:
    lines = b"\n".join(msgspec.json.encode(event) for event in events)
    writer: Writer = _open[0]
    arrival = Arrival(workspace, lines, len(events), unknown_fields=True)
    (outcome,) = writer.store(writer.prepare(arrival))
    assert not outcome.problems, outcome
    return outcome.accepted


def _store_and_fail(workspace: str, events: Sequence[Event], then: str) -> str:
    writer: Writer = _open[0]
    client, command, query = writer._client, writer._client.command, writer._client.query

    def failing(sql: str, *given: Any, **named: Any) -> Any:
        if "DROP PART" in sql and then == "broken":
            raise DatabaseError("cannot open a file")
        return command(sql, *given, **named)

    def merged(sql: str, *given: Any, **named: Any) -> Any:
        if "_part" in sql and then == "merged":
            command("OPTIMIZE TABLE postledger.events FINAL")
        return query(sql, *given, **named)

    bad = "throwIf(subject = 'bad') TYPE minmax"  # which is asked part by part
    client.command(f"ALTER TABLE postledger.events ADD INDEX bad {bad}")
    if then != "merged":  # by the engine itself, as it may at any time
        client.command("SYSTEM STOP MERGES postledger.events")
    try:
        with patch.multiple(client, command=failing, query=merged):
            _store(workspace, events)
    except StoreUnavailable as error:
        return str(error)
    finally:
        client.command("SYSTEM START MERGES postledger.events")
        client.command("ALTER TABLE postledger.events DROP INDEX bad")
    raise AssertionError("it is stored")


def _store_together(
    workspace: str, pieces: Sequence[Sequence[Event]], atomic: Sequence[bool] | None
) -> list[tuple[int, int, list[int | None]]]:
    writer: Writer = _open[0]
    arrivals = [
        Arrival(workspace, b"\n".join(map(msgspec.json.encode, piece)), len(piece), atomic=whole)
        for piece, whole in zip(pieces, atomic or [False] * len(pieces), strict=True)
    ]
    if atomic is None:
        outcomes = writer.store(writer.prepare(*arrivals))
    else:
        outcomes = writer.store_small(arrivals)
    return [
        (one.accepted, one.duplicates, [problem.index for problem in one.problems])
        for one in outcomes
    ]


def _store_small(workspace: str, events: Sequence[Event]) -> list[int]:
    """A group, of which each event arrives on its own; how many of each are new."""
    writer: Writer = _open[0]
    if writer._recent._most != MOST:
        writer._recent = Recent(writer._since, MOST, patience=1)
    arrivals = [
        Arrival(workspace, msgspec.json.encode(event), 1, unknown_fields=True) for event in events
    ]
    return [one.accepted for one in writer.store_small(arrivals)]


def _flush() -> None:
    _open[0].flush()


def _fold(most: int) -> bool:
    writer, _, rollups, _ = _open
    done: bool = rollups.fold(writer.numbers(), most)
    return done


def _move_horizon(to: datetime) -> None:
    _open[2].move_horizon(to)


def _run(sql: str) -> list[tuple[Any, ...]]:
    rollups: Rollups = _open[2]
    if not sql.startswith("SELECT"):
        rollups._client.command(sql)
        return []
    return [tuple(row) for row in rollups._client.query(sql).result_rows]


def _forget_numbers() -> None:
    _open[2]._through = None


def _read(question: str, query: object) -> Any:
    found = getattr(_open[1], question)(query)
    if question == "metrics":  # also without a word of who keeps the roll-ups
        assert found == _open[3].metrics(query)
    if question == "page" and isinstance(query, EventQuery):  # by whatever way
        for way in (True, False):
            statement = sql.page(query, DATABASE, all_at_once=way)
            assert found.events == _open[1]._events(statement)[: query.limit], way
    return found


def _guess(query: EventQuery) -> int | None:
    guesses: Guesses = _open[2].guesses
    guesses.matching(query)
    guesses.learn()
    return guesses.matching(query)


class Store:
    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def add(self, events: Sequence[Event]) -> str:
        """Store events, numbered, in a workspace of their own; its name."""
        workspace = f"w{next(_WORKSPACES)}"
        numbered = [event | {"event_id": f"e{n:04}"} for n, event in enumerate(events)]
        if numbered:
            assert len(events) == self.send(workspace, numbered)
        return workspace

    def send(self, workspace: str, events: Sequence[Event]) -> int:
        """Store events that have ids; how many are new."""
        return self._pool.submit(_store, workspace, events).result()

    def send_together(
        self, pieces: Sequence[Sequence[Event]], atomic: Sequence[bool] | None = None
    ) -> tuple[str, list[tuple[int, int, list[int | None]]]]:
        """Store pieces in one insert, in a workspace of their own; its name, and of each piece how
        many events are new and repeats, and which are wrong. With `atomic`, which says of each
        whether all of it is stored or none, in one entry of the journal."""
        workspace = f"w{next(_WORKSPACES)}"
        return workspace, self._pool.submit(_store_together, workspace, pieces, atomic).result()

    def fail_to_send(self, workspace: str, events: Sequence[Event], then: str) -> str:
        """Store events in an insert that fails at the one with the subject `bad`, after others of
        it have been stored; what is said. `then`: these are `removed`, cannot be (`broken`), or
        have been `merged` with others of their month."""
        return self._pool.submit(_store_and_fail, workspace, events, then).result()

    def send_small(self, workspace: str, events: Sequence[Event]) -> list[int]:
        """Store events, each by itself, in one entry of the journal; 1 for each that is new. What
        is remembered of the table is little, and read often."""
        return self._pool.submit(_store_small, workspace, events).result()

    def flush(self) -> None:
        """Move what is in the journal to the table."""
        self._pool.submit(_flush).result()

    def fold(self, most: int) -> bool:
        """Fold a step of at most `most` events into the roll-ups; whether there was one to do."""
        return self._pool.submit(_fold, most).result()

    def fold_all(self) -> None:
        """Fold all that there is, also what other tests have left."""
        while self.fold(1_000_000):
            pass

    def move_horizon(self, to: datetime) -> None:
        """Say that events before this may be gone."""
        self._pool.submit(_move_horizon, to).result()

    def forget_numbers(self) -> None:
        """Let the roll-ups look up anew how far they are, as after a failure."""
        self._pool.submit(_forget_numbers).result()

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        return self._pool.submit(_run, sql).result()

    def guess(self, query: EventQuery) -> int | None:
        """How many events match, as far as is known once it was asked for; None: not at all."""
        return self._pool.submit(_guess, query).result()

    def read(self, question: str, query: object) -> Any:
        """The answer of the reader's method of this name. A page is the same by each way in which
        it can be looked for."""
        return self._pool.submit(_read, question, query).result()


@contextmanager
def opened(directory: str) -> Iterator[Store]:
    """A store in this directory, until the block is left."""
    with ProcessPoolExecutor(1, CONTEXT, _launch, (directory,)) as pool:
        yield Store(pool)
