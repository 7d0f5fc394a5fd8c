"""Tables in memory where lines of JSON become rows, before the writer stores them.

Each has a client of its own, so that the engine reads one batch while it stores another.
"""

from collections.abc import Sequence
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from postledger.store import columns
from postledger.store.engine import Engine

CAME = ("workspace", "source", "line")
KEPT = ("seq", "received_at", *CAME)
"""Columns of lines as they come, and as the journal keeps them."""


class Identity(NamedTuple):
    """Which event a line is; `milliseconds` since 1970. `fault` as in `columns.FAULTS`; 0: none."""

    workspace: str
    milliseconds: int
    event_id: str
    fault: int


class Staging:
    def __init__(self, engine: Engine, name: str, types: dict[str, object]) -> None:
        """`types`: the names of types of foreign sources, as parameters of `columns.rows`."""
        self._client: Client = engine.client(columns.WRITE_SETTINGS)
        self._types = types
        self._lines = f"{engine.database}.lines_{engine.nickname}_{name}"
        self.rows = f"{engine.database}.rows_{engine.nickname}_{name}"
        for table, definition in (
            (self._lines, columns.LINES),
            (self.rows, columns.rows_definition()),
        ):
            self._client.command(f"DROP TABLE IF EXISTS {table} SYNC")
            self._client.command(f"CREATE TABLE {table} ({definition}) ENGINE = Memory")

    def fill(
        self, names: Sequence[str], lines: bytes, *, careful: bool, unknown_fields: bool
    ) -> None:
        """Make `rows` of these lines, and of nothing else."""
        self.empty()
        self._load(names, lines)
        self._fill(careful=careful, unknown_fields=unknown_fields)

    def refill(self, *, unknown_fields: bool, clashing: Sequence[int] = ()) -> None:
        """Make `rows` of the same lines again, carefully; `clashing` as in `columns.identified`."""
        self._client.command(f"TRUNCATE TABLE {self.rows}")
        self._fill(careful=True, unknown_fields=unknown_fields, clashing=clashing)

    def identify(self, lines: bytes) -> list[Identity]:
        """Which events these lines are, in order; `rows` stays as it was."""
        self._client.command(f"TRUNCATE TABLE {self._lines}")
        self._load(CAME, lines)
        found = self._identities(careful=False)
        if any(identity.fault for identity in found):
            found = self._identities(careful=True)
        return found

    def empty(self) -> None:
        """Give the memory back."""
        self._client.command(f"TRUNCATE TABLE {self._lines}")
        self._client.command(f"TRUNCATE TABLE {self.rows}")

    def _load(self, names: Sequence[str], lines: bytes) -> None:
        self._client.raw_insert(self._lines, names, lines, fmt="TSVRaw")

    def _fill(self, *, careful: bool, unknown_fields: bool, clashing: Sequence[int] = ()) -> None:
        made = columns.rows(
            self._lines, careful=careful, unknown_fields=unknown_fields, clashing=bool(clashing)
        )
        self._client.command(
            f"INSERT INTO {self.rows} ({', '.join(columns.STAGED)}) {made}",
            self._types | {"clashing": list(clashing)},
        )

    def _identities(self, *, careful: bool) -> list[Identity]:
        identified = columns.identified(self._lines, careful=careful)
        found = self._client.query(
            "SELECT workspace, toUnixTimestamp64Milli(timestamp), event_id, fault "
            f"FROM ({identified}) ORDER BY row"
        )
        return [Identity(*row) for row in found.result_rows]
