"""Keeps the roll-ups: folds events in after they have been stored.

They are folded in the order of their `seq`, some at a time; a step and the number that it reaches
are one insert that makes one part of the table. So a step is done or not done, a crash repeats
none and loses none, and the insert of events has nothing more to do. A question for figures
adds the events that are not folded yet (`store/metrics.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from clickhouse_connect.driver.client import Client

from postledger.events import FIELD, Kind
from postledger.metrics import BOUNCES, GROUPS, OPENINGS
from postledger.store import counting
from postledger.store.dimensions import (
    ALL,
    ASPECTS,
    ATTEMPTED,
    DIMENSIONS,
    EVENTS,
    GIVEN,
    NUMBERS,
    PREFETCHED,
    QUARTERS,
    READ,
    SUMS,
    TABLE,
    THROUGH,
    TYPES,
    hours,
    quarters,
    time_of,
)
from postledger.store.engine import Engine, translated
from postledger.store.guesses import Guesses

_NEW = "rollups_new"
STEP, LARGEST_STEP = 400_000, 1_000_000
"""Numbers of events that one step goes through; they lie in memory meanwhile. Each step looks
through all parts that may have its numbers, so where much is to be done there are fewer of them."""
_MOST_WORKSPACES = 50
"""Workspaces of one step; each is a condition of its statement."""
_BESIDE: dict[str, object] = {"os_thread_priority": 10, "max_threads": 1}
"""Storing and answering come first."""
_ONE_PART: dict[str, object] = {
    "min_insert_block_size_rows": 1_000_000_000,
    "min_insert_block_size_bytes": 0,
    "max_insert_threads": 1,
    "optimize_on_insert": 0,
}
"""With these an insert is one block, whatever its size, and so one part. It has each key once, so
that the engine need not look for rows to sum: that took half of the time of a step."""


@dataclass(frozen=True, slots=True)
class Look:
    """The number of the last event that was folded, and how often that had changed."""

    through: int
    changes: int


class Rollups:
    """One call at a time, but for looks and `guesses`."""

    def __init__(self, engine: Engine, table: str = TABLE) -> None:
        self.guesses = Guesses(engine)
        self._engine = engine
        self._name = table
        self._client = engine.client(_BESIDE)
        self._events = f"{engine.database}.events"
        self._database = engine.database
        self._table = f"{engine.database}.{table}"
        self._folding = f"{engine.database}.folding_{engine.nickname}_{table}"
        with translated():
            self._client.command(f"DROP TABLE IF EXISTS {self._folding} SYNC")
            self._client.command(
                f"CREATE TABLE {self._folding} ({_FOLDING_COLUMNS}) ENGINE = Memory"
            )
        self._through: dict[str, int] | None = None
        self._changes = 0
        self._horizon = hours(self.horizon)

    @property
    def horizon(self) -> datetime:
        """Events before this time may have been removed; the roll-ups still have them."""
        with translated():
            (found,) = self._client.query(
                f"SELECT max(hour) FROM {self._table} WHERE dimension = '{THROUGH}'"
            ).result_rows
        return time_of(found[0])

    def move_horizon(self, to: datetime) -> None:
        """Say that events before `to`, the start of a day in UTC, may be removed. They must have
        been folded, and none must come after this."""
        self._horizon = hours(to)
        with translated(), self._engine.sure(self._name):
            self._client.command(
                f"INSERT INTO {self._table} (dimension, span, hour, {SUMS[0]}) "
                f"SELECT '{THROUGH}', 'hour', {hours(to)}, 1"  # rows of zeros only are dropped
            )

    def has_events_since(self, start: datetime) -> bool:
        """Whether the roll-ups of a time, and later ones, are those of the events that are there.
        From any thread."""
        return start >= time_of(self._horizon)

    def forget(self, before: datetime) -> None:
        """Remove the roll-ups themselves before a time, the start of a day in UTC."""
        with translated(), self._engine.sure(self._name):
            self._client.command(
                f"DELETE FROM {self._table} WHERE dimension != '{THROUGH}' "
                f"AND hour < {hours(before)}"
            )

    def look(self, workspace: str) -> Look | None:
        """How far the events of a workspace have been folded; None: that changes just now. From any
        thread."""
        changes, through = self._changes, self._through
        return Look(through.get(workspace, 0), changes) if through is not None else None

    def is_as_it_was(self, look: Look) -> bool:
        """Whether nothing has been folded since, nor begun to be. From any thread."""
        return self._changes == look.changes

    def behind(self, stored: Mapping[str, int]) -> int:
        """How many numbers have not been folded yet, of those up to `stored`, by workspace."""
        done = self._numbers()
        return sum(max(0, last - done.get(workspace, 0)) for workspace, last in stored.items())

    def fold(self, stored: Mapping[str, int], most: int | None = None) -> bool:
        """Fold one step of the events up to the numbers `stored`, by workspace; whether there was
        something to do. A step has at most `most` numbers; None: a tenth of what there is to do,
        but neither very few nor too many.

        Raises StoreFull or StoreUnavailable; the step has been done then, or not at all.
        """
        done = self._numbers()
        tenth = min(max(STEP, self.behind(stored) // 10), LARGEST_STEP)
        step = list(self._step(stored, tenth if most is None else most))
        if not step:
            return False
        with translated():
            self._stage(step)
            self._through = None  # until it is known how this ends
            self._changes += 1  # in this order: who looks reads them the other way round
            with self._engine.sure(self._name):
                self._client.command(
                    f"INSERT INTO {self._table} ({_STEP_COLUMNS}) {_step_rows(self._folding)}",
                    {
                        "workspaces": [workspace for workspace, _, _ in step],
                        "advance": [last - after for _, after, last in step],
                    },
                    settings=_ONE_PART,
                )
            self._client.command(f"TRUNCATE TABLE {self._folding}")
        self._through = done | {workspace: last for workspace, _, last in step}
        return True

    def _numbers(self) -> dict[str, int]:
        """How far the events of each workspace have been folded."""
        if self._through is None:
            with translated():
                found = self._client.query(folded(self._table))
            self._through = {workspace: int(number) for workspace, number in found.result_rows}
        return self._through

    def _step(self, stored: Mapping[str, int], room: int) -> Iterator[tuple[str, int, int]]:
        """Workspaces, the number that each has been folded up to, and the one to fold up to."""
        workspaces = 0
        for workspace, last in stored.items():
            after = self._numbers().get(workspace, 0)
            if last > after and room and workspaces < _MOST_WORKSPACES:
                through = min(last, after + room)
                room -= through - after
                workspaces += 1
                yield workspace, after, through

    def _stage(self, step: Sequence[tuple[str, int, int]]) -> None:
        """Lay out the events of a step, with what their rows have in common as one number."""
        ranges, parameters = [], dict[str, object]()
        for number, (workspace, after, through) in enumerate(step):
            ranges.append(
                f"(workspace = {{w{number}:String}} AND seq > {{a{number}:UInt64}} "
                f"AND seq <= {{t{number}:UInt64}})"
            )
            parameters |= {
                f"w{number}": workspace,
                f"a{number}": after,
                f"t{number}": through,
            }
        parameters["workspaces"] = [workspace for workspace, _, _ in step]
        parameters["horizon"] = self._horizon
        self._client.command(f"TRUNCATE TABLE {self._folding}")
        self._client.command(
            f"INSERT INTO {self._folding} SELECT {_STAGED} FROM {self._events} "
            f"WHERE ({' OR '.join(ranges)}) "
            "AND toUnixTimestamp64Milli(timestamp) >= {horizon:Int64} * 3600000",
            parameters,
        )


def rebuild(engine: Engine) -> Iterator[tuple[int, int]]:
    """Make the roll-ups anew from the events; yields how many numbers have been folded, at first
    none, and how many there are. It is done when the iterator has ended.

    What the roll-ups have of times before the horizon stays. They can be read meanwhile; the new
    ones take their place at the end, at once. Nothing else may fold meanwhile.
    """
    old, new = f"{engine.database}.{TABLE}", f"{engine.database}.{_NEW}"
    horizon = hours(Rollups(engine).horizon)
    with translated():
        engine.writer.command(f"DROP TABLE IF EXISTS {new} SYNC")
        engine.writer.command(f"CREATE TABLE {new} AS {old}")
        with engine.sure(_NEW):
            engine.writer.command(
                f"INSERT INTO {new} SELECT * FROM {old} WHERE if(dimension = '{THROUGH}', "
                f"workspace = '', hour < {horizon})"
            )
        found = engine.writer.query(last_numbers(engine.database))
    stored = {workspace: int(number) for workspace, number in found.result_rows}
    rollups = Rollups(engine, _NEW)
    total = rollups.behind(stored)
    yield 0, total
    while rollups.fold(stored):
        yield total - rollups.behind(stored), total
    with translated():
        engine.writer.command(f"EXCHANGE TABLES {old} AND {new}")
        engine.writer.command(f"DROP TABLE {new} SYNC")


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many hours were looked at, and how many figures of theirs differ from the events."""

    hours: int
    different: int


