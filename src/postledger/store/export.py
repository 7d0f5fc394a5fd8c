"""Matching events as a stream of bytes in a file's format, however many they are.

The engine writes, and keeps no more than a few blocks. A server streams over HTTP. The embedded
engine streams few formats to its caller, and gives the others whole, in memory; so it writes `INTO
OUTFILE`, and the file is a pipe that is read here. Not a real file: the engine does not notice that
a write to the disk fails (`store/parts.py`).
"""

import fcntl
import os
import select
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from postledger.errors import PostledgerError
from postledger.events import FIELD, FIELDS, Kind
from postledger.query import EventQuery
from postledger.settings import MIB
from postledger.store import columns
from postledger.store import sql as statements
from postledger.store.engine import Engine, translated
from postledger.store.sql import Sql

FORMATS = ("csv", "ndjson", "parquet")
COMPRESSIONS = ("none", "gzip", "zstd")
Piece = bytes | memoryview
_PIECE = 1024 * 1024
_LOOK_MS = 200
_SETTINGS: dict[str, object] = {
    "max_threads": 2,
    # blocks of so many events, unless they are large; else, where few match, of a granule or less
    "preferred_block_size_bytes": 16_000_000,
    "max_block_size": 8_192,
    "os_thread_priority": 10,  # searches first
    "max_execution_time": 0,
    "output_format_parquet_row_group_size": 100_000,  # one group is what lies in memory
    "output_format_parquet_row_group_size_bytes": 64 * MIB,
    "output_format_parquet_batch_size": 100_000,
    "output_format_parquet_string_as_string": 1,
}


@dataclass(frozen=True, slots=True)
class Extract:
    """Matching events of `query` with numbers above `after` up to `through`, in a file's form.

    `columns` are fields of the registry; None: all, in ndjson unknown fields too. `compression` is
    Parquet's own, for other formats it is up to the caller.
    """

    query: EventQuery
    after: int
    through: int
    format: str
    columns: tuple[str, ...] | None = None
    compression: str = "none"


class Extractor:
    """Makes streams, several at once. A `mark` is safe text, of one stream only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        settings = columns.READ_SETTINGS | _SETTINGS
        settings["max_memory_usage"] = engine.settings.query_memory_bytes
        self._settings = settings
        self._free: list[Client] = []
        self._control = engine.client({})

    def count(self, extract: Extract) -> int:
        """How many events it has."""
        sql = _select("count()", extract, self._engine.database, "count")
        with self._client() as client, translated():
            return int(client.raw_query(sql.text, sql.parameters, fmt="TSVRaw"))

    @contextmanager
    def stream(
        self, extract: Extract, mark: str, stopped: Callable[[], bool]
    ) -> Iterator[Iterator[Piece]]:
        """The pieces of the file, each until the next one. It ends early when `stopped`; the caller
        knows that it was."""
        sql = statement(extract, self._engine.database, mark)
        with self._client(_settings_for(extract)) as client, translated():
            way = self._piped if self._engine.embedded else self._served
            with closing(way(client, sql, _FORMS[extract.format], stopped, mark)) as pieces:
                yield pieces

    def share(self, mark: str) -> float:
        """About how much of a stream's events have been read, 0 to 1."""
        found: Sequence[Sequence[Any]] = []
        with suppress(ClickHouseError):  # it is only for show; a server may not allow it
            found = self._control.query(
                f"SELECT read_rows, total_rows_approx FROM system.processes WHERE {_RUNNING}",
                {"mark": _marked(mark)},
            ).result_rows
        read, whole = found[0] if found else (0, 0)
        return min(read / whole, 1.0) if whole else 0.0

    # -- the two ways

    def _served(
        self, client: Client, sql: Sql, form: str, stopped: Callable[[], bool], _: str
    ) -> Generator[Piece, None, None]:
        body: Any = client.raw_stream(sql.text, sql.parameters, fmt=form)
        with closing(body):
            while not stopped() and (piece := body.read(_PIECE)):
                yield piece

    def _piped(
        self, client: Client, sql: Sql, form: str, stopped: Callable[[], bool], mark: str
    ) -> Generator[Piece, None, None]:
        failures: list[Exception] = []
        room = memoryview(bytearray(_PIECE))
        out, into = os.pipe()
        fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, _PIECE)

        def write() -> None:
            text = f"{sql.text} INTO OUTFILE '/dev/fd/{into}' TRUNCATE FORMAT {form}"
            try:
                client.raw_query(text, sql.parameters)
            except Exception as error:  # noqa: BLE001 -- raised where the pipe is read
                failures.append(error)
            finally:
                os.close(into)

        ready = select.poll()
        ready.register(out, select.POLLIN)
        writer = threading.Thread(target=write, name="export-engine", daemon=True)
        writer.start()
        try:
            while not stopped():
                if not ready.poll(_LOOK_MS):
                    continue
                size = os.readv(out, [room])
                if not size:
                    break
                yield room[:size]
        finally:
            os.close(out)  # the engine's next write fails, which ends its query
            if writer.is_alive():
                self._kill(mark)
            writer.join()
        if failures and not stopped():
            raise failures[0]

    def _kill(self, mark: str) -> None:
        with suppress(ClickHouseError, PostledgerError):
            self._control.command(
                f"KILL QUERY WHERE {_RUNNING} ASYNC",
                {"mark": _marked(mark)},
            )

    @contextmanager
    def _client(self, settings: dict[str, object] | None = None) -> Iterator[Client]:
        try:
            client = self._free.pop()
        except IndexError:
            client = self._engine.client(self._settings)
        try:
            for name, value in (settings or {}).items():
                client.set_client_setting(name, value)
            yield client
        finally:
            self._free.append(client)


