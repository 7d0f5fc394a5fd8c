"""A store for tests that ask the reader: the real engine, in a process of its own, since one
process holds one store."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import count
from multiprocessing import get_context
from typing import Any

import msgspec

from making import Event
from postledger.settings import load
from postledger.store.engine import Engine
from postledger.store.reader import Reader
from postledger.store.writer import Arrival, Writer

_WORKSPACES = count()
_open: list[Any] = []


def _launch(directory: str) -> None:
    engine = Engine(load({}, overrides={"data_dir": directory, "readers": 2}))
    _open.extend((Writer(engine, {}), Reader(engine)))


def _store(workspace: str, events: Sequence[Event]) -> None:
    lines = b"\n".join(msgspec.json.encode(event) for event in events)
    writer: Writer = _open[0]
    arrival = Arrival(workspace, lines, len(events), unknown_fields=True)
    outcome = writer.store(writer.prepare(arrival))
    assert len(events) == outcome.accepted, outcome


def _read(question: str, query: object) -> Any:
    return getattr(_open[1], question)(query)


class Store:
    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def add(self, events: Sequence[Event]) -> str:
        """Store events, numbered, in a workspace of their own; its name."""
        workspace = f"w{next(_WORKSPACES)}"
        numbered = [event | {"event_id": f"e{n:04}"} for n, event in enumerate(events)]
        if numbered:
            self._pool.submit(_store, workspace, numbered).result()
        return workspace

    def read(self, question: str, query: object) -> Any:
        """The answer of the reader's method of this name."""
        return self._pool.submit(_read, question, query).result()


@contextmanager
def opened(directory: str) -> Iterator[Store]:
    """A store in this directory, until the block is left."""
    with ProcessPoolExecutor(1, get_context("spawn"), _launch, (directory,)) as pool:
        yield Store(pool)
