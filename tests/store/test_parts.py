"""What the disk did not take is not acknowledged, and what was merged in vain is not lost. A limit
for the size of files stands for a disk that fails; the engine notices neither."""

import random
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from clickhouse_connect.driver._backend.chdb_backend import ChdbBackend

from forked import CONTEXT
from making import EPOCH, event
from postledger.errors import StartError, StoreUnavailable
from postledger.metrics import EVERY
from postledger.query import EventQuery, MetricsQuery
from postledger.settings import load
from postledger.store import writer
from postledger.store.engine import Engine
from postledger.store.reader import Reader
from postledger.store.rollups import Rollups, rebuild
from postledger.store.tidy import Tidy
from postledger.store.writer import Arrival, Writer

START, END = EPOCH, EPOCH + timedelta(days=40_000)
LIMIT = 100_000


@contextmanager
def failing_disk() -> Iterator[None]:
    """While the engine is asked, no file may become larger than `LIMIT`, and who asks it to write
    more is told. What Python writes goes well."""
    asked = ChdbBackend._query_locked

    def limited(*given: Any, **named: Any) -> Any:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
        try:
            return asked(*given, **named)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    with (
        patch.object(ChdbBackend, "_query_locked", limited),
        pytest.raises((StoreUnavailable, StartError), match=r"the disk did not take all"),
    ):
        yield


class Open:
    """A store that is open in this process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.writer = Writer(engine, {})
        self.rollups = Rollups(engine)

    def store(self, first: int, count: int = 600) -> int:
        arrival = Arrival("w", b"\n".join(lines(first, count)), count)
        (outcome,) = self.writer.store(self.writer.prepare(arrival))
        return outcome.accepted

    def store_small(self, first: int, count: int) -> int:
        arrivals = [Arrival("w", line, 1) for line in lines(first, count, size=3000)]
        return sum(one.accepted for one in self.writer.store_small(arrivals))

    def store_in_parts(self) -> None:
        """1,200 events, of which each month has six parts."""
        for number in range(6):
            assert 200 == self.store(200 * number, 200)

    def merge(self) -> None:
        """As the engine does by itself."""
        self.engine.writer.command("OPTIMIZE TABLE postledger.events FINAL")

    def found(self) -> int:
        """How many events there are, as a list that reads all of each; the figures say the same."""
        self.writer.flush()
        page = Reader(self.engine).page(EventQuery("w", START, END, limit=100_000))
        reader = Reader(self.engine, self.rollups, lambda: self.writer.given)
        (row,) = reader.metrics(MetricsQuery("w", START, END, (EVERY,)))
        assert len(page.events) == row.values[0]
        return len(page.events)

    def fold(self) -> None:
        while self.rollups.fold(self.writer.numbers()):
            pass


def lines(first: int, count: int, size: int = 250) -> list[bytes]:
    """Events that take as much room as they are long, of three months."""
    chance = random.Random(first)
    return [
        msgspec.json.encode(
            event(n % 3 * 31 * 86_400 + n, event_id=f"e{n}", reason=chance.randbytes(size).hex())
        )
        for n in range(first, first + count)
    ]


@contextmanager
def opened(directory: str) -> Iterator[Open]:
    with closing(Engine(load({}, overrides={"data_dir": directory, "readers": 1}))) as engine:
        yield Open(engine)


# -- what happens, each in a process of its own


def inserts(directory: str) -> int:
    with opened(directory) as store:
        assert 600 == store.store(0)
        with failing_disk():
            store.store(600)
        assert 600 == store.found()
        assert 600 == store.store(600)
        return store.found()


def flushes(directory: str) -> int:
    with opened(directory) as store:
        assert 600 == store.store(0)
        assert 150 == store.store_small(600, 150) == store.writer.waiting
        for _ in range(2):
            with failing_disk():
                store.writer.flush()
            assert 150 == store.writer.waiting
        with patch.object(writer, "_MOST_WAITING", 149), failing_disk():
            store.store_small(750, 1)  # no more is taken while what waits cannot be moved
        return store.found()


def flushes_and_ends(directory: str) -> int:
    """What waits is moved at the next start."""
    with opened(directory) as store:
        assert 600 == store.store(0)
        assert 150 == store.store_small(600, 150)
        with failing_disk():
            store.writer.flush()
    return 750


def tidies(directory: str) -> int:
    with opened(directory) as store:
        store.store_in_parts()
        tidy = Tidy(store.engine)
        with failing_disk():
            while tidy.once():
                pass
        assert 1200 == store.found()
        while tidy.once():
            pass
        return store.found()


def merges(directory: str) -> int:
    with opened(directory) as store:
        store.store_in_parts()
        with failing_disk():
            store.merge()
            store.engine.sure_of_all()
        store.engine.sure_of_all()
        return store.found()


def alters(directory: str) -> int:
    """A mutation takes the place of what it changes, too."""
    with opened(directory) as store:
        assert 1500 == store.store(0, 1500)
        with failing_disk():
            store.engine.writer.command(
                "ALTER TABLE postledger.events UPDATE reason = upper(reason) WHERE 1 "
                "SETTINGS mutations_sync = 2"
            )
            store.engine.sure_of_all()
        return store.found()


def folds(directory: str) -> int:
    with opened(directory) as store:
        assert 1500 == store.store(0, 1500)
        with failing_disk():
            store.fold()
        assert 1500 == store.found()
        store.fold()
        assert 1500 == store.found()
        with failing_disk():
            for _ in rebuild(store.engine):
                pass
        for _ in rebuild(store.engine):
            pass
        return store.found()


def upgrades(directory: str) -> int:
    """What was to be copied stays as it was until all of it has been."""
    with opened(directory) as store:
        assert 1500 == store.store(0, 1500)
        store.engine.writer.command(
            "ALTER TABLE postledger.migrations DELETE WHERE version > 3 SETTINGS mutations_sync = 2"
        )
    with failing_disk():
        Engine(load({}, overrides={"data_dir": directory, "readers": 1}))
    return 1500


WAYS = (inserts, flushes, flushes_and_ends, tidies, merges, alters, folds, upgrades)


def found(directory: str) -> int:
    with opened(directory) as store:
        assert [] == store.engine.set_aside()
        return store.found()


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
def test_a_disk_that_fails(tmp_path: Path, way: Callable[[str], int]) -> None:
    """Nothing that was acknowledged is lost, nor what was there before: now, and after a start."""
    with ProcessPoolExecutor(1, CONTEXT) as pool:
        wanted = pool.submit(way, str(tmp_path)).result()
    with ProcessPoolExecutor(1, CONTEXT) as pool:
        assert wanted == pool.submit(found, str(tmp_path)).result()
