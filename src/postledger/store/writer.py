"""The one that stores: drops repeats, numbers, puts on disk, and only then says so.

There are two ways in, for the same answer:

* A large batch (`store`) is inserted on its own: the engine checks, reads and sorts it.
* Small ones (`store_small`) that come together share one entry of the journal, which costs one
  fsync instead of a part of the table with its files; `flush` moves them to the table, many at a
  time. Until then they wait in the table `pending`, in memory, where the check for repeats sees
  them.

All run one at a time, so that `seq` follows the order of storing. Readers ask for a `flush` first
(`http.lane`), so that what was acknowledged is seen.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from clickhouse_connect.driver.exceptions import ClickHouseError

from postledger.errors import Problem, StoreFull
from postledger.store import columns
from postledger.store.engine import Engine, translated
from postledger.store.journal import Journal

_REPEAT = -1
_ARRIVING = ("workspace", "source", "line")
_KEPT = ("seq", "received_at", "workspace", "source", "line")


@dataclass(frozen=True, slots=True)
class Arrival:
    """Checked records of one workspace and one source, one a line.

    `source` names a vocabulary of event types that the writer knows. `unknown_fields`: a record may
    have fields that the registry does not. `atomic`: all are stored, or none.
    """

    workspace: str
    lines: bytes
    count: int
    source: str = "native"
    unknown_fields: bool = False
    atomic: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an arrival; `index` of a problem counts its lines from 0."""

    accepted: int
    duplicates: int = 0
    problems: tuple[Problem, ...] = ()


