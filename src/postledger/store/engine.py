"""The engine that the DSN names, opened: its lock, its schema, and clients to talk to it.

`chdb:///dir` is the engine in this process. One process owns the directory: a lock file says so, in
time to tell a person instead of failing deep inside. One handle runs one query at a time, so there
is one client for writing and a pool of them for reading.
"""

import errno
import fcntl
import hashlib
import json
import os
import queue
import re
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult, urlsplit

import clickhouse_connect
import structlog
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from postledger.errors import (
    BadSettings,
    ForeignStore,
    StartError,
    StoreFull,
    StoreLocked,
    StoreUnavailable,
)
from postledger.settings import MIB, Settings
from postledger.store import columns, dimensions
from postledger.store.parts import Parts

_LOG = structlog.get_logger()
MARKER = "postledger.json"
LOCK = "postledger.lock"
DATABASE = "postledger"

_TIMEOUT, _MEMORY, _NO_SPACE = 159, 241, 243
_FULL_WORDS = ("No space left on device", "NOT_ENOUGH_SPACE", "Not enough space")


def upgrades() -> list[tuple[int, list[str]]]:
    """Number and statements of each step from an older schema to the newest, in order. Each may be
    begun again from its start."""
    found = _files(files(__package__) / "schema" / "upgrades")
    return sorted((int(name.split("_")[0]), statements) for name, statements in found)


def _files(directory: Traversable) -> list[tuple[str, list[str]]]:
    """Name and statements of each file with SQL."""
    return [
        (file.name, _statements(file.read_text(encoding="utf-8")))
        for file in directory.iterdir()
        if file.name.endswith(".sql")
    ]


def _statements(text: str) -> list[str]:
    code = re.sub("(?m)^--.*$", "", text)
    return [statement.strip() for statement in code.split(";") if statement.strip()]


NEWEST = max(number for number, _ in upgrades())


@dataclass(frozen=True, slots=True)
class Size:
    """How large the table is, on disk."""

    events: int
    parts: int
    bytes: int


