"""The raw engine in this process: what is left when Postledger is taken away.

It *takes in* the same bytes into one table with a column for each field of the registry, as
`INSERT ... FORMAT JSONEachRow`, with fsync: no check of types, no look for repeats, no numbers,
unknown fields lost. It is *asked* on Postledger's own table, with the statements that Postledger
makes: without HTTP, parameters, JSON and Python. Figures are counted from the events, without
roll-ups: that is what they cost without Postledger.
"""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from clickhouse_connect.driver.client import Client

from benchmarks import bench
from benchmarks.intake import RAW_SETTINGS, raw_table
from benchmarks.questions import Question, Rows, Values, ids
from benchmarks.stream import Intake
from benchmarks.systems import Size
from benchmarks.systems.statements import growing_engine
from postledger.events import FIELDS
from postledger.http import metrics, parameters
from postledger.query import EventQuery, MetricsRow
from postledger.settings import load
from postledger.state.keys import DEFAULT_WORKSPACE
from postledger.store import columns, sql
from postledger.store import metrics as statements
from postledger.store.columns import joined
from postledger.store.engine import Engine
from postledger.store.export import Extract, statement

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_FORMS = {"csv": "CSVWithNames", "parquet": "Parquet"}
_WRITERS = 8
_LOADERS = 2


class Raw:
    """On the directory of a Postledger store that no server has open; its own table is beside."""

    indexes: Sequence[str] = ()

    def __init__(self, place: Path) -> None:
        self._engine = Engine(load({}, overrides={"data_dir": str(place), "readers": 1}))
        self.version = str(self._engine.writer.command("SELECT version()"))
        self._writers = [self._engine.client(RAW_SETTINGS) for _ in range(_WRITERS)]
        self._reader = self._engine.client(
            columns.READ_SETTINGS
            | {
                "format_csv_null_representation": "",
                "output_format_parquet_compression_method": "zstd",
            }
        )
        self._writers[0].command("CREATE DATABASE IF NOT EXISTS raw")
        self._writers[0].command(raw_table())

    def load(self, chunks: Iterable[list[bytes]]) -> float:
        return sum(self._insert(each, _LOADERS) for each in chunks)

    def grow(self, copies: int) -> None:
        names = [field.name for field in FIELDS]
        self._writers[0].command(growing_engine("raw.events", names, copies))

    def settle(self) -> float:
        return bench.timed(lambda: self._writers[0].command("OPTIMIZE TABLE raw.events FINAL"))

    def size(self) -> Size:
        ((events, size),) = (
            self._writers[0]
            .query(
                "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts "
                "WHERE active AND database = 'raw'"
            )
            .result_rows
        )
        return Size(int(events), int(size))

    def asking(self, question: Question, values: Values) -> Callable[[], object]:
        pairs = question.pairs(values)
        if question.is_page:
            asked = parameters.events(pairs, DEFAULT_WORKSPACE, bench.END)
            page = sql.page(asked.query, self._engine.database)
            form = "JSONCompactEachRow" if page.in_parts else "TSVRaw"
            return lambda: self._reader.raw_query(page.text, page.parameters, fmt=form)
        query = metrics.parse(pairs, DEFAULT_WORKSPACE, bench.END)
        return lambda: statements.counted(query, self._engine.database, self._rows)

    def rows(self, question: Question, answer: object) -> Rows:
        if isinstance(answer, bytes):
            events = joined(answer) if answer.startswith(b"[") else answer.splitlines()
            return ids([json.loads(event) for event in events[:1000]])
        assert isinstance(answer, list)
        return [row for each in answer for row in _row(question, each)]

    def export(self, form: str, file: Path) -> None:
        query = EventQuery(DEFAULT_WORKSPACE, _FIRST, _LAST)
        made = statement(Extract(query, 0, 2**63, form), self._engine.database, "raw")
        text = f"{made.text} INTO OUTFILE '{file}' TRUNCATE FORMAT {_FORMS[form]}"
        self._reader.raw_query(text, made.parameters)

    def take(self, way: Intake, bodies: list[bytes]) -> float | None:
        return self._insert(bodies, way.connections)

    def close(self) -> None:
        self._writers[0].command("DROP DATABASE raw")
        self._engine.close()

    def _insert(self, bodies: list[bytes], writers: int) -> float:
        waiting, free = list(reversed(bodies)), list(self._writers[:writers])

        def work() -> None:
            client: Client = free.pop()
            while waiting:
                try:
                    body = waiting.pop()
                except IndexError:
                    return
                client.raw_insert("raw.events", None, body, fmt="JSONEachRow")

        started = time.perf_counter()
        bench.in_threads(work, writers)
        return time.perf_counter() - started

    def _rows(self, made: sql.Sql) -> list[list[object]]:
        body = self._reader.raw_query(made.text, made.parameters, fmt="JSONCompactEachRow")
        return [json.loads(line) for line in body.splitlines()]


def _row(question: Question, row: MetricsRow) -> Rows:
    if question.name != "series":
        return [(*row.group, *row.values)]
    assert row.time is not None
    return [(f"{row.time:%Y-%m-%d}", *row.values)] if any(row.values) else []