def compare(client: Client, database: str, most: int = 10) -> Comparison:
    """Count the events of up to `most` hours, chosen at random, and compare the roll-ups. Changes
    nothing."""
    table = f"{database}.{TABLE}"
    chosen = client.query(
        f"SELECT DISTINCT workspace, {_HOUR} FROM {database}.events "
        "WHERE (workspace, seq) IN (SELECT workspace, intDiv(number * rand(n), 4294967296) + 1 "
        f"FROM ({folded(table)}) ARRAY JOIN range(100) AS n ORDER BY rand() LIMIT {{most:UInt32}})",
        {"most": most},
    ).result_rows
    if not chosen:
        return Comparison(0, 0)
    found = client.query(
        _differences(database, len(chosen)),
        {f"w{n}": workspace for n, (workspace, _) in enumerate(chosen)}
        | {f"h{n}": hour for n, (_, hour) in enumerate(chosen)},
    )
    return Comparison(len(chosen), int(found.result_rows[0][0]))


def _differences(database: str, hours_: int) -> str:
    """How many figures of some hours differ."""
    table = f"{database}.{TABLE}"
    rolled = (f"(workspace = {{w{n}:String}} AND hour = {{h{n}:UInt32}})" for n in range(hours_))
    counted = (
        f"(workspace = {{w{n}:String}} AND timestamp >= {_time(f'h{n}')} "
        f"AND timestamp < {_time(f'h{n}')} + INTERVAL 1 HOUR)"
        for n in range(hours_)
    )
    values = ", ".join(
        ["('all', '')", *(f"('{name}', toString({_text(name)}))" for name in _BY_COLUMN)]
    )
    numbers = [name for number in NUMBERS for name in (number, *quarters(number))]
    less = ", ".join(
        f"-toInt64({_of_event(number)}{condition})"
        for number in NUMBERS
        for condition in ("", *(f" * ({_QUARTER} = {n})" for n in (1, 2, 3)))
    )
    differ = " OR ".join(f"sum({name}) != 0" for name in numbers)
    return (
        "SELECT count() FROM (SELECT workspace, dimension, type, value, hour FROM ("
        "SELECT workspace, toString(dimension) AS dimension, toString(type) AS type, value, "
        f"hour, {', '.join(numbers)} FROM {table} WHERE span = 'hour' "
        f"AND dimension != '{THROUGH}' AND ({' OR '.join(rolled)}) "
        f"UNION ALL SELECT workspace, each.1, toString(type), each.2, {_HOUR}, {less} "
        f"FROM {database}.events ARRAY JOIN arrayConcat([{values}], "
        f"arrayMap(tag -> ('tag', toString(tag)), {_TAGS})) AS each "
        f"WHERE ({' OR '.join(counted)}) AND seq <= transform(toString(workspace), "
        f"(SELECT groupArray(workspace) FROM ({folded(table)})), "
        f"(SELECT groupArray(number) FROM ({folded(table)})), toUInt64(0))"
        f") GROUP BY workspace, dimension, type, value, hour HAVING {differ})"
    )


