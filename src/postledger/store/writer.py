"""The one that stores: drops repeats, numbers, puts on disk, and only then says so.

There are two ways in, for the same answer:

* A large batch, or one of a foreign source (`prepare`, then `store`), is inserted on its own. To
  prepare is to let the engine read its JSON, and may be done for the next batch while this one is
  stored.
* Small ones (`store_small`) that come together share one entry of the journal, which costs one
  fsync instead of a part of the table with its files; `flush` moves them to the table, many at a
  time. Until then they wait here in memory.

All but `prepare` run one at a time, so that `seq` follows the order of storing. Readers ask for a
`flush` first (`http.lane`), so that what was acknowledged is seen.
"""

import hashlib
import queue
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError

from postledger.errors import Problem, StartError, StoreFull, StoreUnavailable
from postledger.store import columns, few
from postledger.store.engine import Engine, translated
from postledger.store.identity import Identity, of_line
from postledger.store.journal import Journal
from postledger.store.recent import Recent
from postledger.store.rollups import last_numbers
from postledger.store.staging import Staging, came, kept

_LOG = structlog.get_logger()
PREPARED_AT_ONCE = 2
_REPEAT = -1
_MOST_WAITING = 100_000
_HALF = "the store failed, and some events of this request are stored; send it again"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STORED = msgspec.json.Decoder(tuple[str, int, str])
_SINCE = msgspec.json.Decoder(tuple[int, str])


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

    @property
    def own(self) -> bool:
        """Whether it comes in our own form."""
        return self.source == "native"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Arrivals whose rows lie ready in a staging table, one after the other. Hand them to
    `Writer.store`."""

    arrivals: tuple[Arrival, ...]
    staging: Staging

    @property
    def first(self) -> Arrival:
        """What this one says of workspace and source is true of all."""
        return self.arrivals[0]

    @property
    def count(self) -> int:
        return sum(arrival.count for arrival in self.arrivals)

    @property
    def unknown_fields(self) -> bool:
        return any(arrival.unknown_fields for arrival in self.arrivals)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an arrival; `index` of a problem counts its lines from 0."""

    accepted: int
    duplicates: int = 0
    problems: tuple[Problem, ...] = ()


