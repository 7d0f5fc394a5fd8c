"""Tables in memory where lines of JSON become rows, before the writer stores them.

Each has a client of its own, so that the engine reads one batch while it stores another.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

from postledger.store import columns
from postledger.store.engine import Engine
from postledger.store.identity import Identity

_CAME = ("workspace", "source", "line")
_KEPT = ("seq", "received_at", *_CAME)


class Staging:
    def __init__(self, engine: Engine, name: str, types: dict[str, object]) -> None:
        """`types`: the names of types of foreign sources, as parameters of `columns.rows`."""
        self._client: Client = engine.client(columns.STAGE_SETTINGS)
        self._types = types
        self._batch: dict[str, object] = {}
        self._lines = f"{engine.database}.lines_{engine.nickname}_{name}"
        self.rows = f"{engine.database}.rows_{engine.nickname}_{name}"
        for table, definition in (
            (self._lines, columns.LINES),
            (self.rows, columns.rows_definition()),
        ):
            self._client.command(f"DROP TABLE IF EXISTS {table} SYNC")
            self._client.command(f"CREATE TABLE {table} ({definition}) ENGINE = Memory")

    def read(self, workspace: str, source: str, lines: bytes, *, unknown_fields: bool) -> None:
        """Make `rows` of the lines of one batch, and of nothing else.

        Those of our own source are read plainly (`columns.identified`); if that finds faults, ask
        for `read_again`.
        """
        self.empty()
        now = text_of(datetime.now(UTC))
        self._batch = {"workspace": workspace, "source": source, "received_at": now}
        self._client.raw_insert(self._lines, ["line"], lines, fmt="LineAsString")
        self._fill(careful=source != "native", unknown_fields=unknown_fields)

    def read_again(self, *, unknown_fields: bool, clashing: Sequence[int] = ()) -> None:
        """Make `rows` of the same lines, carefully; `clashing` as in `columns.identified`."""
        self._client.command(f"TRUNCATE TABLE {self.rows}")
        self._fill(careful=True, unknown_fields=unknown_fields, clashing=clashing)

    def read_kept(self, rows: bytes, *, careful: bool, unknown_fields: bool) -> None:
        """Make `rows` of lines as `kept` gives them, and of nothing else."""
        self.empty()
        self._batch = {}
        self._client.raw_insert(self._lines, _KEPT, rows, fmt="TSVRaw")
        self._fill(careful=careful, unknown_fields=unknown_fields)

    def identify(self, rows: bytes) -> list[Identity]:
        """Which events these lines are, as `came` gives them, in order."""
        self.empty()
        self._client.raw_insert(self._lines, _CAME, rows, fmt="TSVRaw")
        identified = columns.identified(self._lines, careful=True)
        found = self._client.query(
            "SELECT workspace, toUnixTimestamp64Milli(timestamp), event_id, fault "
            f"FROM ({identified}) ORDER BY row"
        )
        return [Identity(*row) for row in found.result_rows]

    def empty(self) -> None:
        """Give the memory back."""
        self._client.command(f"TRUNCATE TABLE {self._lines}")
        self._client.command(f"TRUNCATE TABLE {self.rows}")

    def _fill(self, *, careful: bool, unknown_fields: bool, clashing: Sequence[int] = ()) -> None:
        made = columns.rows(
            self._lines,
            one_batch=bool(self._batch),
            careful=careful,
            unknown_fields=unknown_fields,
            clashing=bool(clashing),
        )
        used = self._batch | (self._types if careful else {})
        self._client.command(
            f"INSERT INTO {self.rows} ({', '.join(columns.STAGED)}) {made}",
            used | ({"clashing": list(clashing)} if clashing else {}),
        )


def came(workspace: str, source: str, lines: bytes) -> bytes:
    """Lines with their workspace and source."""
    start = f"{workspace}\t{source}\t".encode()
    return start + lines.replace(b"\n", b"\n" + start)


def kept(number: int, now: datetime, row: bytes) -> bytes:
    """A line as `came` gives it, with its number and the time when it came: for the journal."""
    return b"%d\t%b\t%b" % (number, text_of(now).encode(), row)


def text_of(time: datetime) -> str:
    """A time in UTC as the engine reads it, to the millisecond."""
    return f"{time:%Y-%m-%d %H:%M:%S.%f}"[:-3]