class Writer:
    """One call at a time; see the module's docstring."""

    def __init__(self, engine: Engine, vocabularies: Mapping[str, Mapping[str, str]]) -> None:
        """`vocabularies`: for each foreign source its names of types that differ from ours.

        Takes over what an earlier process left in the journal.
        """
        self._engine = engine
        self._client = engine.writer
        self._db = engine.database
        self._types = _type_names(vocabularies)
        self._waiting = 0
        self._waiting_unknown = False
        self._waiting_since = 0.0
        self._doubtful = False
        with translated():
            self._make_tables()
        self._journal = Journal(_journal_path(engine))
        self._recover()
        self._last = self._last_numbers()

    def close(self) -> None:
        """Move what waits to the table."""
        try:
            self.flush()
        finally:
            self._journal.close()

    @property
    def waiting_since(self) -> float | None:
        """Since when (monotonic seconds) an acknowledged event is in the journal only."""
        return self._waiting_since if self._waiting else None

    @property
    def waiting(self) -> int:
        """How many acknowledged events are in the journal only."""
        return self._waiting

    # -- large batches

    def store(self, arrival: Arrival) -> Outcome:
        """Store one arrival.

        Raises StoreFull or StoreUnavailable; sending it again then stores what is missing.
        """
        self._check_room()
        self.flush()
        with translated():
            flagged = self._arrive(_rows(arrival))
            outcome = _outcome(arrival, flagged)
            if outcome.accepted:
                self._insert_arriving(arrival, [row for row, _ in flagged])
            self._empty("arriving")
            self._empty("lines")
        if outcome.accepted:
            self._last[arrival.workspace] += arrival.count  # repeats leave gaps
        return outcome

    def _insert_arriving(self, arrival: Arrival, without: Sequence[int]) -> None:
        chosen = f"{self._db}.arriving"
        if without:
            chosen = f"(SELECT * FROM {chosen} WHERE row NOT IN {{without:Array(UInt64)}})"
        first = self._last[arrival.workspace] + 1
        numbers = "{first:UInt64} + row, {now:DateTime64(3, 'UTC')}"
        parameters = {"first": first, "now": _now(), "without": list(without)}
        try:
            self._insert(numbers, chosen, parameters, unknown_fields=arrival.unknown_fields)
        except ClickHouseError:
            self._undo(arrival.workspace, first)
            raise

    def _insert(
        self, numbers: str, chosen: str, parameters: dict[str, object], *, unknown_fields: bool
    ) -> None:
        self._client.command(
            f"INSERT INTO {self._db}.events ({', '.join(columns.INSERTED)}) "
            f"SELECT workspace, {numbers}, {columns.normalised(chosen, unknown_fields=unknown_fields)}",
            parameters | self._types,
        )

    def _undo(self, workspace: str, first: int) -> None:
        """Remove what an insert has left that failed between two months."""
        parts = self._client.query(
            f"SELECT _part, min(seq) FROM {self._db}.events WHERE _part IN (SELECT _part "
            f"FROM {self._db}.events WHERE workspace = {{workspace:String}} "
            "AND seq >= {first:UInt64}) GROUP BY _part HAVING min(seq) >= {first:UInt64}",
            {"workspace": workspace, "first": first},
        )
        for name, _ in parts.result_rows:
            self._client.command(f"ALTER TABLE {self._db}.events DROP PART '{name}'")

    # -- small batches

    def store_small(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Store several small arrivals with one fsync: on an error none of them."""
        self._check_room()
        with translated():
            flagged = dict(self._arrive(b"\n".join(map(_rows, arrivals))))
        last = self._last.copy()
        outcomes: list[Outcome] = []
        numbers: list[int] = []  # of each row; 0: it is not stored
        row = 0
        for arrival in arrivals:
            mine = [(i, flagged[row + i]) for i in range(arrival.count) if row + i in flagged]
            outcome = _outcome(arrival, mine)
            first = last[arrival.workspace] + 1
            numbers += _numbers(arrival.count, first if outcome.accepted else None, dict(mine))
            last[arrival.workspace] += outcome.accepted
            outcomes.append(outcome)
            row += arrival.count
        if any(numbers):
            unknown = any(arrival.unknown_fields for arrival in arrivals)
            self._keep(arrivals, numbers, unknown_fields=unknown)
        self._last = last
        return outcomes

    def _keep(
        self, arrivals: Sequence[Arrival], numbers: Sequence[int], *, unknown_fields: bool
    ) -> None:
        now = _now()
        with translated():
            self._journal.append(_journal_rows(arrivals, numbers, now))
        if not self._waiting:
            self._waiting_since = time.monotonic()
        self._waiting += sum(map(bool, numbers))
        self._waiting_unknown |= unknown_fields
        try:
            self._wait_in_memory(numbers, now)
        except ClickHouseError:
            self._recover()  # the journal has them, so they are stored

    def flush(self) -> None:
        """Move what waits in the journal to the table; on an error it goes on waiting there."""
        if not self._waiting:
            return
        chosen = f"{self._db}.pending"
        if self._doubtful:  # some may be in the table already, or twice in the journal
            chosen = (
                f"(SELECT * FROM {chosen} WHERE (workspace, timestamp, event_id) NOT IN "
                f"{self._stored('pending')} ORDER BY seq LIMIT 1 BY workspace, timestamp, event_id)"
            )
        self._doubtful = True
        with translated():
            self._insert(
                "seq, received_at", chosen, {}, unknown_fields=self._waiting_unknown
            )
            self._journal.clear()
            self._empty("pending")
        self._doubtful = self._waiting_unknown = False
        self._waiting = 0

    def _recover(self) -> None:
        """Move to the table what the journal has."""
        self._doubtful = True
        self._waiting = 0
        with translated():
            self._empty("pending")
            for rows in self._journal.frames():
                self._empty("lines")
                self._client.raw_insert(f"{self._db}.lines", _KEPT, rows, fmt="TSVRaw")
                self._identify("pending", careful=True)
                self._waiting += rows.count(b"\n") + 1
        self._waiting_unknown = True
        self.flush()

    # -- tables

    def _make_tables(self) -> None:
        for table, definition in (
            ("lines", columns.LINES),
            ("arriving", columns.IDENTIFIED),
            ("pending", columns.IDENTIFIED),
        ):
            self._client.command(f"DROP TABLE IF EXISTS {self._db}.{table} SYNC")
            self._client.command(f"CREATE TABLE {self._db}.{table} ({definition}) ENGINE = Memory")

    def _arrive(self, rows: bytes) -> list[tuple[int, int]]:
        """Fill table `arriving`; the rows that are not to be stored, in order, and why."""
        self._empty("lines")
        self._empty("arriving")
        self._client.raw_insert(f"{self._db}.lines", _ARRIVING, rows, fmt="TSVRaw")
        self._identify("arriving", careful=False)
        flagged = self._flagged()
        if any(why != _REPEAT for _, why in flagged):
            self._empty("arriving")
            self._identify("arriving", careful=True)
            flagged = self._flagged()
        return flagged

    def _wait_in_memory(self, numbers: Sequence[int], now: datetime) -> None:
        """Add to table `pending` what the journal has just got from `arriving`."""
        same = "row, workspace, source, line, head, timestamp, event_id, fault"
        self._client.command(
            f"INSERT INTO {self._db}.pending (seq, received_at, {same}) SELECT "
            "{numbers:Array(UInt64)}[row + 1] AS number, {now:DateTime64(3, 'UTC')}, "
            f"{same} FROM {self._db}.arriving WHERE number != 0",
            {"numbers": list(numbers), "now": now},
        )

    def _identify(self, table: str, *, careful: bool) -> None:
        into = "row, seq, received_at, workspace, source, line, head, timestamp, event_id, fault"
        lines = columns.identified(f"{self._db}.lines", careful=careful)
        self._client.command(
            f"INSERT INTO {self._db}.{table} ({into}) SELECT {into} FROM ({lines})"
        )

    def _empty(self, table: str) -> None:
        self._client.command(f"TRUNCATE TABLE {self._db}.{table}")

    def _flagged(self) -> list[tuple[int, int]]:
        """Rows of `arriving` that are not to be stored, in order: a fault, or a repeat."""
        arriving = f"{self._db}.arriving"
        pending = ""
        if self._waiting:
            pending = (
                "OR (workspace, timestamp, event_id) IN "
                f"(SELECT workspace, timestamp, event_id FROM {self._db}.pending)"
            )
        rows = self._client.query(
            f"""
            SELECT row, if(fault != 0, fault, {_REPEAT}) FROM {arriving}
            WHERE fault != 0
                OR (workspace, timestamp, event_id) IN {self._stored("arriving")}
                {pending}
                OR row NOT IN (SELECT min(row) FROM {arriving} WHERE fault = 0
                               GROUP BY workspace, timestamp, event_id)
            ORDER BY row"""
        )
        return [(int(row), int(why)) for row, why in rows.result_rows]

    def _stored(self, table: str) -> str:
        """Identities of `table` that are in the ledger: a look-up by the sort key."""
        return (
            f"(SELECT workspace, timestamp, event_id FROM {self._db}.events WHERE "
            "(workspace, timestamp, event_id) IN "
            f"(SELECT workspace, timestamp, event_id FROM {self._db}.{table}))"
        )

    def _last_numbers(self) -> defaultdict[str, int]:
        with translated():
            rows = self._client.query(
                f"SELECT workspace, max(seq) FROM {self._db}.events GROUP BY workspace"
            )
        return defaultdict(int, {workspace: int(seq) for workspace, seq in rows.result_rows})

    def _check_room(self) -> None:
        free, least = self._engine.free_bytes(), self._engine.settings.min_free_bytes
        if free is not None and free < least:
            raise StoreFull(
                f"the disk of the store has {free} bytes left, min_free_bytes is {least}; "
                "free some room, nothing was stored of this request"
            )


def _journal_path(engine: Engine) -> Path:
    if engine.directory is not None:
        return engine.directory / "journal"
    engine.settings.directory.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(engine.settings.store_dsn.encode()).hexdigest()[:12]
    return engine.settings.directory / f"journal-{name}"


def _rows(arrival: Arrival) -> bytes:
    start = f"{arrival.workspace}\t{arrival.source}\t".encode()
    return start + arrival.lines.replace(b"\n", b"\n" + start)


def _numbers(count: int, first: int | None, flagged: Mapping[int, int]) -> list[int]:
    numbers = [0] * count
    if first is not None:
        for number, row in enumerate((row for row in range(count) if row not in flagged), first):
            numbers[row] = number
    return numbers


def _journal_rows(arrivals: Sequence[Arrival], numbers: Sequence[int], now: datetime) -> bytes:
    """Rows of a table of `columns.LINES`, those that have a number."""
    stamp = now.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3].encode()
    lines = b"\n".join(map(_rows, arrivals)).split(b"\n")
    return b"\n".join(
        b"%d\t%b\t%b" % (number, stamp, line)
        for number, line in zip(numbers, lines, strict=True)
        if number
    )


def _outcome(arrival: Arrival, flagged: Sequence[tuple[int, int]]) -> Outcome:
    problems = tuple(
        Problem(columns.FAULTS[why][1], index=row, field=columns.FAULTS[why][0])
        for row, why in flagged
        if why != _REPEAT
    )
    if problems and arrival.atomic:
        return Outcome(0, 0, problems)
    return Outcome(arrival.count - len(flagged), len(flagged) - len(problems), problems)


def _type_names(vocabularies: Mapping[str, Mapping[str, str]]) -> dict[str, object]:
    names = {
        f"{source} {theirs}": ours
        for source, types in vocabularies.items()
        for theirs, ours in types.items()
    }
    return {"types_from": list(names), "types_to": list(names.values())}


def _now() -> datetime:
    return datetime.now(UTC)
