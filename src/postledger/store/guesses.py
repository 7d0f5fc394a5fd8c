"""How many events a question may find, guessed from the roll-ups: it takes no statement to ask.

Where many match, a page walks from bucket to bucket until it has enough. One thread does that, and
in vain where few match: they are found faster by a look at all of the range (`sql.py`, `page`). To
choose, it is known which values were common in the last days, and how many events had them.

A guess decides how long an answer takes, never what is in it.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from postledger.events import EVENT_TYPES
from postledger.metrics import GROUPS
from postledger.query import EventQuery, Filter, Match
from postledger.store.dimensions import ALL, DIMENSIONS, EVENTS, TABLE, THROUGH, hours
from postledger.store.engine import Engine

_DAYS = 30
_MOST_VALUES = 200
"""Values of a dimension that are known for each type; the engine counts no more at a time."""
_UNCOMMON = 20_000
"""A value that fewer than one of so many events has is not kept."""
_MOST_WORKSPACES = 100
_LEARN_AFTER, _FORGET_AFTER = 600, 3600  # seconds
_EQUAL = frozenset({Match.EQUAL, Match.MEMBER})
_DIMENSION = {GROUPS[name]: name for name in DIMENSIONS}
"""The dimension of a field."""

Counts = Mapping[tuple[str, str], Mapping[str, int]]
"""By dimension and type: how many events have each value that is common among them."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the last days of a workspace were like.

    `days`: how many events each day had, by the number of its first hour; of all time. `counts` are
    those of the last of them, with `events` in all; a value that is not in it has fewer than
    `least` of each type, or the fewest of those that are.
    """

    days: Mapping[int, int]
    counts: Counts
    events: int
    least: int

    def matching(self, query: EventQuery) -> int:
        """How many events match, about: as if each day was like the last ones, and the filter that
        the fewest match was the only one beside the types."""
        types = set(EVENT_TYPES)
        for each in query.filters:
            if each.field == "type" and each.match is Match.EQUAL and not each.negated:
                types &= {str(value) for value in each.values}
        filters = (*query.filters, *query.of_messages)
        fewest = min(self._with(ALL, {""}, types), *self._by_filter(filters, types))
        return fewest * self._between(query.start, query.end) // self.events

    def _by_filter(self, filters: Iterable[Filter], types: Iterable[str]) -> Iterable[int]:
        yield self.events
        for each in filters:
            name = _DIMENSION.get(each.field)
            if name and not each.negated:
                yield self._with(name, self._values(name, each), types)

    def _values(self, name: str, filter_: Filter) -> Iterable[str]:
        """The values of a dimension that a filter lets through, as far as they are known."""
        if filter_.match in _EQUAL:
            return {str(value) for value in filter_.values}
        asked = {str(value).lower() for value in filter_.values}
        known = {v for (dimension, _), of in self.counts.items() if dimension == name for v in of}
        return asked | {v for v in known if any(text in v.lower() for text in asked)}

    def _with(self, name: str, values: Iterable[str], types: Iterable[str]) -> int:
        found = (self.counts.get((name, kind)) for kind in types)
        return sum(sum(of.get(v, self._rest(of)) for v in values) for of in found if of is not None)

    def _rest(self, of: Mapping[str, int]) -> int:
        """The most events that a value may have which is not known."""
        return max(min(of.values()), self.least) if len(of) >= _MOST_VALUES else self.least

    def _between(self, start: datetime, end: datetime) -> int:
        first, last = hours(start), hours(end)
        return sum(n for day, n in self.days.items() if first < day + 24 and day <= last)


class Guesses:
    """Any thread may ask; one call of `learn` at a time."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._rollups = f"{engine.database}.{TABLE}"
        self._clock = clock
        self._asked: dict[str, float] = {}
        self._learnt: dict[str, tuple[float, Known | None]] = {}

    def matching(self, query: EventQuery) -> int | None:
        """How many events match, about; None: nothing is known of the workspace yet."""
        workspace = query.workspace
        if workspace in self._asked or len(self._asked) < _MOST_WORKSPACES:
            self._asked[workspace] = self._clock()
        _, known = self._learnt.get(workspace, (0, None))
        return None if known is None else known.matching(query)

    def learn(self) -> None:
        """Look at the roll-ups of workspaces that were asked for lately, and forget the others.
        Raises StoreUnavailable."""
        now = self._clock()
        for workspace, asked in self._asked.copy().items():
            if now - asked > _FORGET_AFTER:
                del self._asked[workspace]
                self._learnt.pop(workspace, None)
            elif workspace not in self._learnt or now - self._learnt[workspace][0] > _LEARN_AFTER:
                self._learnt[workspace] = (now, self._look(workspace))

    def _look(self, workspace: str) -> Known | None:
        ours = f"FROM {self._rollups} WHERE workspace = {{workspace:String}} AND span = 'day'"
        each = self._rows(
            f"SELECT hour, sum({EVENTS}) AS n {ours} AND dimension = '{ALL}' "
            "GROUP BY hour HAVING n > 0",
            {"workspace": workspace},
        )
        days = {int(day): int(n) for day, n in each}
        if not days:
            return None
        since = max(days) - (_DAYS - 1) * 24
        events = sum(n for day, n in days.items() if day >= since)
        least = events // _UNCOMMON
        found = self._rows(
            f"SELECT dimension, type, topKWeighted({_MOST_VALUES}, 3, 'counts')(value, {EVENTS}) "
            f"{ours} AND dimension != '{THROUGH}' AND hour >= {{since:UInt32}} AND {EVENTS} > 0 "
            "GROUP BY dimension, type SETTINGS max_threads = 1",
            {"workspace": workspace, "since": since},
        )
        counts = {(name, kind): _kept(common, least) for name, kind, common in found}
        return Known(days, counts, events, least)

    def _rows(self, sql: str, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
        with self._engine.reader() as client:
            return [tuple(row) for row in client.query(sql, parameters).result_rows]


def _kept(common: Iterable[Mapping[str, Any]], least: int) -> dict[str, int]:
    return {one["item"]: one["count"] for one in common if one["count"] >= least}
