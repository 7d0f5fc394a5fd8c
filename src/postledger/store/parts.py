"""Whether the disk has what the engine has stored.

The embedded engine does not notice that a write fails, because a disk is full, a quota is reached
or a device is broken: it goes on, an insert succeeds, a merge takes the place of what it merged,
and the part is found broken at the next start (chdb 4.0 to 4.4). So the files of each new part are
held against what the engine has noted of them, before anything that is in it is acknowledged, and
while the parts that it was merged from are still there. A server reports such failures itself.
"""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from postledger.errors import StoreUnavailable

_LOG = structlog.get_logger()

BESIDE = frozenset(
    {
        "checksums.txt",
        "columns.txt",
        "columns_substreams.txt",
        "default_compression_codec.txt",
        "metadata_version.txt",
    }
)
"""Files of a part that do not count in what the engine says of its size."""
SET_ASIDE = (
    "SELECT concat(table, ' ', name) FROM system.detached_parts "
    "WHERE database = {database:String} AND startsWith(reason, 'broken') ORDER BY 1"
)
"""Parts that the engine found broken when it opened their table."""
_CHECKSUMS = re.compile(rb"checksums format version: \d+\n.{17}(.{4})", re.DOTALL)
"""A line, 16 bytes of checksum and one of method, then the length of what is compressed, with these
five bytes and the method: the engine's format of compressed blocks."""
_HASH = 16
_INSERTED = re.compile(r"[^_]+_(\d+)_\1_0")
"""The name of a part that was inserted, and not merged or altered since."""
_TRIES = 5
_PAUSE_SECONDS = 0.2


class Part(NamedTuple):
    """An active part; `size`: bytes of its files, but for those `BESIDE`."""

    name: str
    size: int
    path: str


class Parts:
    """Those of a store. Any thread; who stores in the same table waits for each other."""

    def __init__(
        self, client: Client, database: str, failure: Callable[[], StoreUnavailable]
    ) -> None:
        """`failure`: what to say when a write has failed."""
        self._client = client
        self._database = database
        self._failure = failure
        self._asking = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._whole: dict[str, set[str]] = {}

    @contextmanager
    def sure(self, table: str) -> Iterator[None]:
        """When the block is left, the disk has all that the table has.

        Raises StoreUnavailable: it has not. What was inserted in the block may be gone then, all or
        some of it. What was there before is there, as the parts that it was merged from.
        """
        with self._locks.setdefault(table, threading.Lock()):
            try:
                yield
            except BaseException:
                with suppress(StoreUnavailable, ClickHouseError):  # what was raised says enough
                    self._check(table)
                raise
            self._check(table)

    def sure_of_all(self) -> None:
        """The same for each table of the database, and what the engine has merged by itself."""
        for (table,) in self._query(
            "SELECT name FROM system.tables WHERE database = {database:String}"
        ):
            with self.sure(table):
                pass

    def set_aside(self) -> list[str]:
        """Parts that the engine found broken when it was started; what they have is not read."""
        return [name for (name,) in self._query(SET_ASIDE)]

    def _check(self, table: str) -> None:
        failed = False
        for _ in range(_TRIES):
            broken = self._broken(table)
            if broken:
                failed = True
                self._mend(table, broken)
            elif failed:
                raise self._failure()
            else:
                return
        raise self._failure()

    def _broken(self, table: str) -> list[Part]:
        """Active parts that are not whole; each is looked at once."""
        known = self._whole.get(table, set())
        active = self._active(table)
        found = {part: is_whole(part) for part in active if part.path not in known}
        self._whole[table] = {part.path for part in active if found.get(part, True)}
        return [part for part, whole in found.items() if not whole]

    def _active(self, table: str) -> list[Part]:
        found = self._query(
            "SELECT name, bytes_on_disk, path FROM system.parts "
            "WHERE active AND database = {database:String} AND table = {table:String}",
            {"table": table},
        )
        return [Part(name, int(size), path) for name, size, path in found]

    def _mend(self, table: str, broken: Sequence[Part]) -> None:
        """Remove what was inserted; from what was merged or altered, go back to its sources."""
        _LOG.error("parts_broken", table=table, parts=[part.name for part in broken])
        merged = [part for part in broken if not _INSERTED.fullmatch(part.name)]
        for part in broken:
            if part not in merged:
                self._command(f"ALTER TABLE {self._database}.{table} DROP PART '{part.name}'")
        if merged:
            self._load_anew(table)
            for part in merged:
                shutil.rmtree(_aside(part), ignore_errors=True)

    def _load_anew(self, table: str) -> None:
        """As at a start, the engine looks at each part, puts broken ones aside, and takes their
        sources."""
        self._whole.pop(table, None)
        self._command(f"DETACH TABLE {self._database}.{table} SYNC")
        for _ in range(_TRIES):
            with suppress(ClickHouseError):
                self._command(f"ATTACH TABLE {self._database}.{table}")
                return
            time.sleep(_PAUSE_SECONDS)
        self._command(f"ATTACH TABLE {self._database}.{table}")

    def _query(self, sql: str, more: Mapping[str, object] | None = None) -> Sequence[Sequence[Any]]:
        with self._asking:
            given = {"database": self._database, **(more or {})}
            return self._client.query(sql, given).result_rows

    def _command(self, sql: str) -> None:
        with self._asking:
            self._client.command(sql)


def is_whole(part: Part) -> bool:
    """Whether its files have all bytes that were to be written."""
    try:
        sizes = {file.name: file.stat().st_size for file in Path(part.path).iterdir()}
        checksums = (Path(part.path) / "checksums.txt").read_bytes()
    except FileNotFoundError:  # removed meanwhile, with what it was replaced by, or dropped
        return not Path(part.path).exists()
    counted = sum(size for name, size in sizes.items() if name not in BESIDE)
    beside = all(size for name, size in sizes.items() if name in BESIDE)
    return counted >= part.size and beside and _is_complete(checksums)


def _is_complete(checksums: bytes) -> bool:
    found = _CHECKSUMS.match(checksums)
    if found is None:
        return False
    head = found.start(1) - 1 - _HASH
    return len(checksums) >= head + _HASH + int.from_bytes(found[1], "little")


def _aside(part: Part) -> Path:
    """Where the engine puts it when it finds it broken."""
    path = Path(part.path)
    return path.parent / "detached" / f"broken-on-start_{path.name}"