def _time(parameter: str) -> str:
    return f"fromUnixTimestamp64Milli({{{parameter}:Int64}} * 3600000, 'UTC')"


# -- statements


def folded(table: str) -> str:
    """How far the events of each workspace have been folded."""
    return (
        f"SELECT workspace, toUInt64(sum(events)) AS number FROM {table} "
        f"WHERE dimension = '{THROUGH}' AND workspace != '' AND value = '' GROUP BY workspace"
    )


def last_numbers(database: str) -> str:
    """The highest number that has been given in each workspace; its event may be gone."""
    table = f"{database}.{TABLE}"
    return (
        "SELECT workspace, max(number) FROM ("
        f"SELECT workspace, max(seq) AS number FROM {database}.events GROUP BY workspace "
        f"UNION ALL {folded(table)} "
        f"UNION ALL SELECT workspace, toUInt64(events) FROM {table} "
        f"WHERE dimension = '{THROUGH}' AND value = '{GIVEN}') GROUP BY workspace"
    )


def _array(names: Sequence[str]) -> str:
    return f"[{', '.join(map(repr, names))}]"


_BY_COLUMN = tuple(name for name in DIMENSIONS if name != "tag")
_ASPECT = (
    f"multiIf(type IN {counting.listed(BOUNCES)}, {counting.CATEGORY}, "
    f"type IN {counting.listed(ATTEMPTED)}, {counting.ATTEMPT}, "
    f"type IN {counting.listed(OPENINGS)}, if({counting.PREFETCHED}, '{PREFETCHED}', '{READ}'), "
    "'')"
)
_HOUR = "toUInt32(intDiv(toUnixTimestamp64Milli(timestamp), 3600000))"
_QUARTER = "toUInt8(intDiv(toUnixTimestamp64Milli(timestamp), 900000) % 4)"
_HOURLY = (
    f"bitOr(bitShiftLeft(toUInt64({_HOUR}), 32), "
    "bitShiftLeft(toUInt64(indexOf({workspaces:Array(String)}, workspace)), 16) "
    f"+ bitShiftLeft(toUInt64(indexOf({_array(TYPES)}, type)), 8) "
    f"+ indexOf({_array(ASPECTS)}, {_ASPECT}))"
)
"""Hour, workspace, type and aspect as one number: to group by it is three times as fast."""
_DAILY = (
    "bitOr(bitShiftLeft(intDiv(bitShiftRight(hourly, 32), 24) * 24, 32), "
    "bitAnd(hourly, 4294967295) + 2147483648)"
)
"""The same with the first hour of the day; a bit that no workspace's number reaches tells them
apart."""
_FOLDING_COLUMNS = ", ".join(
    [
        "hourly UInt64",
        *(f"{name} LowCardinality(String)" for name in _BY_COLUMN),
        "tags Array(LowCardinality(String))",
        "quarter UInt8",
        *(f"{name} Int64" for name in SUMS),
    ]
)


