"""The tables of the control data: small, transactional, in SQLite or PostgreSQL."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import (
    JSON,
    URL,
    BigInteger,
    Column,
    Connection,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    create_engine,
    event,
    func,
    insert,
    inspect,
    make_url,
    select,
    update,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError, SQLAlchemyError

from postledger.errors import (
    BadSettings,
    ForeignStore,
    StartError,
    StoreAway,
    StoreFull,
    StoreUnavailable,
)

VERSION = 1
LONGEST_NAME = 200
"""Characters in the name of a key. SQLite would take more; PostgreSQL does not."""

METADATA = MetaData()


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC; SQLite keeps no zone, so it is put back on the way out."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Dialect) -> datetime | None:
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _: Dialect) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


schema_version = Table("schema_version", METADATA, Column("version", Integer, primary_key=True))

workspaces = Table(
    "workspaces",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("created_at", UtcTime, nullable=False),
)

keys = Table(
    "keys",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("workspace", ForeignKey("workspaces.name"), nullable=False, index=True),
    Column("name", String(LONGEST_NAME), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("revoked_at", UtcTime),
)

options = Table(
    "workspace_options",
    METADATA,
    Column("workspace", ForeignKey("workspaces.name"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", String(200), nullable=False),
)

exports = Table(
    "exports",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("workspace", ForeignKey("workspaces.name"), nullable=False, index=True),
    Column("owner", String(64), nullable=False),
    Column("name", String(64)),
    Column("asked", JSON, nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("through", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("rows_total", BigInteger),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64)),
    Column("error", String(500)),
    Column("created_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
)
"""`owner`: the process whose data directory has the file. `after`, `through`: numbers of events."""

export_places = Table(
    "export_places",
    METADATA,
    Column("workspace", ForeignKey("workspaces.name"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("through", BigInteger, nullable=False),
)
"""Where the last export of a name ended; it outlives the export."""


def open_state(url: str) -> Engine:
    """The state store at this SQLAlchemy URL, with its tables made if they are not there.

    Raises StartError when it cannot be opened, ForeignStore when a newer Postledger wrote it.
    """
    with _opening():
        engine = create_engine(_patient(url), pool_pre_ping=True, hide_parameters=True)
    try:
        _prepare(engine)
    except StartError:
        engine.dispose()
        raise
    return engine


def _prepare(engine: Engine) -> None:
    with _opening():
        if engine.dialect.name == "sqlite":
            _make_private(engine.url.database)
            event.listen(engine, "connect", _tune_sqlite)
        _make_tables(engine)
        found = _version(engine)
    if found > VERSION:
        raise ForeignStore(
            f"the state store has schema {found}, this Postledger knows {VERSION}; "
            "use the newer Postledger that wrote it"
        )


def look(url: str) -> int | None:
    """How many keys are in the state store at this URL, revoked and expired ones too; None: nobody
    has opened it yet. Nothing is made or changed. Raises StartError."""
    with _opening():
        place = _patient(url)
        if place.get_backend_name() == "sqlite" and not Path(place.database or "").exists():
            return None
        engine = create_engine(place, hide_parameters=True)
        try:
            with engine.connect() as connection:
                if not inspect(connection).has_table(keys.name):
                    return None
                return connection.scalar(select(func.count()).select_from(keys))
        finally:
            engine.dispose()


@contextmanager
def _opening() -> Iterator[None]:
    """What can be wrong with a database, as a StartError."""
    try:
        yield
    except (SQLAlchemyError, ImportError, OSError) as error:
        reason = getattr(error, "orig", None) or error
        raise StartError(f"the state store cannot be opened: {reason}") from error


_PATIENCE = {"connect_timeout": "10", "tcp_user_timeout": "10000"}
"""Seconds, and milliseconds, that PostgreSQL may be silent; its client would wait for minutes."""


def _patient(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise BadSettings(
            "state: expected a URL such as postgresql+psycopg://user:password@host:5432/database"
        ) from error
    if not url.get_driver_name().startswith("psycopg"):
        return url
    return url.set(query=_PATIENCE | dict(url.query))


def _make_tables(engine: Engine) -> None:
    """Make the tables that are not there. Another process that makes them at the same moment may be
    faster with each."""
    for _ in METADATA.tables:
        try:
            METADATA.create_all(engine)
        except SQLAlchemyError as error:
            if not isinstance(error, IntegrityError) and "already exists" not in str(error):
                raise
        else:
            return
    METADATA.create_all(engine)


def _make_private(path: str | None) -> None:
    """Make the file, if it is not there, for its owner only; the files beside it take after it.

    One that is there is not opened: to close it would end SQLite's locks on it in this process.
    """
    if path and path != ":memory:":
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection to look things up. Raises StoreUnavailable."""
    with _translated(), engine.connect() as connection:
        yield connection


@contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """A connection whose changes are all made when the block is left, or none. Raises
    StoreUnavailable, and StoreFull without room."""
    with _translated(), engine.begin() as connection:
        yield connection


def hold(connection: Connection, workspace: str) -> None:
    """Let others who hold this workspace wait until this transaction has ended: for changes that
    depend on what is there. An UPDATE that changes nothing locks on SQLite and PostgreSQL alike."""
    same = workspaces.c.created_at
    connection.execute(
        update(workspaces).where(workspaces.c.name == workspace).values(created_at=same)
    )


@contextmanager
def _translated() -> Iterator[None]:
    """Failures of the database in the domain's words; IntegrityError stays what it is."""
    try:
        yield
    except OperationalError as error:
        reason = str(error.orig).split("\n")[0]
        if any(words in reason for words in _FULL_WORDS):
            raise StoreFull(_FULL) from error
        if isinstance(error.orig, sqlite3.Error):
            raise StoreUnavailable(f"the state store failed: {reason}") from error
        # who asks is not told of another machine
        raise StoreAway(f"the state store failed: {type(error.orig).__name__}") from error


_FULL_WORDS = ("disk is full", "No space left on device")
"""SQLite's, and PostgreSQL's."""
_FULL = "the disk of the state store is full; free some room, nothing was changed"


def _version(engine: Engine) -> int:
    query = select(schema_version.c.version)
    with engine.connect() as connection:
        found = connection.scalar(query)
    if found is not None:
        return int(found)
    try:
        with engine.begin() as connection:
            connection.execute(insert(schema_version).values(version=VERSION))
    except IntegrityError:
        return _version(engine)  # another process was faster
    return VERSION


def _tune_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute(
        "PRAGMA journal_mode=WAL"
    )  # readers and a writer of other processes do not block
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
