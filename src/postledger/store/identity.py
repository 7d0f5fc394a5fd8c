"""Which event a line is, told without the engine where that is certain.

A question to the engine costs as much for one line as for a hundred; lines with an id and an
ordinary time are told here. The engine stores them later, from the same bytes, so this must say
what `columns.identified` says; a test holds the two together.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from postledger.store.columns import EARLIEST, LATEST


class Identity(NamedTuple):
    """`milliseconds` since 1970. `fault` as in `columns.FAULTS`; 0: none."""

    workspace: str
    milliseconds: int
    event_id: str
    fault: int


class _Named(msgspec.Struct):
    """Times as numbers are left to the engine, which then reads the line with more care."""

    timestamp: str
    event_id: str
    injection_time: str | None = None
    scheduled_time: str | None = None


_NAMED = msgspec.json.Decoder(_Named)
_ORDINARY = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_VAST = re.compile(rb"[:,\[\s]-?[0-9][0-9.]*[eE][+-]?[0-9]{3}|[0-9]{200}")
"""Perhaps a number out of range, which the engine cannot read; msgspec skips it unread. What is
before it keeps ids in hexadecimal from passing for one."""
_ESCAPED_NAME = re.compile(rb'\\u00[^"]*"\s*:')
"""Perhaps a name of ours with escapes, beside the plain one: two members of one name."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _END = (datetime.fromisoformat(f"{text}+00:00") for text in (EARLIEST, LATEST))
MILLISECOND = timedelta(milliseconds=1)


def of_line(workspace: str, line: bytes) -> Identity | None:
    """Who a line of our own form is; None: ask the engine."""
    if line.count(b'"event_id"') != 1 or line.count(b'"timestamp"') != 1:
        return None  # absent, written with escapes, given twice, or also somewhere inside
    if _VAST.search(line) or (b"\\u00" in line and _ESCAPED_NAME.search(line)):
        return None
    try:
        named = _NAMED.decode(line)
        if not named.event_id:
            return None
        time = time_of(named.timestamp)
        for name, given in (
            (b'"injection_time"', named.injection_time),
            (b'"scheduled_time"', named.scheduled_time),
        ):
            if line.count(name) != (given is not None):
                return None
            if given is not None:
                time_of(given)
    except ValueError:
        return None
    return Identity(workspace, (time - _EPOCH) // MILLISECOND, named.event_id, 0)


def time_of(text: str) -> datetime:
    """An ordinary time. Raises ValueError: it is none, or out of range."""
    if not _ORDINARY.fullmatch(text):
        raise ValueError(text)
    time = datetime.fromisoformat(text.upper())
    if not _FIRST <= time < _END:
        raise ValueError(text)
    return time
