"""Looks at a store from outside, for `postledger doctor`: changes nothing, says what to mend."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clickhouse_connect.driver.client import Client

from postledger.errors import PostledgerError, StartError
from postledger.settings import Settings
from postledger.store.engine import DATABASE, LOCK, MARKER, NEWEST, check_directory, connect, place
from postledger.store.parts import SET_ASIDE
from postledger.store.rollups import Comparison, compare

_MANY_PARTS = 300


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do about it; empty where nothing is to be done."""

    level: Literal["ok", "warning", "error"]
    subject: str
    message: str
    mend: str = ""


def inspect(settings: Settings) -> Sequence[Finding]:
    """What there is to say of the store that the settings name."""
    return list(_inspect(settings))


def _inspect(settings: Settings) -> Iterator[Finding]:
    where = place(settings)
    try:
        if where.scheme == "chdb":
            yield from _embedded(settings, Path(where.path))
            return
        yield from _kept_aside(settings.directory)
        yield from _look(settings, where.path.strip("/"))
    except PostledgerError as error:
        yield Finding("error", "store", str(error), "see the message")
    except OSError as error:
        yield Finding(
            "error",
            "store",
            f"{error.filename} cannot be opened: {error.strerror}",
            "let this user read and write all of the store, on a disk that is not read-only",
        )


def _embedded(settings: Settings, directory: Path) -> Iterator[Finding]:
    if not directory.exists():
        yield Finding("ok", "store", f"{directory} is not there yet; the server will make it")
        return
    check_directory(directory)
    if not (directory / MARKER).exists():
        yield Finding("ok", "store", f"{directory} is empty; the server will make a store there")
        return
    yield from _kept_aside(directory)
    with _claimed(directory) as free:
        if not free:
            yield Finding("ok", "store", f"{directory} is open in a running server")
            return
        yield from _look(settings, DATABASE)


def _kept_aside(directory: Path) -> Iterator[Finding]:
    """Files next to the journal with events that could not be moved to the table."""
    patterns = ("journal*.unreadable", "journal*.damaged-*")
    names = sorted(path.name for pattern in patterns for path in directory.glob(pattern))
    if names:
        yield Finding(
            "error",
            "journal",
            f"events in it could not be read; they are in {', '.join(names)}",
            "send these events again, or restore a backup; then move the files away",
        )


@contextmanager
def _claimed(directory: Path) -> Iterator[bool]:
    """Whether no server has the store; none can open it meanwhile."""
    with (directory / LOCK).open("a", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


def _look(settings: Settings, database: str) -> Iterator[Finding]:
    try:
        client = connect(settings, {})
    except Exception as error:
        raise StartError(f"the store cannot be opened: {str(error).splitlines()[0]}") from error
    with closing(client):
        yield Finding("ok", "engine", f"version {client.server_version}")
        if not _number(
            client,
            "SELECT count() FROM system.tables WHERE database = {d:String} AND name = 'migrations'",
            d=database,
        ):
            yield Finding("ok", "store", "it is empty; the server will make its tables")
            return
        version = _number(client, f"SELECT max(version) FROM {database}.migrations")
        yield _schema(version)
        yield _parts(client, database)
        yield from _set_aside(client, database)
        if version == NEWEST:
            yield _rollups(compare(client, database))


def _schema(version: int) -> Finding:
    if version > NEWEST:
        return Finding(
            "error",
            "store",
            f"schema {version} is newer than {NEWEST}, which this Postledger knows",
            "use the newer Postledger that wrote it",
        )
    if version < NEWEST:
        return Finding("ok", "store", f"schema {version}; the server will bring it to {NEWEST}")
    return Finding("ok", "store", f"schema {version}")


def _rollups(found: Comparison) -> Finding:
    if found.different:
        return Finding(
            "error",
            "roll-ups",
            f"{found.different} figures of {found.hours} hours differ from the events",
            "`postledger rollups rebuild` makes them anew",
        )
    if not found.hours:
        return Finding("ok", "roll-ups", "they have no events yet")
    return Finding("ok", "roll-ups", f"the same as the events, in {found.hours} hours of them")


def _parts(client: Client, database: str) -> Finding:
    most = _number(
        client,
        "SELECT max(parts) FROM (SELECT count() AS parts FROM system.parts WHERE active AND "
        "database = {d:String} AND table = 'events' GROUP BY partition)",
        d=database,
    )
    if most > _MANY_PARTS:
        return Finding(
            "warning",
            "parts",
            f"a month has {most} parts; searches slow down",
            "send larger batches, or give the engine time to merge",
        )
    return Finding("ok", "parts", f"at most {most} in a month")


def _set_aside(client: Client, database: str) -> Iterator[Finding]:
    found = client.query(SET_ASIDE, {"database": database}).result_rows
    if found:
        names = ", ".join(name for (name,) in found)
        yield Finding(
            "error",
            "parts",
            f"the disk did not have all of these, so that what was in them is not read: {names}",
            "restore a backup, or send their events again; then remove them from `detached`",
        )


def _number(client: Client, query: str, **parameters: Any) -> int:
    found = client.query(query, parameters).result_rows
    return int(found[0][0] or 0)