def _of_event(number: str) -> str:
    """What an event adds to a number of its rows."""
    return "1" if number == EVENTS else f"ifNull({number}, 0)"


def _text(dimension: str) -> str:
    """The value of an event in a dimension, as text; empty where it has none."""
    name = GROUPS[dimension]
    number = FIELD[name].kind is Kind.INTEGER
    return f"ifNull(toString({name}), '')" if number else name


_TAGS = "if(empty(rcpt_tags), [''], arrayDistinct(rcpt_tags))"
_STAGED = ", ".join(
    [
        _HOURLY,
        *map(_text, _BY_COLUMN),
        _TAGS,
        _QUARTER,
        *map(_of_event, SUMS),
    ]
)
_KEYS = ("workspace", "dimension", "span", "type", "aspect", "value", "hour")
_STEP_COLUMNS = ", ".join([*_KEYS, *NUMBERS, *QUARTERS])


def _step_rows(folding: str) -> str:
    """The rows of a step, and one for each workspace that says how far it went."""
    sums = ", ".join(
        [
            "count() AS total_events",
            *(f"sum({name}) AS total_{name}" for name in SUMS),
            *(f"countIf(quarter = {n}) AS {name}" for n, name in enumerate(quarters(EVENTS), 1)),
            *(
                f"sumIf({number}, quarter = {n}) AS {name}"
                for number in SUMS
                for n, name in enumerate(quarters(number), 1)
            ),
        ]
    )
    rows = f"(SELECT *, {_DAILY} AS daily FROM {folding})"
    sources = {ALL: ("''", ""), "tag": ("each_tag", " ARRAY JOIN tags AS each_tag")}
    counted = " UNION ALL ".join(
        f"SELECT '{name}' AS dimension, if(daily = 0, hourly, daily) AS cell, "
        f"toString({value}) AS value, {sums} FROM {rows}{join} "
        f"GROUP BY GROUPING SETS ((hourly, {value}), (daily, {value}))"
        for name in (ALL, *DIMENSIONS)
        for value, join in (sources.get(name, (name, "")),)
    )
    by_hour = [f"if(span = 'hour', toInt64({name}), 0)" for name in QUARTERS]
    totals = ", ".join([*(f"toInt64(total_{name})" for name in NUMBERS), *by_hour])
    zeros = ", ".join("0" for _ in (*SUMS, *QUARTERS))
    return (
        "SELECT {workspaces:Array(String)}[bitAnd(bitShiftRight(cell, 16), 32767)], dimension, "
        "if(bitTest(cell, 31), 'day', 'hour') AS span, "
        f"{_array(TYPES)}[bitAnd(bitShiftRight(cell, 8), 255)], "
        f"{_array(ASPECTS)}[bitAnd(cell, 255)], value, toUInt32(bitShiftRight(cell, 32)), {totals} "
        f"FROM ({counted}) "
        f"UNION ALL SELECT told.1, '{THROUGH}', 'hour', '', '', '', 0, told.2, {zeros} "
        "FROM (SELECT arrayJoin(arrayZip({workspaces:Array(String)}, {advance:Array(Int64)})) "
        "AS told)"
    )
