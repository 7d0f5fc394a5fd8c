"""DuckDB in this process, with one table.

*Intake.* DuckDB's own JSON reader reads the lines from a file; smaller batches too, which are
written to a file first. Its manual advises against a primary key where loading matters, so repeats
are dropped by an anti-join with the events of the same range of time, which its min-max indexes
find. That is right for one writer only, so it is not measured on eight connections.

*Indexes.* The manual advises ART indexes for lookups of few rows, made after the load: on
recipient and message. Rows are ordered by time as they are loaded, for the min-max indexes.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import bench
from benchmarks.questions import Question, Rows, Values, from_sql
from benchmarks.stream import Intake
from benchmarks.systems import Size
from benchmarks.systems.statements import DUCKDB, FIELDS_BY_WIDTH, definition, growing

COLUMNS = definition(DUCKDB)
INDEXES = (
    "CREATE INDEX by_recipient ON events (rcpt_to)",
    "CREATE INDEX by_message ON events (message_id)",
)
_TYPES = {field.name: DUCKDB.types[field.kind] for field in FIELDS_BY_WIDTH}
_READ = (
    "CREATE OR REPLACE TEMP TABLE staging AS SELECT * FROM "
    f"read_json(?, format = 'newline_delimited', columns = {_TYPES}) "
    "QUALIFY row_number() OVER (PARTITION BY timestamp, event_id) = 1"
)
_STORE = (
    "INSERT INTO events SELECT * FROM staging "
    "ANTI JOIN (SELECT timestamp, event_id FROM events WHERE timestamp BETWEEN ? AND ?) "
    "USING (timestamp, event_id) ORDER BY timestamp"
)


class DuckDB:
    indexes: Sequence[str] = INDEXES

    def __init__(self, place: Path) -> None:
        place.mkdir(parents=True)
        self.version = duckdb.__version__
        self._file = place / "events.duckdb"
        self._lines = place / "lines.ndjson"
        self._engine = duckdb.connect(self._file)
        self._run("SET TimeZone = 'UTC'")
        self._run(f"CREATE TABLE events ({COLUMNS})")

    def load(self, chunks: Iterable[list[bytes]]) -> float:
        """A chunk at once: the more, the better for DuckDB. Writing the file is not counted."""
        seconds = 0.0
        for bodies in chunks:
            self._lines.write_bytes(b"\n".join(bodies))
            seconds += bench.timed(self._store)
        return seconds

    def grow(self, copies: int) -> None:
        self._run(growing(copies))

    def settle(self) -> float:
        def work() -> None:
            for text in (*INDEXES, "CHECKPOINT"):
                self._run(text)

        return bench.timed(work)

    def size(self) -> Size:
        self._run("CHECKPOINT")
        ((events,),) = self._run("SELECT count(*) FROM events")
        return Size(events, self._file.stat().st_size)

    def asking(self, question: Question, values: Values) -> Callable[[], object]:
        text = DUCKDB.spell(question.sql)
        given = {name: _plain(value) for name, value in question.parameters(values).items()}
        return lambda: self._engine.sql(text, params=given).to_arrow_table()

    def rows(self, question: Question, answer: object) -> Rows:
        columns = answer.column_names  # type: ignore[attr-defined]
        found = [tuple(row.values()) for row in answer.to_pylist()]  # type: ignore[attr-defined]
        return from_sql(question, columns, found)

    def export(self, form: str, file: Path) -> None:
        how = "FORMAT parquet, COMPRESSION zstd" if form == "parquet" else "FORMAT csv, HEADER"
        self._run(f"COPY events TO '{file}' ({how})")

    def take(self, way: Intake, bodies: list[bytes]) -> float | None:
        if way.connections > 1:
            return None

        def work() -> None:
            for body in bodies:
                self._lines.write_bytes(body)
                self._store()

        return bench.timed(work)

    def close(self) -> None:
        self._engine.close()

    def _store(self) -> None:
        self._run("BEGIN")
        self._run(_READ, [str(self._lines)])
        (ends,) = self._run("SELECT min(timestamp), max(timestamp) FROM staging")
        self._run(_STORE, ends)
        self._run("COMMIT")

    def _run(self, text: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """To its end: what is not fetched may not have been done."""
        return self._engine.execute(text, list(parameters)).fetchall()


def _plain(value: object) -> object:
    """Times without a zone, as the column has them."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value
