"""Places between pages, and links to them. Contract `bird-sparkpost.md`, section 4.

A cursor holds the whole question: its range (a default one moves with the clock), its parameters,
compressed, and the last event seen. Java's client breaks parameters when it takes a link apart, and
a link must not be longer than an address may be; with this a link works without its parameters.
"""

import zlib
from base64 import b85decode, b85encode
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from postledger import cursor
from postledger.dialects.sparkpost import times
from postledger.errors import BadCursor, Problem, UriTooLong
from postledger.query import EventQuery, Place

LONGEST_URI = 4096
_LARGEST_FORM = 64 * 1024
_SAFE = ",:@/"

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """What a cursor says."""

    start: datetime
    end: datetime
    pairs: Pairs
    per_page: int
    place: Place


def write(query: EventQuery, pairs: Pairs, place: Place) -> str:
    """The cursor for the page after `place`."""
    marks: cursor.Position = [
        times.milliseconds(query.start),
        times.milliseconds(query.end),
        query.limit,
        times.milliseconds(place.timestamp),
        place.event_id,
        b85encode(zlib.compress(urlencode(pairs).encode(), 9)).decode(),
    ]
    return cursor.encode(_whose(query.workspace), marks)


def read(workspace: str, text: str) -> Mark:
    """What the cursor says. Raises BadCursor when it is damaged, or of another workspace."""
    position = cursor.decode(_whose(workspace), text)
    try:
        start, end, per_page, timestamp, event_id, form = msgspec.convert(
            position, tuple[int, int, int, int, str, str]
        )
        return Mark(
            times.of_milliseconds(start),
            times.of_milliseconds(end),
            tuple(parse_qsl(_unpacked(form))),
            per_page,
            Place(times.of_milliseconds(timestamp), event_id),
        )
    except (ValueError, OverflowError, zlib.error) as error:
        raise refused("is damaged; send the text exactly as it was given") from error


def refused(message: str) -> BadCursor:
    return BadCursor(f"cursor {message}", Problem(message, parameter="cursor"))


def _unpacked(form: str) -> str:
    """Raises ValueError or zlib.error."""
    unpacking = zlib.decompressobj()
    text = unpacking.decompress(b85decode(form), _LARGEST_FORM)
    if not unpacking.eof:
        raise ValueError("cut short, or too large")
    return text.decode()


def _whose(workspace: str) -> list[str]:
    return ["sparkpost", workspace]


def link(path: str, pairs: Pairs, paging: Pairs, *, bare: bool = False) -> str:
    """Path and query of another page; without `pairs` if it is too long with them and `bare` says
    that it works so. Raises UriTooLong when it cannot be asked."""
    plain = quote(path.rstrip("/"))
    for parameters in ((*pairs, *paging), *((paging,) if bare else ())):
        found = f"{plain}?{urlencode(parameters, safe=_SAFE)}"
        if len(found) <= LONGEST_URI:
            return found
    raise UriTooLong(
        f"a link to the next page would have more than {LONGEST_URI} bytes; send fewer values"
    )
