"""`postledger tail`: events as they are stored."""

import sys
import time
from typing import Annotated

import msgspec
from cyclopts import Group, Parameter, validators

from postledger.cli.events import line
from postledger.cli.options import LOCAL, AsJson, Connection
from postledger.cli.output import for_people, lines, say

PAGE = 1000
START = Group("Where to start", validator=validators.LimitedChoice())


class FeedPage(msgspec.Struct):
    """An answer of `GET /ledger/v1/feed` (section 5 of the native contract)."""

    events: list[msgspec.Raw]
    next: str


def tail(
    *,
    after: Annotated[
        str | None,
        Parameter(group=START, metavar="CURSOR", help="Go on behind a `next` of the feed."),
    ] = None,
    from_start: Annotated[
        bool, Parameter(group=START, help="Begin with the first event ever stored.")
    ] = False,
    interval: Annotated[
        float,
        Parameter(
            validator=validators.Number(gt=0),
            metavar="SECONDS",
            help="Time between questions while nothing new comes.",
        ),
    ] = 1.0,
    json: Annotated[AsJson, Parameter(help="Whole events as NDJSON, on a terminal too.")] = False,
    connection: Connection = LOCAL,
) -> None:
    """Follow the events in the order in which they are stored, from now on, until Ctrl-C.

    A line each on a terminal, whole events as NDJSON in a pipe.
    """
    client = connection.client()
    as_lines = for_people() and not json
    cursor = None if from_start else "end" if after is None else after
    while True:
        place = [] if cursor is None else [("after", cursor)]
        page = client.get("/ledger/v1/feed", [*place, ("limit", str(PAGE))], FeedPage)
        if as_lines:
            for event in page.events:
                say(line(event))
            sys.stdout.flush()
        else:
            lines(map(bytes, page.events))
        cursor = page.next
        if len(page.events) < PAGE:
            time.sleep(interval)
