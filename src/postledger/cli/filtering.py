"""The options that say which events: filters, and from when to when."""

from collections.abc import Iterator
from dataclasses import fields, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from cyclopts import Group, Parameter

from postledger.events import FIELD
from postledger.query import FILTERS, Match

FILTER_GROUP = Group("Filters", help="Repeatable: any of the values. Several filters: all of them.")


def _help(field: str, match: Match) -> str:
    how = "" if match is Match.EQUAL else f" ({match.value})"
    return f"{FIELD[field].meaning}{how}."


if TYPE_CHECKING:
    Filters: TypeAlias = Any
else:
    Filters = Parameter(name="*", group=FILTER_GROUP)(
        make_dataclass(
            "Filters",
            [
                (name, Annotated[tuple[str, ...], Parameter(help=_help(*how), metavar="TEXT")], ())
                for name, how in FILTERS.items()
            ],
            namespace={"__module__": __name__},
            frozen=True,
            kw_only=True,
        )
    )

ANY = Filters()

Start = Annotated[str | None, Parameter(name="--from", metavar="TIME")]
End = Annotated[str | None, Parameter(name="--to", metavar="TIME")]
"""RFC 3339 or YYYY-MM-DD; the server reads them."""


def given(filters: Filters, start: str | None, end: str | None) -> Iterator[tuple[str, str]]:
    """What was given, as parameters of the API."""
    for field in fields(filters):
        for value in getattr(filters, field.name):
            yield field.name, value
    if start:
        yield "from", start
    if end:
        yield "to", end