class Writer:
    """One call at a time, save for `prepare`; see the module's docstring."""

    def __init__(self, engine: Engine, vocabularies: Mapping[str, Mapping[str, str]]) -> None:
        """`vocabularies`: for each foreign source its names of types that differ from ours.

        Takes over what an earlier process left in the journal.
        """
        self._engine = engine
        self._client = engine.writer
        self._events = f"{engine.database}.events"
        self._free: queue.SimpleQueue[Staging] = queue.SimpleQueue()
        self._waiting: list[bytes] = []
        self._waiting_ids: set[tuple[str, int, str]] = set()
        self._waiting_unknown = False
        self._waiting_careful = False
        self._waiting_since = 0.0
        self._doubtful = False
        self._horizon = 0
        self._recent = Recent(self._since)
        types = _type_names(vocabularies)
        with translated():
            self._small = Staging(engine, "small", types)
            for number in range(PREPARED_AT_ONCE):
                self._free.put(Staging(engine, str(number), types))
        self._journal = Journal(_journal_path(engine))
        if kept := self._journal.damaged:
            _LOG.error("journal_damaged", bytes=kept.stat().st_size, kept_in=str(kept))
        self._last: defaultdict[str, int] = defaultdict(int)
        self._recover()
        self._last = self._last_numbers()
        self._whole = dict(self._last)

    def close(self) -> None:
        """Move what waits to the table."""
        try:
            self.flush()
        finally:
            self._journal.close()

    @property
    def waiting(self) -> int:
        """How many acknowledged events are in the journal only."""
        return len(self._waiting)

    @property
    def waiting_since(self) -> float | None:
        """Since when (monotonic seconds) there are such events."""
        return self._waiting_since if self._waiting else None

    @property
    def given(self) -> dict[str, int]:
        """The number of the last event of each workspace, also of those in the journal. From any
        thread."""
        return dict(self._last)

    def numbers(self) -> dict[str, int]:
        """The same, when all of them are in the table."""
        self.flush()
        return dict(self._last)

    @property
    def whole(self) -> Mapping[str, int]:
        """The number up to which all events of each workspace are in the table. From any thread.

        There may be later ones: an insert makes a part for each month, one after the other, and so
        some of its numbers can be read before others that are lower.
        """
        return self._whole

    def refuse_before(self, horizon: datetime) -> None:
        """Refuse events before this time from now on."""
        self._horizon = (horizon - _EPOCH) // timedelta(milliseconds=1)

    # -- large batches

    def prepare(self, *arrivals: Arrival) -> Prepared:
        """Let the engine read arrivals that have workspace and source in common, of which each is
        stored or not by itself; one that is atomic comes alone. From any thread; waits while others
        are prepared."""
        self._check_room()
        staging = self._free.get()
        prepared = Prepared(arrivals, staging)
        try:
            with translated():
                staging.read(
                    prepared.first.workspace,
                    prepared.first.source,
                    b"\n".join(arrival.lines for arrival in arrivals),
                    unknown_fields=prepared.unknown_fields,
                )
        except BaseException:
            self._free.put(staging)
            raise
        return prepared

    def store(self, prepared: Prepared) -> list[Outcome]:
        """Store what was prepared; what became of each arrival.

        Raises StoreFull or StoreUnavailable; sending it again then stores what is missing.
        """
        staging = prepared.staging
        try:
            self.flush()
            with translated():
                flagged = self._checked(prepared)
                outcomes = list(_outcomes(prepared.arrivals, flagged))
                if any(outcome.accepted for outcome in outcomes):
                    self._recent.forget(prepared.first.workspace)
                    self._insert_new(prepared, [row for row, _ in flagged])
                staging.empty()
        finally:
            self._free.put(staging)
        return outcomes

    def _checked(self, prepared: Prepared) -> list[tuple[int, int]]:
        """Rows that are not to be stored, in order, and why."""
        staging, unknown_fields = prepared.staging, prepared.unknown_fields
        flagged = self._flagged(prepared)
        if prepared.first.own:
            if all(why == _REPEAT for _, why in flagged):
                return flagged
            staging.read_again(unknown_fields=unknown_fields)
        else:
            clashing = self._clashing(staging) if flagged else []
            if not clashing:
                return flagged
            staging.read_again(unknown_fields=unknown_fields, clashing=clashing)
        return self._flagged(prepared)

    def _clashing(self, staging: Staging) -> list[int]:
        """Rows that have time and id of an event of another type.

        In a foreign source that is another event, which must not be lost: SparkPost's own samples
        have one id for all. In ours the contract says that it is a repeat.
        """
        found = self._client.query(
            f"""
            SELECT row FROM {staging.rows} AS staged
            LEFT ANY JOIN (
                SELECT workspace, timestamp, event_id, argMin({columns.KIND}, row) AS kind
                FROM {staging.rows} WHERE fault = 0 GROUP BY workspace, timestamp, event_id
            ) AS first USING (workspace, timestamp, event_id)
            LEFT ANY JOIN (
                SELECT workspace, timestamp, event_id, {columns.KIND} AS kind, 1 AS is_there
                FROM {self._events} WHERE (workspace, timestamp, event_id) IN
                    (SELECT workspace, timestamp, event_id FROM {staging.rows})
            ) AS stored USING (workspace, timestamp, event_id)
            WHERE fault = 0
                AND {columns.KIND} != if(stored.is_there = 0, first.kind, stored.kind)
            ORDER BY row"""
        )
        return [int(row) for (row,) in found.result_rows]

    def _insert_new(self, prepared: Prepared, without: Sequence[int]) -> None:
        workspace = prepared.first.workspace
        first = self._last[workspace] + 1
        chosen = prepared.staging.rows
        if without:
            chosen += " WHERE row NOT IN {without:Array(UInt64)}"
        try:
            self._insert("{first:UInt64} + row", chosen, {"first": first, "without": list(without)})
        except (ClickHouseError, StoreUnavailable) as error:
            self._undo(workspace, first, error)
            raise
        finally:
            # Repeats leave gaps. After a failure too no number is given twice, and the feed shows
            # what the pages show.
            self._last[workspace] += prepared.count
            self._whole = dict(self._last)

    def _insert(self, numbers: str, chosen: str, parameters: dict[str, object]) -> None:
        made = ", ".join(columns.INSERTED)
        with self._engine.sure("events"):
            self._client.command(
                f"INSERT INTO {self._events} (seq, {made}) SELECT {numbers}, {made} FROM {chosen}",
                parameters,
            )

    def _flagged(self, prepared: Prepared) -> list[tuple[int, int]]:
        """Rows that are not to be stored, in order: a fault, or a repeat. Those that are in the
        ledger are looked up in the buckets of their times."""
        rows = prepared.staging.rows
        old = f"toUnixTimestamp64Milli(timestamp) < {self._horizon}"
        found = self._client.query(
            f"""
            SELECT row, multiIf(fault != 0, fault, {old}, {columns.FORGOTTEN}, {_REPEAT})
            FROM {rows}
            WHERE fault != 0 OR {old}
                OR (timestamp, event_id) IN (
                    SELECT timestamp, event_id FROM {self._events}
                    WHERE workspace = {{workspace:String}}
                        AND (timestamp, event_id) IN (SELECT timestamp, event_id FROM {rows}))
                OR row NOT IN (SELECT min(row) FROM {rows} WHERE fault = 0
                               GROUP BY timestamp, event_id)
            ORDER BY row""",
            {"workspace": prepared.first.workspace},
        )
        return [(int(row), int(why)) for row, why in found.result_rows]

    def _undo(self, workspace: str, first: int, error: Exception) -> None:
        """Remove what an insert has left that failed between two months. Raises StoreUnavailable:
        some of it stays, since that fails too, or the engine has merged it with other events."""
        try:
            parts = self._client.query(
                "SELECT _part, min(workspace = {workspace:String} AND seq >= {first:UInt64}) "
                f"FROM {self._events} WHERE _part IN (SELECT _part FROM {self._events} "
                "WHERE workspace = {workspace:String} AND seq >= {first:UInt64}) GROUP BY _part",
                {"workspace": workspace, "first": first},
            ).result_rows
            with self._engine.sure("events") if parts else nullcontext():
                for name, _ in (part for part in parts if part[1]):
                    self._client.command(f"ALTER TABLE {self._events} DROP PART '{name}'")
        except (ClickHouseError, StoreUnavailable):
            raise StoreUnavailable(_HALF) from error
        if not all(ours for _, ours in parts):
            raise StoreUnavailable(_HALF) from error

    # -- small batches

    def store_small(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Store several small arrivals of our own form with one fsync: on an error none of them."""
        self._check_room()
        if self.waiting > _MOST_WAITING:  # they could not be moved: no more, unless they can now
            self.flush()
        rows = b"\n".join(came(a.workspace, a.source, a.lines) for a in arrivals)
        with translated():
            identities = self._identify(arrivals, rows)
            seen = self._waiting_ids | self._known(identities)
        last = self._last.copy()
        outcomes: list[Outcome] = []
        numbers: list[int] = []  # of each row; 0: it is not stored
        for arrival in arrivals:
            start = len(numbers)
            flagged, new = self._flags(identities[start : start + arrival.count], seen)
            outcome = _outcome(arrival, list(flagged.items()))
            if outcome.accepted:
                seen |= new
            first = last[arrival.workspace] + 1
            numbers += _numbers(arrival.count, first if outcome.accepted else None, flagged)
            last[arrival.workspace] += outcome.accepted
            outcomes.append(outcome)
        if any(numbers):
            self._keep(rows.split(b"\n"), identities, numbers)
            self._waiting_unknown |= any(arrival.unknown_fields for arrival in arrivals)
        self._last = last
        return outcomes

    def _identify(self, arrivals: Sequence[Arrival], rows: bytes) -> Sequence[Identity]:
        told = [of_line(a.workspace, line) for a in arrivals for line in a.lines.split(b"\n")]
        certain = [identity for identity in told if identity is not None]
        if len(certain) == len(told):
            return certain
        self._waiting_careful = True
        return self._small.identify(rows)

    def _flags(
        self, identities: Sequence[Identity], seen: set[tuple[str, int, str]]
    ) -> tuple[dict[int, int], set[tuple[str, int, str]]]:
        """The rows that are not to be stored, a fault or a repeat; and who the others are."""
        flagged = {}
        new: set[tuple[str, int, str]] = set()
        for row, identity in enumerate(identities):
            if identity.fault:
                flagged[row] = identity.fault
            elif identity.milliseconds < self._horizon:
                flagged[row] = columns.FORGOTTEN
            elif identity[:3] in seen or identity[:3] in new:
                flagged[row] = _REPEAT
            else:
                new.add(identity[:3])
        return flagged, new

    def _known(self, identities: Sequence[Identity]) -> set[tuple[str, int, str]]:
        """Those that are in the table, perhaps with others: looked up by their times."""
        told = [identity for identity in identities if not identity.fault]
        asked = self._in_doubt(told)
        if asked and self._recent.learn(told, self._waiting_ids):
            asked = self._in_doubt(asked)
        if not asked:
            return set()
        found = self._client.raw_query(
            "SELECT workspace, toUnixTimestamp64Milli(timestamp), event_id "
            f"FROM {self._events} WHERE workspace IN {{workspaces:Array(String)}} "
            "AND timestamp IN {times:Array(DateTime64(3, 'UTC'))} "
            "AND event_id IN {ids:Array(String)}",
            {
                "workspaces": list({identity.workspace for identity in asked}),
                "times": [_seconds(identity.milliseconds) for identity in asked],
                "ids": [identity.event_id for identity in asked],
            },
            fmt="JSONCompactEachRow",
        )
        return set(_STORED.decode_lines(found))

    def _in_doubt(self, identities: Sequence[Identity]) -> list[Identity]:
        """Those that may be in the table."""
        return [each for each in identities if not self._recent.rules_out(each)]

    def _since(self, workspace: str, start: int, most: int) -> list[tuple[int, str]]:
        """Identities in the table; `recent.Known` says which."""
        found = self._client.raw_query(
            f"SELECT toUnixTimestamp64Milli(timestamp), event_id FROM {self._events} "
            "WHERE workspace = {workspace:String} "
            "AND timestamp >= {start:DateTime64(3, 'UTC')} "
            f"ORDER BY {columns.BUCKET} LIMIT {{most:UInt32}}",
            {"workspace": workspace, "start": _seconds(max(start, 0)), "most": most},
            fmt="JSONCompactEachRow",
        )
        return _SINCE.decode_lines(found)

    def _keep(
        self, rows: Sequence[bytes], identities: Sequence[Identity], numbers: Sequence[int]
    ) -> None:
        now = datetime.now(UTC)
        stored = [
            kept(number, now, row) for number, row in zip(numbers, rows, strict=True) if number
        ]
        with translated():
            self._journal.append(b"\n".join(stored))
        if not self._waiting:
            self._waiting_since = time.monotonic()
        self._waiting += stored
        new = [each for each, number in zip(identities, numbers, strict=True) if number]
        self._waiting_ids.update(identity[:3] for identity in new)
        self._recent.add(new)

    # -- from the journal to the table

    def flush(self) -> None:
        """Move what waits in the journal to the table; on an error it goes on waiting there."""
        if not self._waiting:
            return
        made = None if self._doubtful or self._waiting_careful else few.rows(self._waiting)
        with translated():
            if made is not None:
                self._doubtful = True
                with self._engine.sure("events"):
                    self._client.raw_insert(self._events, few.COLUMNS, made, fmt=few.FORMAT)
                self._journal.clear()
            else:
                self._flush_many()
        self._whole = dict(self._last)
        self._waiting.clear()
        self._waiting_ids.clear()
        self._doubtful = self._waiting_careful = self._waiting_unknown = False

    def _flush_many(self) -> None:
        """The engine makes the rows."""
        self._small.read_kept(
            b"\n".join(self._waiting),
            careful=self._waiting_careful,
            unknown_fields=self._waiting_unknown,
        )
        self._keep_unreadable()
        chosen = f"{self._small.rows} WHERE fault = 0"
        if self._doubtful:  # some may be in the table already, or twice in the journal
            identity = "workspace, timestamp, event_id"
            chosen += (
                f" AND ({identity}) NOT IN (SELECT {identity} FROM {self._events} "
                f"WHERE ({identity}) IN (SELECT {identity} FROM {self._small.rows})) "
                f"ORDER BY seq LIMIT 1 BY {identity}"
            )
        self._doubtful = True
        self._insert("seq", chosen, {})
        self._journal.clear()
        self._small.empty()

    def _keep_unreadable(self) -> None:
        """Put lines that were acknowledged and that the engine cannot read into a file of their
        own. There should be none: what is acknowledged has been checked. So this is a net."""
        found = self._client.query(
            f"SELECT row FROM {self._small.rows} WHERE fault != 0 ORDER BY row"
        )
        lines = [self._waiting[row] for (row,) in found.result_rows]
        if lines:
            path = self._journal.set_aside(lines)
            _LOG.error("unreadable", events=len(lines), kept_in=str(path))

    def _recover(self) -> None:
        """Move to the table what an earlier process left in the journal."""
        self._waiting = [row for rows in self._journal.frames() for row in rows.split(b"\n")]
        self._doubtful = self._waiting_careful = self._waiting_unknown = True
        try:
            self.flush()
        except StoreUnavailable as error:
            raise StartError(f"the journal cannot be moved to the table: {error}") from error
        self._doubtful = self._waiting_careful = self._waiting_unknown = False

    def _last_numbers(self) -> defaultdict[str, int]:
        with translated():
            rows = self._client.query(last_numbers(self._engine.database))
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


def _numbers(count: int, first: int | None, flagged: Mapping[int, int]) -> list[int]:
    numbers = [0] * count
    if first is not None:
        for number, row in enumerate((row for row in range(count) if row not in flagged), first):
            numbers[row] = number
    return numbers


def _seconds(milliseconds: int) -> str:
    """Unix seconds as the engine reads a time: ten digits before the point."""
    return f"{milliseconds // 1000:010}.{milliseconds % 1000:03}"


def _outcomes(arrivals: Sequence[Arrival], flagged: Sequence[tuple[int, int]]) -> Iterator[Outcome]:
    """What became of each; its own rows are counted from 0 again."""
    start, at = 0, 0
    for arrival in arrivals:
        end = at
        while end < len(flagged) and flagged[end][0] < start + arrival.count:
            end += 1
        yield _outcome(arrival, [(row - start, why) for row, why in flagged[at:end]])
        start, at = start + arrival.count, end


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
