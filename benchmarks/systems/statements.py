"""How PostgreSQL and DuckDB spell the same table and the same questions, and how all systems spell
copies of their events.

A copy has an id, a message and a recipient of its own, and lies some weeks before the original, in
the same 90 days: what would be earlier than these lies at their end.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from benchmarks import bench
from benchmarks.stream import DAYS
from postledger.events import FIELDS, Kind

_WIDE_FIRST = (Kind.TIME, Kind.INTEGER, Kind.BOOLEAN)
FIELDS_BY_WIDTH = sorted(
    FIELDS, key=lambda field: (*(field.kind is not kind for kind in _WIDE_FIRST),)
)
"""Fields of fixed width first: no gaps between them in a row."""


@dataclass(frozen=True, slots=True)
class Dialect:
    types: Mapping[Kind, str]
    placeholder: str
    word: str
    """Whether `reason` has the word that is asked for, as Postledger compares words."""
    tagged: str

    def spell(self, text: str) -> str:
        found = text.replace("{word}", self.word).replace("{tagged}", self.tagged)
        return re.sub(r"(?<!:):(\w+)", lambda at: self.placeholder % at[1], found)


_TEXT = {Kind.TEXT: "TEXT", Kind.CODE: "TEXT", Kind.INTEGER: "BIGINT", Kind.BOOLEAN: "BOOLEAN"}

POSTGRESQL = Dialect(
    _TEXT | {Kind.TIME: "timestamptz", Kind.TEXTS: "TEXT[]", Kind.OBJECT: "jsonb"},
    "%%(%s)s",
    r"reason ~* '\mmailbox\M'",
    "rcpt_tags @> ARRAY['vip']",
)
DUCKDB = Dialect(
    _TEXT | {Kind.TIME: "TIMESTAMP", Kind.TEXTS: "TEXT[]", Kind.OBJECT: "JSON"},
    "$%s",
    r"regexp_matches(reason, '(^|[^\p{L}\p{N}])mailbox($|[^\p{L}\p{N}])', 'i')",
    "list_contains(rcpt_tags, 'vip')",
)


def definition(dialect: Dialect) -> str:
    """The columns with their types."""
    return ", ".join(f"{field.name} {dialect.types[field.kind]}" for field in FIELDS_BY_WIDTH)


_START = f"TIMESTAMP '{bench.END - timedelta(days=DAYS):%Y-%m-%d %H:%M:%S}'"
_MOVED = "timestamp - copy * INTERVAL '7 days'"
_IN_SQL = {
    "timestamp": f"CASE WHEN {_MOVED} < {_START} "
    f"THEN {_MOVED} + INTERVAL '{DAYS} days' ELSE {_MOVED} END",
    "event_id": "event_id || '-' || copy",
    "message_id": "message_id || '-' || copy",
    "rcpt_to": "copy || '-' || rcpt_to",
}


def growing(copies: int) -> str:
    """The statement that makes copies, in PostgreSQL and DuckDB."""
    made = ", ".join(_IN_SQL.get(field.name, field.name) for field in FIELDS_BY_WIDTH)
    return (
        f"INSERT INTO events SELECT {made} "
        f"FROM events, generate_series(1, {copies - 1}) AS copies(copy)"
    )


_FIRST = f"toDateTime64('{bench.END - timedelta(days=DAYS):%Y-%m-%d %H:%M:%S}', 3, 'UTC')"
_BACK = "toIntervalDay(7 * copy)"
_IN_ENGINE = {
    "timestamp": f"timestamp - {_BACK} + toIntervalDay(if(timestamp - {_BACK} < {_FIRST}, "
    f"{DAYS}, 0))",
    "event_id": "concat(event_id, '-', toString(copy))",
    "message_id": "if(message_id = '', '', concat(message_id, '-', toString(copy)))",
    "rcpt_to": "if(rcpt_to = '', '', concat(toString(copy), '-', rcpt_to))",
}


def growing_engine(table: str, names: Sequence[str], copies: int) -> str:
    """The same of a table of the engine with these columns. A `seq` goes on after the last one."""
    last = {"seq": f"seq + copy * (SELECT max(seq) FROM {table})"}
    made = ", ".join((_IN_ENGINE | last).get(name, name) for name in names)
    return (
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {made} FROM {table} "
        f"ARRAY JOIN range(1, {copies}) AS copy SETTINGS max_insert_threads = 2"
    )
