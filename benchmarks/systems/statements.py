"""How PostgreSQL and DuckDB spell the same table and the same questions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

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