class Engine:
    """An open store. `close` it, or its lock stays."""

    def __init__(self, settings: Settings) -> None:
        """Raises StartError in its kinds, with a sentence that says what to do."""
        self.settings = settings
        self._place = place(settings)
        self.embedded = self._place.scheme == "chdb"
        self._lock = self._claim() if self.embedded else None
        self._clients: list[Client] = []
        try:
            self.database = self._name_of_database()
            self.writer = self.client(columns.WRITE_SETTINGS)
            self._parts = self._watched() if self.embedded else None
            self._migrate()
            self._readers: queue.SimpleQueue[Client] = queue.SimpleQueue()
            for _ in range(settings.readers):
                self._readers.put(self.client(self._read_settings()))
        except Exception as error:
            self.close()
            if isinstance(error, StartError):
                raise
            raise StartError(
                f"the store at {self._shown()} cannot be opened: {_first(error)}"
            ) from error

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()
        if self._lock is not None:
            self._lock.close()

    @contextmanager
    def reader(self) -> Iterator[Client]:
        """A client of the pool; waits for a free one. Engine errors become StoreUnavailable."""
        client = self._readers.get()
        try:
            with translated():
                yield client
        finally:
            self._readers.put(client)

    @property
    def directory(self) -> Path | None:
        """Where the embedded store lies; None for a server."""
        return Path(self._place.path) if self.embedded else None

    @property
    def nickname(self) -> str:
        """What tells this process's tables in memory from another's, and stays at a restart."""
        whose = f"{socket.gethostname()} {self.settings.directory}"
        return hashlib.sha256(whose.encode()).hexdigest()[:8]

    def size(self) -> Size:
        with self.reader() as client:
            found = client.query(
                "SELECT sum(rows), count(), sum(bytes_on_disk) FROM system.parts "
                "WHERE active AND database = {database:String} AND table = 'events'",
                {"database": self.database},
            )
        events, parts, size = found.result_rows[0]
        return Size(int(events), int(parts), int(size))

    def free_bytes(self) -> int | None:
        """Free room where the embedded store lies; None for a server."""
        return shutil.disk_usage(self.directory).free if self.directory else None

    @contextmanager
    def sure(self, table: str) -> Iterator[None]:
        """When the block is left, the disk has all that was stored in the table: see `Parts`."""
        with self._parts.sure(table) if self._parts else nullcontext():
            yield

    def sure_of_all(self) -> None:
        """The disk has all that was stored, and merged since. Raises StoreUnavailable."""
        if self._parts:
            with translated():
                self._parts.sure_of_all()

    def set_aside(self) -> list[str]:
        """Parts of tables that were found broken when the store was opened; nobody reads them."""
        return self._parts.set_aside() if self._parts else []

    def _watched(self) -> Parts:
        return Parts(self.client({}), self.database, self._write_failed)

    def _write_failed(self) -> StoreUnavailable:
        free = self.free_bytes()
        return (
            StoreFull(_FULL) if free is not None and free < _LITTLE else StoreUnavailable(_BROKEN)
        )

    # -- opening

    def _claim(self) -> IO[str]:
        directory = Path(self._place.path)
        if self._place.netloc or not directory.is_absolute():
            raise BadSettings("store: the embedded store needs an absolute path: chdb:///directory")
        try:
            directory.mkdir(parents=True, exist_ok=True)
            check_directory(directory)
            lock = (directory / LOCK).open("w", encoding="ascii")
        except OSError as error:
            raise StartError(
                f"the store at {directory} cannot be opened: {error.strerror}"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise StoreLocked(
                f"another process uses the store at {directory}; stop it, talk to it over HTTP, or "
                "choose another --data-dir"
            ) from error
        marker = directory / MARKER
        if not marker.exists():
            marker.write_text(json.dumps({"postledger": "event store"}) + "\n", encoding="utf-8")
        return lock

    def _name_of_database(self) -> str:
        if self.embedded:
            return DATABASE
        name = self._place.path.strip("/")
        if self._place.scheme not in {"clickhouse", "clickhouses"} or not name.isidentifier():
            raise BadSettings(
                "store: expected chdb:///directory or clickhouse://user:password@host:port/database"
            )
        return name

    def client(self, settings: Mapping[str, object]) -> Client:
        """A client of its own for one who needs one; it is closed with the engine."""
        client = connect(self.settings, settings)
        self._clients.append(client)
        return client

    def _read_settings(self) -> dict[str, object]:
        return columns.READ_SETTINGS | {
            "max_execution_time": self.settings.query_seconds,
            "max_memory_usage": self.settings.query_memory_bytes,
        }

    # -- schema

    def _migrate(self) -> None:
        if self.embedded:
            self.writer.command(f"CREATE DATABASE IF NOT EXISTS {self.database}")
        self.writer.command(
            f"CREATE TABLE IF NOT EXISTS {self.database}.migrations "
            "(version UInt32, applied_at DateTime DEFAULT now()) "
            "ENGINE = MergeTree ORDER BY version"
        )
        found = self.schema_version()
        if found > NEWEST:
            raise ForeignStore(
                f"the store at {self._shown()} has schema {found}, this Postledger knows {NEWEST}; "
                "use the newer Postledger that wrote it"
            )
        for _, statements in _files(files(__package__) / "schema"):
            self._run(statements)
        if not found:
            self._note([number for number, _ in upgrades()])
            return
        for number, statements in upgrades():
            if number > found:
                _LOG.info("upgrading_store", schema=number)
                for statement in statements:
                    self._run([statement])
                    self.sure_of_all()  # before the next one removes what this one has copied
                self._note([number])

    def _note(self, numbers: Sequence[int]) -> None:
        values = ", ".join(f"({number})" for number in numbers)
        with self.sure("migrations"):
            self.writer.command(f"INSERT INTO {self.database}.migrations (version) VALUES {values}")

    def _run(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self.writer.command(
                statement.format(
                    database=self.database,
                    columns=columns.definition(),
                    rollups=dimensions.definition(),
                )
            )

    def schema_version(self) -> int:
        """The number of the last migration that the store has seen; 0: none."""
        found: Any = self.writer.command(f"SELECT max(version) FROM {self.database}.migrations")
        return int(found)

    def _shown(self) -> str:
        return self._place.path if self.embedded else f"{self._place.hostname}{self._place.path}"


def keep_private() -> None:
    """From here on, what this process writes can be read by its user only."""
    os.umask(os.umask(0o077) | 0o077)


def place(settings: Settings) -> SplitResult:
    """The DSN of the store in its parts."""
    return urlsplit(settings.store_dsn)


def connect(settings: Settings, engine_settings: Mapping[str, object]) -> Client:
    """A client of the engine that the DSN names."""
    interfaces = {"clickhouse": "http", "clickhouses": "https"}
    return clickhouse_connect.get_client(
        dsn=settings.store_dsn,
        interface=interfaces.get(place(settings).scheme),
        settings=dict(engine_settings),
    )


def check_directory(directory: Path) -> None:
    """Raises ForeignStore for a directory that has something in it, but not a store of ours."""
    if (directory / MARKER).exists():
        return
    if any(entry.name != LOCK for entry in directory.iterdir()):
        raise ForeignStore(
            f"{directory} is not empty and not a Postledger store; choose an empty directory"
        )


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the engine in the domain's words."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StoreFull(_FULL) from error
        raise StoreUnavailable(f"the store cannot be reached: {error.strerror}") from error
    except ClickHouseError as error:
        raise _in_our_words(error) from error


_LITTLE = 16 * MIB
_BROKEN = "the disk did not take all that was to be stored"
_FULL = "the disk of the store is full; free some room, nothing was stored of this request"


def _in_our_words(error: ClickHouseError) -> StoreUnavailable:
    text = str(error)
    code = getattr(error, "code", None)
    if code == _NO_SPACE or any(words in text for words in _FULL_WORDS) or os.strerror(28) in text:
        return StoreFull(_FULL)
    if code == _TIMEOUT:
        return StoreUnavailable("the query took too long; ask for less, or raise query_seconds")
    if code == _MEMORY:
        return StoreUnavailable("the query needs too much memory; raise query_memory_bytes")
    return StoreUnavailable(f"the store failed: {_kind(error)}")


def _kind(error: ClickHouseError) -> str:
    """What the engine calls a failure, and the system. What else it says quotes values of events
    and paths: not for a client, and not for the log."""
    code, name = getattr(error, "code", None), getattr(error, "name", None)
    said = re.search(r"strerror: ([\w ]+)", str(error))
    why = said[1] if said else _system(error)
    return ", ".join(
        filter(None, [name or type(error).__name__, code and f"code {code}", why and why.strip()])
    )


def _system(error: BaseException | None) -> str | None:
    """What the system said was wrong, if that was the cause."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return None


def _first(error: BaseException) -> str:
    return str(error).split("\n")[0][:300]
