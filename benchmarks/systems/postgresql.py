"""PostgreSQL with one table and the indexes that its manual advises for the questions asked.

*Intake.* A batch of 10,000 comes with COPY into a temporary table of JSON lines, from where one
`INSERT ... ON CONFLICT DO NOTHING` takes it, in one transaction; smaller ones are one prepared
statement each. The server reads the JSON: that was as fast as to read it in the client and to COPY
typed columns (19,000 and 17,000 events a second on one connection, into a table with the unique
key alone). Rows are ordered by the key, so that two batches with the same event cannot wait for
each other.

*First load.* As the manual says under "Populating a Database": only the unique key is there, the
other indexes are made when all is in, then VACUUM and ANALYZE.

*Table.* A column for each field of the registry, those of fixed width first, which saves the gaps
between them. Absent fields are NULL and take no room. There is no workspace: one tenant.

*Partitions* were left out: the questions have ranges of time, which the unique key and the BRIN
index serve, and lookups without one would have to ask each partition.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import duckdb
import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from benchmarks import bench, cluster
from benchmarks.cluster import Cluster, version
from benchmarks.questions import Question, Rows, Values, from_sql
from benchmarks.stream import Intake
from benchmarks.systems import Size
from benchmarks.systems.statements import DUCKDB, FIELDS_BY_WIDTH, POSTGRESQL, definition, growing
from postledger.events import Kind

COLUMNS = definition(POSTGRESQL)
TABLE = f"CREATE TABLE events ({COLUMNS})"
KEY = "CREATE UNIQUE INDEX ON events (timestamp, event_id)"
INDEXES = (
    "CREATE INDEX ON events (rcpt_to, timestamp)",
    "CREATE INDEX ON events (message_id)",
    "CREATE INDEX ON events (type, campaign_id, timestamp)",
    "CREATE INDEX ON events (recipient_domain, type, timestamp)",
    "CREATE INDEX ON events USING gin (reason gin_trgm_ops) WHERE reason IS NOT NULL",
    (
        "CREATE INDEX ON events USING brin (timestamp timestamptz_minmax_multi_ops) "
        "WITH (pages_per_range = 64, autosummarize = on)"
    ),
)
_STAGING = "CREATE TEMP TABLE staging (line json) ON COMMIT DELETE ROWS"
_FROM_STAGING = (
    f"INSERT INTO events SELECT r.* FROM staging, json_to_record(line) AS r({COLUMNS}) "
    "ORDER BY r.timestamp, r.event_id ON CONFLICT DO NOTHING"
)
_FROM_ARRAY = (
    f"INSERT INTO events SELECT r.* FROM json_to_recordset(%s::json) AS r({COLUMNS}) "
    "ORDER BY r.timestamp, r.event_id ON CONFLICT DO NOTHING"
)
_STAGED = 10_000
_CONNECTIONS = 8


class PostgreSQL:
    indexes: Sequence[str] = (KEY, *INDEXES)

    def __init__(self, place: Path) -> None:
        self._cluster = Cluster(cluster.need(), place, cluster.settings())
        self._cluster.start()
        self._connections = [self._connect() for _ in range(_CONNECTIONS)]
        self._first = self._connections[0]
        self._run("CREATE EXTENSION pg_trgm")
        self._run(TABLE)
        self._run(KEY)
        for connection in self._connections:
            connection.execute(_STAGING)
        self.version = version(str(self._one("SELECT version()")))

    def load(self, chunks: Iterable[list[bytes]]) -> float:
        return sum(self._store(each, _CONNECTIONS, _copy) for each in chunks)

    def grow(self, copies: int) -> None:
        self._run(growing(copies))

    def settle(self) -> float:
        started = time.perf_counter()
        for index in INDEXES:
            self._run(index)
        self._run("VACUUM (ANALYZE) events")
        return time.perf_counter() - started

    def size(self) -> Size:
        return Size(
            int(str(self._one("SELECT count(*) FROM events"))),
            int(str(self._one("SELECT pg_total_relation_size('events')"))),
        )

    def asking(self, question: Question, values: Values) -> Callable[[], object]:
        text, given = _sql(question), question.parameters(values)
        return lambda: self._first.execute(text, given)

    def rows(self, question: Question, answer: object) -> Rows:
        assert isinstance(answer, psycopg.Cursor)
        names = [column.name for column in answer.description or ()]
        return from_sql(question, names, answer.fetchall())

    def export(self, form: str, file: Path) -> None:
        """PostgreSQL writes no Parquet, so its CSV is made into it by DuckDB."""
        plain = file if form == "csv" else file.with_suffix(".csv")
        copy = "COPY events TO STDOUT (FORMAT csv, HEADER)"
        with plain.open("wb") as out, self._first.cursor().copy(copy) as pieces:
            for piece in pieces:
                out.write(piece)
        if form == "parquet":
            _to_parquet(plain, file)
            plain.unlink()

    def take(self, way: Intake, bodies: list[bytes]) -> float | None:
        return self._store(bodies, way.connections, _copy if way.size >= _STAGED else _insert)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        self._cluster.close()

    def _store(
        self, bodies: list[bytes], count: int, work: "Callable[[_Session, bytes], None]"
    ) -> float:
        waiting, free = list(reversed(bodies)), list(self._connections[:count])

        def run() -> None:
            session = free.pop()
            while waiting:
                try:
                    body = waiting.pop()
                except IndexError:
                    return
                work(session, body)

        return bench.timed(lambda: bench.in_threads(run, count))

    def _connect(self) -> "_Session":
        return psycopg.connect(self._cluster.dsn, autocommit=True)

    def _run(self, text: str) -> None:
        self._first.execute(text)

    def _one(self, text: str) -> object:
        row = self._first.execute(text).fetchone()
        return row[0] if row else None


_Session = Connection[TupleRow]


def _copy(session: _Session, body: bytes) -> None:
    with session.transaction(), session.cursor() as cursor:
        with cursor.copy("COPY staging FROM STDIN") as copy:
            copy.write(body.replace(b"\\", b"\\\\") + b"\n")
        cursor.execute(_FROM_STAGING)


def _insert(session: _Session, body: bytes) -> None:
    lines = b"[%b]" % body.replace(b"\n", b",")
    session.execute(_FROM_ARRAY, (lines.decode(),))


def _sql(question: Question) -> str:
    return POSTGRESQL.spell(question.sql)


_FLAT = {**DUCKDB.types, Kind.TEXTS: "TEXT", Kind.OBJECT: "TEXT"}


def _to_parquet(plain: Path, file: Path) -> None:
    types = {field.name: _FLAT[field.kind] for field in FIELDS_BY_WIDTH}
    with duckdb.connect() as engine:
        engine.execute(
            f"COPY (FROM read_csv('{plain}', header = true, columns = {types})) TO '{file}' "
            "(FORMAT parquet, COMPRESSION zstd)"
        )
