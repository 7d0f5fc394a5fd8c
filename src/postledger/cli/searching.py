"""`postledger search`: events that match filters, page by page."""

import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter, validators

from postledger.cli.events import COLUMNS, row
from postledger.cli.filtering import ANY, End, Filters, Start, given
from postledger.cli.options import LOCAL, AsJson, Connection
from postledger.cli.output import for_people, lines, note, table
from postledger.client import Client

LARGEST_PAGE = 10_000


class EventPage(msgspec.Struct):
    """An answer of `GET /ledger/v1/events` (section 5 of the native contract)."""

    events: list[msgspec.Raw]
    next: str | None = None
    total: int | None = None


def search(
    *,
    filters: Filters = ANY,
    start: Annotated[Start, Parameter(help="First time; 24 hours ago unless set.")] = None,
    end: Annotated[End, Parameter(help="Time to end before; now unless set.")] = None,
    order: Annotated[
        Literal["desc", "asc"], Parameter(help="By time: the newest or the oldest first.")
    ] = "desc",
    limit: Annotated[
        int,
        Parameter(validator=validators.Number(gte=0), metavar="N", help="Most events; 0: all."),
    ] = 100,
    total: Annotated[bool, Parameter(help="Say on stderr how many match.")] = False,
    json: Annotated[AsJson, Parameter(help="Whole events as NDJSON, on a terminal too.")] = False,
    connection: Connection = LOCAL,
) -> None:
    """Find events. A table on a terminal, whole events as NDJSON in a pipe."""
    parameters = [("order", order), *given(filters, start, end)]
    as_table = for_people() and not json
    for at, page in enumerate(_pages(connection.client(), parameters, limit, total=total)):
        if page.total is not None:
            note(f"{page.total:,} events match")
        if as_table:
            table(COLUMNS, map(row, page.events), head=at == 0)
        else:
            lines(map(bytes, page.events))


def _pages(
    client: Client, parameters: Iterable[tuple[str, str]], limit: int, *, total: bool
) -> Iterator[EventPage]:
    """Follow `next` for `limit` events, or with 0 to the end."""
    left = limit or sys.maxsize
    more = [("total", "true")] if total else []
    while True:
        size = ("limit", str(min(left, LARGEST_PAGE)))
        page = client.get("/ledger/v1/events", [*parameters, size, *more], EventPage)
        yield page
        left -= len(page.events)
        if page.next is None or left <= 0:
            return
        more = [("cursor", page.next)]