_RUNNING = "position(query, {mark:String}) > 0 AND position(query, 'system.processes') = 0"
"""Which of the queries that run is a stream's; not the one that asks this."""


def _marked(mark: str) -> str:
    """What a stream's query is found by; a comment would not reach the engine."""
    return f"'export {mark}'"


# -- what is written

_FORMS = {"csv": "CSVWithNames", "ndjson": "TSVRaw", "parquet": "Parquet"}


def _settings_for(extract: Extract) -> dict[str, object]:
    if extract.format == "parquet":
        return {"output_format_parquet_compression_method": extract.compression}
    alone = extract.columns is not None and len(extract.columns) == 1
    # readers take an empty line for no row
    return {"format_csv_null_representation": '""' if alone else ""}


def statement(extract: Extract, database: str, mark: str) -> Sql:
    """The statement whose rows are the file's rows, in no promised order."""
    if extract.format == "ndjson":
        return _select(_event(extract.columns), extract, database, mark)
    names = extract.columns or tuple(field.name for field in FIELDS)
    texts = extract.format == "csv"
    made = ", ".join(f"{_value(name, texts=texts)} AS c{at}" for at, name in enumerate(names))
    sql = _select(made, extract, database, mark)
    named = ", ".join(f"c{at} AS {name}" for at, name in enumerate(names))
    sql.text = f"SELECT {named} FROM ({sql.text})"  # a name is not taken for the column below
    return sql


def _select(what: str, extract: Extract, database: str, mark: str) -> Sql:
    sql = Sql()
    where = [
        *statements.conditions(sql, extract.query, database),
        f"seq > {sql.add(extract.after, 'UInt64')}",
        f"seq <= {sql.add(extract.through, 'UInt64')}",
        f"{_marked(mark)} != ''",
    ]
    sql.text = f"SELECT {what} FROM {database}.events WHERE {' AND '.join(where)}"
    return sql


_REST = "concat('{', substring(rest, 2))"
_OUTSIDE = tuple(field for field in FIELDS if field.name in columns.NOT_ASKED)
_TYPES = {
    Kind.INTEGER: "Nullable(Int64)",
    Kind.BOOLEAN: "Nullable(Bool)",
    Kind.OBJECT: "String",
}
_TUPLE = ", ".join(f"{f.name} {_TYPES.get(f.kind, 'Nullable(String)')}" for f in _OUTSIDE)
_OTHERS = f"JSONExtract({_REST}, 'Tuple({_TUPLE})')"
"""The same text each time, so the engine reads it once a row."""


def _event(names: tuple[str, ...] | None) -> str:
    """The event as JSON, whole or with the members of these names only."""
    if names is None:
        return columns.EVENT
    listed = ", ".join(f"'{name}'" for name in names)
    return (
        "concat('{', arrayStringConcat(arrayMap("
        "member -> concat(toJSONString(member.1), ':', member.2), "
        f"arrayFilter(member -> has([{listed}], member.1), "
        f"JSONExtractKeysAndValuesRaw(assumeNotNull({columns.EVENT})))), ','), '}}')"
    )


def _value(name: str, *, texts: bool) -> str:
    """A field's value, null when absent; an empty text counts as absent. `texts`: times and lists
    as text, in the form in which our API gives them."""
    kind = FIELD[name].kind
    if kind is Kind.TIME:
        return _time(name, texts=texts)
    if name == "raw_rcpt_to":
        return f"nullIf(ifNull({_OTHERS}.raw_rcpt_to, rcpt_to), '')"
    if kind is Kind.TEXTS:
        return f"if(empty({name}), '', toJSONString({name}))" if texts else name
    value = f"{_OTHERS}.{name}" if name in columns.NOT_ASKED else name
    return value if kind in {Kind.INTEGER, Kind.BOOLEAN} else f"nullIf({value}, '')"


def _time(name: str, *, texts: bool) -> str:
    if name == "timestamp":
        return columns.iso(name) if texts else name
    given = f"{_OTHERS}.{name}"
    if name == "injection_time":
        if texts:
            return f"if(isNull(age), {given}, {columns.iso(columns.INJECTED)})"
        return f"if(isNull(age), NULL, {columns.INJECTED})"
    return given if texts else f"parseDateTime64BestEffortOrNull({given}, 3, 'UTC')"
